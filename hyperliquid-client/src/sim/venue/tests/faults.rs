//! Each scripted fault does what its name says, once where it says once, and is counted.

use super::*;

#[test]
fn muted_accounts_are_silent_while_the_socket_lives() {
    let mute = format!("mute={A}@10s..40s#1/2");
    let mut rig = Rig::with(|_| (), &[&mute]);
    let (one, two) = (rig.connect(), rig.connect());
    for id in [one, two] {
        rig.subscribe(id, "userFills", A);
        rig.subscribe(id, "userFills", B);
    }
    rig.wait(s(10));
    let sent = rig.fills(A, 1, None);
    assert_eq!((texts(&sent, one).len(), texts(&sent, two).len()), (0, 1));
    assert_eq!(texts(&rig.fills(B, 1, None), one).len(), 1);
    rig.wait(s(30));
    assert_eq!(texts(&rig.fills(A, 1, None), one).len(), 1);
    assert_eq!(rig.venue.fault_counts().get("mute"), Some(&1));
}

#[test]
fn an_outage_cuts_everything_and_ends() {
    let mut rig = Rig::with(|_| (), &["outage=5s..8s"]);
    let id = rig.connect();
    assert_eq!(rig.wait(s(5)), [(id, Out::Abort)]);
    assert_eq!(rig.venue.connect(IP, rig.now), Admission::Cut);
    assert!(matches!(rig.venue.info(IP, b"{}", rig.now), InfoOutcome::Cut));
    rig.wait(s(3));
    rig.connect();
    assert_eq!(rig.venue.fault_counts().get("outage"), Some(&1));
}

