use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::super::fill::{Block, BlockFill};
use super::super::limits::SimLimits;
use super::super::market::{Market, MarketConfig};
use super::info::InfoAnswer;
use super::*;

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const A: &str = "0x00000000000000000000000000000000000000aa";
const B: &str = "0x00000000000000000000000000000000000000bb";

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A venue and the artificial clock it is driven by.
struct Rig {
    venue: Venue,
    now: Duration,
    tid: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| (), &[])
    }

    fn with(change: impl FnOnce(&mut VenueConfig), faults: &[&str]) -> Self {
        let mut config = VenueConfig {
            snapshot_before_ack: 0.0,
            index_lag: (Duration::ZERO, Duration::ZERO),
            ..VenueConfig::default()
        };
        change(&mut config);
        let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
        let mut venue = Venue::new(config, 11, faults);
        venue.quote("ETH", "2400.0");
        Self { venue, now: Duration::ZERO, tid: 0 }
    }

    fn connect(&mut self) -> ConnId {
        match self.venue.connect(IP, self.now) {
            Admission::Accept(id) => id,
            other @ (Admission::Refuse(_) | Admission::Hang | Admission::Cut) => panic!("{other:?}"),
        }
    }

    /// Moves the clock in the steps the venue asks for; returns what it sent meanwhile.
    fn wait(&mut self, time: Duration) -> Vec<(ConnId, Out)> {
        let end = self.now + time;
        let mut sent = self.drain();
        while let Some(at) = self.venue.poll_timeout(self.now).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.venue.handle_timeout(self.now);
            sent.extend(self.drain());
        }
        self.now = end;
        sent
    }

    fn drain(&mut self) -> Vec<(ConnId, Out)> {
        std::iter::from_fn(|| self.venue.poll_transmit(self.now)).collect()
    }

    /// Sends a text and returns what comes back on that socket.
    fn ask(&mut self, id: ConnId, text: &str) -> Vec<String> {
        self.venue.receive(id, text, self.now);
        texts(&self.drain(), id)
    }

    fn subscribe(&mut self, id: ConnId, kind: &str, user: &str) -> Vec<String> {
        self.ask(id, &json!({"method":"subscribe","subscription":{"type":kind,"user":user}}).to_string())
    }

    /// `n` buys of `user` in one block; returns what was sent to everyone.
    fn fills(&mut self, user: &str, n: u64, twap: Option<u64>) -> Vec<(ConnId, Out)> {
        let time = 1_790_000_000_000 + self.now.as_millis() as u64 + self.tid;
        let fills = (0..n).map(|_| self.fill(user, time, twap)).collect();
        self.venue.play(&Block { time, fills, marks: Vec::new() }, true, self.now);
        self.drain()
    }

    fn fill(&mut self, user: &str, time: u64, twap: Option<u64>) -> BlockFill {
        self.tid += 1;
        let fill = json!({"coin":"ETH","px":"2400.5","sz":"1.0","side":"B","time":time,
            "startPosition":format!("{}.0", self.tid - 1),"dir":"Open Long","closedPnl":"0.0","hash":"0x1","oid":7,
            "crossed":true,"fee":"0.1","tid":self.tid,"feeToken":"USDC","twapId":null});
        BlockFill {
            user: user.into(),
            stream: if twap.is_some() { Stream::Twap } else { Stream::Fills },
            twap_id: twap,
            fill: serde_json::from_value(fill).unwrap(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every caller makes it with `json!` on the spot")]
    fn info(&mut self, body: Value) -> InfoAnswer {
        match self.venue.info(IP, body.to_string().as_bytes(), self.now) {
            InfoOutcome::Answer(answer) => answer,
            InfoOutcome::Cut => panic!("cut"),
        }
    }

    fn tids(&mut self, body: Value) -> Vec<u64> {
        let rows: Value = serde_json::from_str(&self.info(body).body).unwrap();
        rows.as_array().unwrap().iter().map(tid).collect()
    }
}

fn texts(sent: &[(ConnId, Out)], id: ConnId) -> Vec<String> {
    let of = sent.iter().filter(|(to, _)| *to == id);
    of.filter_map(|(_, out)| match out {
        Out::Text(text) | Out::Fragments(text) => Some(text.to_string()),
        Out::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Out::Pings(_) | Out::Pong(_) | Out::Close(..) | Out::Abort => None,
    })
    .collect()
}

fn tid(row: &Value) -> u64 {
    row.get("fill").unwrap_or(row)["tid"].as_u64().unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

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
fn users_are_counted_over_all_sockets_of_an_address() {
    let mut rig = Rig::with(|config| config.limits.users = 2, &[]);
    let (one, two) = (rig.connect(), rig.connect());
    let user = |n: u64| format!("0x{n:040x}");
    let refused = r#"{"channel":"error","data":"Cannot track more than 2 total users."}"#;
    assert_eq!(rig.subscribe(one, "userFills", &user(1)).len(), 2);
    assert_eq!(rig.subscribe(two, "userFills", &user(2)).len(), 2);
    assert_eq!(rig.subscribe(two, "userFills", &user(3)), [refused]);
    assert_eq!(rig.subscribe(two, "userFills", &user(1)).len(), 2, "held by the other socket: free");
    assert_eq!(rig.subscribe(one, "userTwapSliceFills", &user(1)).len(), 2, "one slot for all channels");
    rig.venue.disconnected(one, rig.now);
    assert_eq!(rig.subscribe(two, "userFills", &user(3)), [refused], "1 is still held by two");
    rig.venue.disconnected(two, rig.now);
    let three = rig.connect();
    assert_eq!(rig.subscribe(three, "userFills", &user(3)).len(), 2);
    assert_eq!(rig.venue.status().refused_by_limits, 2);
}

#[test]
fn a_users_slot_can_linger() {
    let mut rig = Rig::with(|config| (config.limits.users, config.user_linger) = (1, s(15)), &[]);
    let id = rig.connect();
    rig.subscribe(id, "userFills", A);
    rig.ask(id, &json!({"method":"unsubscribe","subscription":{"type":"userFills","user":A}}).to_string());
    assert_eq!(rig.subscribe(id, "userFills", B).len(), 1);
    rig.wait(s(15));
    assert_eq!(rig.subscribe(id, "userFills", B).len(), 2);
}

#[test]
fn connections_subscriptions_and_messages_are_limited() {
    let limits =
        SimLimits { connections: 2, subscriptions: 2, messages_per_minute: 6, ..SimLimits::default() };
    let mut rig = Rig::with(|config| config.limits = limits, &[]);
    let id = rig.connect();
    rig.connect();
    assert_eq!(rig.venue.connect(IP, rig.now), Admission::Refuse(429));
    rig.subscribe(id, "userFills", A);
    rig.subscribe(id, "userTwapSliceFills", A);
    let third = rig.subscribe(id, "userEvents", A);
    assert_eq!(third, [r#"{"channel":"error","data":"Cannot subscribe to more than 2 channels."}"#]);
    for _ in 0..3 {
        rig.ask(id, r#"{"method":"ping"}"#);
    }
    let flood = rig.ask(id, r#"{"method":"ping"}"#);
    assert_eq!(flood, [r#"{"channel":"error","data":"Cannot send more than 6 messages per minute."}"#]);
    rig.wait(s(59));
    rig.venue.disconnected(id, rig.now);
    rig.now += s(1);
    let id = rig.connect();
    assert_eq!(rig.ask(id, r#"{"method":"ping"}"#), [r#"{"channel":"pong"}"#]);
}

#[test]
fn new_connections_are_limited_per_minute() {
    let mut rig = Rig::new();
    for _ in 0..30 {
        let id = rig.connect();
        rig.venue.disconnected(id, rig.now);
    }
    assert_eq!(rig.venue.connect(IP, rig.now), Admission::Refuse(429));
    assert!(matches!(
        rig.venue.connect(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), rig.now),
        Admission::Accept(_)
    ));
    rig.now += s(60);
    rig.connect();
    assert_eq!(rig.venue.status().refused_connections, 1);
}

#[test]
fn silence_closes_a_socket_and_acknowledgements_do_not_count() {
    let mut rig = Rig::new();
    let id = rig.connect();
    for _ in 0..5 {
        assert!(rig.wait(s(10)).is_empty());
        rig.subscribe(id, "orderUpdates", A); // acknowledgement or error, no data
    }
    assert_eq!(rig.wait(s(10)), [(id, Out::Close(1000, "Inactive"))]);

    let id = rig.connect();
    for _ in 0..10 {
        assert!(rig.wait(s(50)).is_empty());
        rig.ask(id, r#"{"method":"ping"}"#);
    }
    rig.subscribe(id, "userFills", A);
    for _ in 0..5 {
        assert!(rig.wait(s(50)).is_empty());
        rig.fills(A, 1, None);
    }
    rig.wait(s(50));
    rig.venue.pinged(id, vec![1], rig.now);
    assert_eq!(rig.drain(), [(id, Out::Pong(vec![1]))]);
    assert_eq!(rig.wait(s(10)), [(id, Out::Close(1000, "Inactive"))], "protocol pings are no data");
}

#[test]
fn sockets_expire() {
    let mut rig = Rig::new();
    let id = rig.connect();
    rig.ask(id, r#"{"method":"subscribe","subscription":{"type":"allMids"}}"#);
    let sent = rig.wait(s(10_000));
    assert_eq!(sent.last(), Some(&(id, Out::Close(1000, "Expired"))));
    assert!(sent.len() > 9_000, "prices came every second until then");
    assert!(rig.ask(id, r#"{"method":"ping"}"#).is_empty(), "a closing socket is deaf");
}

#[test]
fn an_unknown_coin_is_acknowledged_and_then_costs_the_socket() {
    let mut rig = Rig::new();
    let id = rig.connect();
    let sent = rig.ask(id, r#"{"method":"subscribe","subscription":{"type":"trades","coin":"NOPE"}}"#);
    assert!(sent[0].contains("subscriptionResponse"));
    assert_eq!(rig.wait(s(1)), [(id, Out::Abort)]);
}

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
    (sell.user, sell.fill.side, sell.fill.crossed) = (B.into(), super::super::fill::Side::A, true);
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
        (&orders["channel"], &orders["data"][0]["status"]),
        (&json!("orderUpdates"), &json!("filled"))
    );
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
