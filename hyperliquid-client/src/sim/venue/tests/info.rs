//! Info requests and posts: pages, weight, refusals, index lag.

use super::*;

#[test]
fn info_pages_are_ordered_capped_and_inclusive() {
    let mut rig = Rig::with(|config| config.page_cap = 4, &[]);
    let times: Vec<u64> = (0..3)
        .map(|_| {
            rig.fills(A, 3, None);
            rig.venue.status().venue_time
        })
        .collect();
    assert_eq!(rig.tids(json!({"type":"userFills","user":A})), [9, 8, 7, 6]);
    let by_time = |start: u64, end: Value, reversed: bool| json!({"type":"userFillsByTime","user":A,"startTime":start,"endTime":end,"reversed":reversed});
    assert_eq!(rig.tids(by_time(0, Value::Null, false)), [1, 2, 3, 4]);
    assert_eq!(rig.tids(by_time(times[1], json!(times[1]), false)), [4, 5, 6]);
    assert_eq!(rig.tids(by_time(times[1] + 1, Value::Null, false)), [7, 8, 9]);
    assert_eq!(rig.tids(by_time(0, Value::Null, true)), [9, 8, 7, 6]);
    assert!(rig.tids(json!({"type":"userFillsByTime","user":B,"startTime":0})).is_empty());
}

#[test]
fn info_spends_weight_and_refuses_over_it() {
    let mut rig = Rig::with(|config| config.limits.info_weight_per_minute = 100, &[]);
    rig.fills(A, 60, None);
    for _ in 0..4 {
        assert_eq!(rig.info(json!({"type":"userFills","user":A})).status, 200); // 20 + 60/20 each
    }
    let refused = rig.info(json!({"type":"userFills","user":A}));
    assert_eq!((refused.status, refused.retry_after), (429, Some(61)));
    assert_eq!(rig.info(json!({"type":"exchangeStatus"})).status, 200, "weight 2 still fits");
    assert_eq!(rig.venue.status().info_over_budget, 1);
    assert_eq!(rig.venue.status().info_weight_peak, 94);
    rig.now += s(60);
    assert_eq!(rig.info(json!({"type":"userFills","user":A})).status, 200);
}

#[test]
fn info_refuses_what_it_cannot_read() {
    let mut rig = Rig::new();
    for body in [
        json!([]),
        json!({"type":"userFills"}),
        json!({"type":"userFills","user":"0x1"}),
        json!({"type":"x"}),
    ] {
        assert_eq!(rig.info(body.clone()).status, 422, "{body}");
    }
    assert_eq!(rig.info(json!({"type":"userFillsByTime","user":A})).status, 422);
    for kind in ["meta", "perpDexs", "spotMeta", "exchangeStatus", "allMids"] {
        let answer = rig.info(json!({"type":kind}));
        assert_eq!(answer.status, 200, "{kind}");
        json(&answer.body);
    }
}

#[test]
fn posts_answer_like_info_and_spend_its_weight() {
    let mut rig = Rig::with(|config| config.limits.info_weight_per_minute = 3, &[]);
    let id = rig.connect();
    let post = |n: u64, user: &str| {
        json!({"method":"post","id":n,"request":{"type":"info","payload":{"type":"clearinghouseState","user":user}}})
            .to_string()
    };
    let answer = json(&rig.ask(id, &post(7, A))[0]);
    assert_eq!((&answer["channel"], &answer["data"]["id"]), (&json!("post"), &json!(7)));
    assert_eq!(answer["data"]["response"]["payload"]["type"], "clearinghouseState");
    assert!(answer["data"]["response"]["payload"]["data"]["marginSummary"].is_object());
    let refused = json(&rig.ask(id, &post(8, A))[0]);
    assert_eq!(refused["data"]["response"], json!({"type":"error","payload":"Too Many Requests"}));
    assert_eq!(json(&rig.ask(id, &post(9, "0x1"))[0])["channel"], "error");
}

#[test]
fn info_lags_behind_the_socket() {
    let mut rig = Rig::with(|config| config.index_lag = (s(90), s(90)), &[]);
    rig.fills(A, 1, None);
    assert!(rig.tids(json!({"type":"userFills","user":A})).is_empty());
    rig.now += s(90);
    assert_eq!(rig.tids(json!({"type":"userFills","user":A})), [1]);
}
