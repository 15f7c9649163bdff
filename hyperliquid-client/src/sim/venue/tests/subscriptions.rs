//! What a subscription brings: its acknowledgement, its snapshot, its own channel, the venue's error texts.

use super::*;

#[test]
fn a_subscription_is_echoed_normalised_and_starts_with_thirty_rows_oldest_first() {
    let mut rig = Rig::new();
    for _ in 0..40 {
        rig.fills(A, 1, None);
    }
    let id = rig.connect();
    let sent = rig.subscribe(id, "userFills", &A.to_ascii_uppercase().replace("0X", "0x"));
    assert_eq!(
        sent[0],
        format!(
            r#"{{"channel":"subscriptionResponse","data":{{"method":"subscribe","subscription":{{"type":"userFills","user":"{A}","aggregateByTime":false}}}}}}"#
        )
    );
    let snapshot = json(&sent[1]);
    assert_eq!(snapshot["data"]["isSnapshot"], true);
    let rows = snapshot["data"]["fills"].as_array().unwrap();
    assert_eq!(rows.iter().map(tid).collect::<Vec<_>>(), (11..=40).collect::<Vec<_>>());
    let live = texts(&rig.fills(A, 2, None), id);
    assert_eq!(live.len(), 1);
    assert!(
        live[0].starts_with(&format!(r#"{{"channel":"userFills","data":{{"user":"{A}","fills":[{{"coin""#))
    );
    assert!(!live[0].contains("isSnapshot"));
    assert!(texts(&rig.fills(B, 1, None), id).is_empty());
}

#[test]
fn a_snapshot_may_come_before_its_acknowledgement() {
    let mut rig = Rig::with(|config| config.snapshot_before_ack = 1.0, &[]);
    let id = rig.connect();
    let sent = rig.subscribe(id, "userFills", A);
    assert!(sent[0].contains("isSnapshot") && sent[1].contains("subscriptionResponse"));
}

#[test]
fn slices_have_their_own_channel_and_history() {
    let mut rig = Rig::new();
    let id = rig.connect();
    rig.subscribe(id, "userFills", A);
    let empty = rig.subscribe(id, "userTwapSliceFills", A);
    assert_eq!(json(&empty[1])["data"]["twapSliceFills"], json!([]));
    let sent = texts(&rig.fills(A, 1, Some(2_290_000)), id);
    let frame = json(&sent[0]);
    assert_eq!((sent.len(), &frame["channel"]), (1, &json!("userTwapSliceFills")));
    let row = &frame["data"]["twapSliceFills"][0];
    assert_eq!((&row["twapId"], &row["fill"]["twapId"]), (&json!(2_290_000), &Value::Null));
    assert!(rig.tids(json!({"type":"userFills","user":A})).is_empty());
    assert_eq!(rig.tids(json!({"type":"userTwapSliceFills","user":A})), [1]);
    assert_eq!(rig.tids(json!({"type":"userTwapSliceFillsByTime","user":A,"startTime":0})), [1]);
}

#[test]
fn the_venues_own_error_texts() {
    let mut rig = Rig::new();
    let id = rig.connect();
    let error = |sent: Vec<String>| {
        assert_eq!(sent.len(), 1, "{sent:?}");
        let frame = json(&sent[0]);
        assert_eq!(frame["channel"], "error");
        frame["data"].as_str().unwrap().to_owned()
    };
    rig.subscribe(id, "clearinghouseState", A);
    assert_eq!(
        error(rig.subscribe(id, "clearinghouseState", A)),
        format!(r#"Already subscribed: {{"type":"clearinghouseState","dex":"","user":"{A}"}}"#)
    );
    assert_eq!(
        error(rig.ask(id, r#"{"method":"unsubscribe","subscription":{"type":"trades","coin":"ETH"}}"#)),
        r#"Already unsubscribed: {"type":"trades","coin":"ETH"}"#
    );
    for text in
        ["hello", r#"{"method":"subscribe","subscription":{"type":"webData2"}}"#, r#"{"method":"dance"}"#]
    {
        let expected = format!("Error parsing JSON into valid websocket request: {text}");
        assert_eq!(error(rig.ask(id, text)), expected);
    }
    assert_eq!(rig.ask(id, r#"{"method":"ping"}"#), [r#"{"channel":"pong"}"#]);
}

#[test]
fn an_unknown_coin_is_acknowledged_and_then_costs_the_socket() {
    let mut rig = Rig::new();
    let id = rig.connect();
    let sent = rig.ask(id, r#"{"method":"subscribe","subscription":{"type":"trades","coin":"NOPE"}}"#);
    assert!(sent[0].contains("subscriptionResponse"));
    assert_eq!(rig.wait(s(1)), [(id, Out::Abort)]);
}
