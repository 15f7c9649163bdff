//! What subscribers are told while blocks happen: trades, events, orders, states; and the truth beside it.

use super::*;

#[test]
fn trades_replay_thirty_unflagged_and_name_buyer_then_seller() {
    let mut rig = Rig::new();
    for _ in 0..33 {
        rig.fills(A, 1, None);
    }
    let id = rig.connect();
    let subscribe = r#"{"method":"subscribe","subscription":{"type":"trades","coin":"ETH"}}"#;
    let sent = rig.ask(id, subscribe);
    let replay = json(&sent[1]);
    assert_eq!(replay["data"].as_array().unwrap().len(), 30);
    assert!(!sent[1].contains("isSnapshot"));
    let mut buy = rig.fill(A, 1_790_000_900_000, None);
    buy.fill.crossed = false;
    let mut sell = buy.clone();
    (sell.user, sell.fill.side, sell.fill.crossed) = (B.into(), crate::sim::Side::A, true);
    let block = Block { time: 1_790_000_900_000, fills: vec![buy, sell], marks: Vec::new() };
    rig.venue.play(&block, true, rig.now);
    let frame = json(&texts(&rig.drain(), id)[0]);
    assert_eq!(frame["data"].as_array().unwrap().len(), 1, "both sides are one trade");
    assert_eq!((&frame["data"][0]["users"], &frame["data"][0]["side"]), (&json!([A, B]), &json!("A")));
}

#[test]
fn user_events_and_order_updates_name_nobody() {
    let mut rig = Rig::new();
    let id = rig.connect();
    rig.subscribe(id, "userEvents", A);
    rig.subscribe(id, "orderUpdates", A);
    let sent = texts(&rig.fills(A, 3, None), id);
    let (events, orders) = (json(&sent[0]), json(&sent[1]));
    assert_eq!((&events["channel"], events["data"]["fills"].as_array().unwrap().len()), (&json!("user"), 3));
    assert_eq!(
        (&orders["channel"], &orders["data"][1]["status"]),
        (&json!("orderUpdates"), &json!("filled"))
    );
    let (open, filled) = (&orders["data"][0], &orders["data"][1]);
    assert_eq!((&open["status"], &open["order"]["sz"]), (&json!("open"), &json!("3.0")));
    assert_eq!((&filled["order"]["oid"], &filled["order"]["sz"]), (&open["order"]["oid"], &json!("0.0")));
    assert_eq!(orders["data"][0]["order"]["origSz"], "3.0");
    assert!(!sent.concat().contains(A));
    let slices = texts(&rig.fills(A, 1, Some(5)), id);
    assert_eq!(json(&slices[0])["data"]["twapSliceFills"][0]["twapId"], 5);
}

#[test]
fn states_are_pushed_at_once_from_time_to_time_and_on_change() {
    let mut rig = Rig::new();
    let id = rig.connect();
    let first = rig.subscribe(id, "allDexsClearinghouseState", A);
    assert_eq!(json(&first[1])["data"]["clearinghouseStates"][0][1]["assetPositions"], json!([]));
    assert_eq!(rig.wait(s(30)).len(), 10, "every 3 s");
    assert!(rig.fills(A, 1, None).is_empty(), "not with the block itself");
    let sent = texts(&rig.wait(Duration::from_millis(500)), id);
    assert_eq!(sent.len(), 1);
    let position =
        json(&sent[0])["data"]["clearinghouseStates"][0][1]["assetPositions"][0]["position"].clone();
    assert_eq!((&position["coin"], &position["szi"]), (&json!("ETH"), &json!("1.0")));
    let state = json(&rig.info(json!({"type":"clearinghouseState","user":A})).body);
    assert_eq!(state["assetPositions"][0]["position"]["szi"], "1.0");
}

#[test]
fn truth_holds_every_row_in_order_and_one_seed_gives_one_run() {
    let run = || {
        let mut rig = Rig::with(|_| (), &["drop=0.2", "dup=0.1", "corrupt=0.05", "delay=0..900@0.2"]);
        let mut market = Market::new(&MarketConfig { history_blocks: 0, ..MarketConfig::default() });
        let id = rig.connect();
        for (_, user) in Market::followed() {
            rig.subscribe(id, "userFills", &user);
            rig.subscribe(id, "userTwapSliceFills", &user);
        }
        let mut sent = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..100 {
            let block = market.step();
            expected.extend(block.fills.iter().map(BlockFill::text));
            rig.venue.play(&block, true, rig.now);
            sent.extend(rig.wait(Duration::from_millis(200)));
        }
        let truth = rig.venue.truth(0);
        assert_eq!(truth.iter().map(|row| row.text.to_string()).collect::<Vec<_>>(), expected);
        assert_eq!(rig.venue.truth(5), truth[5..]);
        assert!(rig.venue.fault_counts().values().all(|count| *count > 0));
        sent
    };
    assert_eq!(run(), run());
}