#[test]
fn sockets_are_closed_in_turn_or_all_at_once() {
    let mut rig = Rig::with(|_| (), &["close=every:30s", "close=1001@70s"]);
    let (one, two) = (rig.connect(), rig.connect());
    assert_eq!(rig.wait(s(30)), [(one, Out::Close(1000, ""))]);
    rig.venue.disconnected(one, rig.now);
    rig.ask(two, r#"{"method":"ping"}"#);
    assert_eq!(rig.wait(s(30)), [(two, Out::Close(1000, ""))]);
    rig.venue.disconnected(two, rig.now);
    let (three, four) = (rig.connect(), rig.connect());
    assert_eq!(rig.wait(s(10)), [(three, Out::Close(1001, "")), (four, Out::Close(1001, ""))]);
    assert_eq!(rig.venue.fault_counts().get("close"), Some(&3));
}

#[test]
fn injected_frames_wait_for_somebody_to_hit() {
    let mut rig = Rig::with(
        |_| (),
        &["malformed@1s", "bad-utf8@1s", "ping-flood=3@1s", "unfollowed@1s", "huge=1KiB@1s"],
    );
    rig.wait(s(2));
    let id = rig.connect();
    rig.wait(s(1));
    assert!(rig.venue.fault_counts().values().all(|count| *count == 0), "nobody follows anyone");
    rig.subscribe(id, "userFills", A);
    let sent = rig.wait(s(1));
    assert_eq!(sent.len(), 5);
    assert!(sent.contains(&(id, Out::Pings(3))));
    assert!(rig.venue.fault_counts().values().all(|count| *count == 1));
    assert!(rig.wait(s(5)).is_empty(), "once is once");
}

#[test]
fn altered_frames_keep_the_true_rows() {
    for (fault, frames, rows) in [
        ("mismatch", 2, 1),
        ("other-tid", 2, 1),
        ("unknown-field", 1, 1),
        ("unknown-dir", 1, 1),
        ("bad-fill=nan", 1, 2),
        ("bad-fill=missing_field", 1, 2),
    ] {
        let mut rig = Rig::with(|_| (), &[fault]);
        let id = rig.connect();
        rig.subscribe(id, "userFills", A);
        let sent = texts(&rig.fills(A, 1, None), id);
        assert_eq!(sent.len(), frames, "{fault}");
        let found = json(&sent[0])["data"]["fills"].as_array().unwrap().clone();
        assert_eq!(found.len(), rows, "{fault}");
        assert_eq!(tid(found.last().unwrap()), 1, "{fault}");
        assert_eq!(rig.venue.fault_counts().values().sum::<u64>(), 1);
        assert_eq!(texts(&rig.fills(A, 1, None), id).len(), 1, "{fault}: once");
    }
}

#[test]
fn swallowed_subscribes_lowered_limits_and_history_faults() {
    let faults = ["no-ack=1", "too-many-users=1@1s", "info-lag=90s@2s", "page-cap=2@2s", "retention=3@2s"];
    let mut rig = Rig::with(|_| (), &faults);
    let id = rig.connect();
    assert!(rig.subscribe(id, "userFills", A).is_empty());
    assert_eq!(rig.subscribe(id, "userFills", A).len(), 2);
    rig.wait(s(1));
    assert!(rig.subscribe(id, "userFills", B)[0].contains("more than 1 total users"));
    rig.fills(A, 5, None);
    rig.wait(s(1));
    assert_eq!(rig.tids(json!({"type":"userFills","user":A})), [5, 4]);
    assert_eq!(rig.tids(json!({"type":"userFillsByTime","user":A,"startTime":0})), [3, 4]);
    rig.fills(A, 200, None);
    assert!(rig.tids(json!({"type":"userFills","user":A})).len() < 2, "the newest are not indexed yet");
    assert!(rig.venue.fault_counts().values().all(|count| *count > 0), "{:?}", rig.venue.fault_counts());
}

#[test]
fn info_faults_are_what_they_say() {
    let ask = || json!({"type":"userFillsByTime","user":A,"startTime":0});
    for fault in [
        "info-429=1",
        "info-500=1",
        "info-short=1",
        "info-empty=1",
        "info-half=1",
        "info-stale=60s@1",
        "info-slow=5..9@1",
    ] {
        let mut rig = Rig::with(|_| (), &[fault]);
        rig.fills(A, 10, None);
        rig.now += s(30);
        let answer = rig.info(ask());
        let rows =
            serde_json::from_str::<Value>(&answer.body).ok().and_then(|rows| Some(rows.as_array()?.len()));
        match fault {
            "info-429=1" => assert_eq!((answer.status, answer.retry_after), (429, Some(1))),
            "info-500=1" => assert_eq!(answer.status, 500),
            "info-short=1" => assert!(rows.unwrap() < 10),
            "info-empty=1" | "info-stale=60s@1" => assert_eq!(rows, Some(0)),
            "info-half=1" => assert!(answer.half),
            _ => assert!((5..=9).contains(&answer.delay.as_millis())),
        }
        assert_eq!(rig.venue.fault_counts().values().sum::<u64>(), 1, "{fault}");
    }
}

#[test]
fn split_frames_keep_order_and_delayed_ones_are_overtaken() {
    let mut rig = Rig::with(|_| (), &["split=1"]);
    let id = rig.connect();
    rig.subscribe(id, "userFills", A);
    let sent = texts(&rig.fills(A, 5, None), id);
    assert_eq!(sent.len(), 2);
    let tids: Vec<u64> = sent
        .iter()
        .flat_map(|text| json(text)["data"]["fills"].as_array().unwrap().clone())
        .map(|row| tid(&row))
        .collect();
    assert_eq!(tids, [1, 2, 3, 4, 5]);

    let mut rig = Rig::with(|_| (), &["delay=0..3000@1"]);
    let id = rig.connect();
    rig.subscribe(id, "userFills", A);
    rig.wait(s(5));
    let mut sent = Vec::new();
    for _ in 0..50 {
        sent.extend(rig.fills(A, 1, None));
        sent.extend(rig.wait(Duration::from_millis(100)));
    }
    sent.extend(rig.wait(s(5)));
    let tids: Vec<u64> = texts(&sent, id).iter().map(|text| tid(&json(text)["data"]["fills"][0])).collect();
    let mut sorted = tids.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=50).collect::<Vec<_>>(), "none lost");
    assert_ne!(sorted, tids, "some overtaken");
}
