//! The session against frames as the venue would send them, and against a careless venue at random.

use super::*;
use crate::decode::Decoder;
use crate::wire::Address;
use proptest::prelude::*;

#[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
fn start() -> Instant {
    Instant::now()
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn user(n: u8) -> Address {
    Address::from_bytes([n; 20])
}

fn fills_of(n: u8) -> Subscription {
    Subscription::UserFills { user: user(n) }
}

/// A session, its budget and a clock.
struct Rig {
    session: Session,
    budget: MessageBudget,
    now: Instant,
}

impl Rig {
    fn connected() -> Self {
        let now = start();
        let mut session = Session::new(SessionConfig::default());
        session.handle_connected(now);
        Self { session, budget: MessageBudget::new(2000), now }
    }

    fn receive(&mut self, text: &str) {
        let mut decoder = Decoder::new();
        let decoded = decoder.decode(text.as_bytes()).unwrap();
        self.session.handle_frame(&decoded.frame, self.now);
    }

    fn ack(&mut self, method: &str, subscription: &Subscription) {
        let echo = subscription.to_json();
        self.receive(&format!(
            r#"{{"channel":"subscriptionResponse","data":{{"method":"{method}","subscription":{echo}}}}}"#
        ));
    }

    fn error(&mut self, text: &str) {
        self.receive(&serde_json::json!({"channel":"error","data":text}).to_string());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
    }

    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.poll_transmit(&mut self.budget, self.now)).collect()
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

fn subscribe_text(subscription: &Subscription) -> String {
    format!(r#"{{"method":"subscribe","subscription":{}}}"#, subscription.to_json())
}

#[test]
fn user_subscriptions_go_one_at_a_time_and_others_do_not_wait() {
    let mut rig = Rig::connected();
    let btc = Subscription::Trades { coin: "BTC".into() };
    for subscription in [fills_of(1), fills_of(2), btc.clone()] {
        rig.session.subscribe(subscription);
    }
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(1)), subscribe_text(&btc)]);
    rig.ack("subscribe", &fills_of(1));
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(2))]);
    assert!(rig.session.is_live(&fills_of(1)) && !rig.session.is_live(&fills_of(2)));
    let events = rig.events();
    assert!(
        matches!(&events[..], [SessionEvent::Subscribed { subscription, already: false, .. }] if *subscription == fills_of(1))
    );
}

#[test]
fn too_many_users_hits_the_pending_user_and_the_next_goes_on() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    rig.session.subscribe(fills_of(2));
    let _ = rig.sent();
    rig.error("Cannot track more than 10 total users.");
    let events = rig.events();
    let [SessionEvent::SubscriptionRefused { subscription, refusal, text }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((subscription, *refusal), (&fills_of(1), Refusal::TooManyUsers { limit: Some(10) }));
    assert_eq!(text, "Cannot track more than 10 total users.");
    // Not hammered: only the next one is sent, the refused one only when asked for again.
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(2))]);
    rig.ack("subscribe", &fills_of(2));
    assert!(rig.sent().is_empty());
    rig.session.subscribe(fills_of(1));
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(1))]);
}

#[test]
fn already_subscribed_is_success() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    let _ = rig.sent();
    rig.error(&format!("Already subscribed: {}", fills_of(1).to_json()));
    assert!(matches!(&rig.events()[..], [SessionEvent::Subscribed { already: true, .. }]));
    assert!(rig.session.is_live(&fills_of(1)));
}

#[test]
fn unreadable_and_invalid_requests_are_tied_to_what_was_sent() {
    for prefix in ["Error parsing JSON into valid websocket request: ", "Invalid subscription "] {
        let mut rig = Rig::connected();
        rig.session.subscribe(Subscription::Trades { coin: "NOPE".into() });
        rig.session.subscribe(fills_of(1));
        let sent = rig.sent();
        let echoed = if prefix.starts_with("Error") {
            sent[0].clone()
        } else {
            Subscription::Trades { coin: "NOPE".into() }.to_json()
        };
        rig.error(&format!("{prefix}{echoed}"));
        let events = rig.events();
        assert!(
            matches!(
                &events[..],
                [SessionEvent::SubscriptionRefused {
                    subscription: Subscription::Trades { .. },
                    refusal: Refusal::Invalid,
                    ..
                }]
            ),
            "{events:?}"
        );
        rig.ack("subscribe", &fills_of(1));
        assert!(rig.session.is_settled());
    }
}

#[test]
fn data_may_come_before_the_acknowledgement() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    let _ = rig.sent();
    rig.receive(&format!(
        r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"{}","fills":[]}}}}"#,
        user(1)
    ));
    assert!(!rig.session.is_live(&fills_of(1)) && rig.events().is_empty());
    rig.ack("subscribe", &fills_of(1));
    assert!(rig.session.is_live(&fills_of(1)));
}

#[test]
fn a_swallowed_subscribe_is_sent_once_more_and_then_given_up() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    assert_eq!(rig.sent().len(), 1);
    rig.pass(secs(5));
    assert!(rig.sent().contains(&subscribe_text(&fills_of(1))));
    rig.receive(r#"{"channel":"pong"}"#);
    assert!(rig.events().is_empty());
    rig.pass(secs(5));
    let events = rig.events();
    assert!(
        matches!(&events[..], [event @ SessionEvent::SubscriptionSilent { .. }] if event.asks_recycle()),
        "{events:?}"
    );
    assert!(rig.sent().iter().all(|text| !text.contains("subscribe")));
    // Late is better than never.
    rig.ack("subscribe", &fills_of(1));
    assert!(rig.session.is_live(&fills_of(1)));
}

#[test]
fn pings_keep_time_and_late_pongs_are_told_once() {
    let mut rig = Rig::connected();
    assert_eq!(rig.session.poll_timeout(), Some((rig.now + secs(5), TimeoutReason::Ping)));
    rig.pass(secs(5));
    assert_eq!(rig.sent(), [r#"{"method":"ping"}"#]);
    assert!(rig.sent().is_empty());
    assert_eq!(rig.session.poll_timeout(), Some((rig.now + secs(5), TimeoutReason::Pong)));
    rig.receive(r#"{"channel":"pong"}"#);
    rig.pass(secs(5));
    assert_eq!(rig.sent(), [r#"{"method":"ping"}"#]);
    rig.pass(secs(5));
    let events = rig.events();
    assert!(
        matches!(&events[..], [event @ SessionEvent::PongLate { .. }] if event.asks_recycle()),
        "{events:?}"
    );
    rig.pass(secs(4));
    assert!(rig.events().is_empty());
}

#[test]
fn a_connection_without_frames_is_stale_and_an_old_one_due() {
    let mut rig = Rig::connected();
    rig.pass(secs(15));
    assert!(rig.events().contains(&SessionEvent::ConnectionStale { silent_for: secs(15) }));
    rig.receive(r#"{"channel":"pong"}"#);
    rig.pass(secs(9_000 - 15));
    assert!(rig.events().contains(&SessionEvent::ReplaceDue { age: secs(9_000) }));
}

#[test]
fn a_mute_subscription_is_found_by_evidence_only() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    let _ = rig.sent();
    rig.ack("subscribe", &fills_of(1));
    let _ = rig.events();
    let frame = format!(r#"{{"channel":"userFills","data":{{"user":"{}","fills":[]}}}}"#, user(1));

    rig.session.expect_data(&fills_of(1), secs(2), rig.now);
    rig.now += secs(1);
    rig.receive(&frame);
    rig.pass(secs(3));
    assert!(rig.events().is_empty());

    rig.session.expect_data(&fills_of(1), secs(2), rig.now);
    assert!(matches!(rig.session.poll_timeout(), Some((at, _)) if at <= rig.now + secs(2)));
    rig.receive(&frame.replace(&user(1).to_string(), &user(2).to_string()));
    rig.pass(secs(2));
    let events = rig.events();
    assert!(
        matches!(&events[..], [event @ SessionEvent::SubscriptionStale { .. }] if event.asks_recycle()),
        "another account's data is no evidence of life: {events:?}"
    );
}

#[test]
fn after_a_drop_everything_is_subscribed_anew() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    rig.session.subscribe(fills_of(2));
    let _ = rig.sent();
    rig.ack("subscribe", &fills_of(1));
    rig.error("Cannot track more than 1 total users.");
    let _ = (rig.sent(), rig.events());
    rig.session.handle_closed(CloseReason::ByVenue { code: 1000, text: "Expired".into() }, rig.now);
    assert!(matches!(&rig.events()[..], [SessionEvent::Closed { .. }]));
    assert!(
        rig.sent().is_empty() && rig.session.poll_timeout().is_none() && !rig.session.is_live(&fills_of(1))
    );
    rig.session.handle_connected(rig.now);
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(1))]);
    rig.ack("subscribe", &fills_of(1));
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(2))]);
}

#[test]
fn asked_again_while_leaving_means_end_then_begin() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    let _ = rig.sent();
    rig.ack("subscribe", &fills_of(1));
    rig.session.unsubscribe(&fills_of(1));
    rig.session.subscribe(fills_of(1));
    let sent = rig.sent();
    assert!(matches!(&sent[..], [only] if only.starts_with(r#"{"method":"unsubscribe""#)), "{sent:?}");
    assert!(!rig.session.is_live(&fills_of(1)));
    rig.ack("unsubscribe", &fills_of(1));
    assert_eq!(rig.sent(), [subscribe_text(&fills_of(1))]);
    rig.ack("subscribe", &fills_of(1));
    assert!(rig.session.is_live(&fills_of(1)));
}

#[test]
fn the_message_budget_is_waited_for_and_told_once() {
    let mut rig = Rig::connected();
    rig.budget = MessageBudget::new(3);
    rig.session.config.ping_interval = secs(50);
    for coin in ["A", "B", "C"] {
        rig.session.subscribe(Subscription::Trades { coin: coin.into() });
    }
    assert_eq!(rig.sent().len(), 2); // the third is kept for a ping
    assert!(rig.sent().is_empty());
    assert_eq!(rig.events(), [SessionEvent::MessageBudgetWaiting { wait: secs(60) }]);
    for coin in ["A", "B"] {
        rig.ack("subscribe", &Subscription::Trades { coin: coin.into() });
    }
    rig.pass(secs(50));
    assert_eq!(rig.sent(), [r#"{"method":"ping"}"#]);
    rig.receive(r#"{"channel":"pong"}"#);
    rig.pass(secs(10));
    assert!(matches!(&rig.sent()[..], [only] if only.contains(r#""coin":"C""#)));
}

#[test]
fn a_ping_that_cannot_be_sent_does_not_make_the_timer_spin() {
    let mut rig = Rig::connected();
    rig.budget = MessageBudget::new(2);
    assert!(rig.budget.try_send_urgent(rig.now).is_ok() && rig.budget.try_send_urgent(rig.now).is_ok());
    rig.pass(secs(5));
    assert!(rig.sent().is_empty());
    rig.receive(r#"{"channel":"brandNew","data":0}"#);
    let (at, _) = rig.session.poll_timeout().unwrap();
    assert!(at > rig.now);
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe(u8),
    Unsubscribe(u8),
    Pass(u16),
    Answer,
    Swallow,
    Refuse,
    Drop,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u8..6).prop_map(Step::Subscribe),
        2 => (1_u8..6).prop_map(Step::Unsubscribe),
        3 => (0_u16..6_000).prop_map(Step::Pass),
        8 => Just(Step::Answer),
        1 => Just(Step::Swallow),
        1 => Just(Step::Refuse),
        1 => Just(Step::Drop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever the venue does: one user request in flight, and once it answers again everything wanted and not refused is live.
    #[test]
    fn it_settles_on_what_was_asked_for(steps in prop::collection::vec(any_step(), 0..60)) {
        let mut rig = Rig::connected();
        let mut wanted = std::collections::BTreeSet::new();
        let mut wire: VecDeque<String> = VecDeque::new();
        let settle = std::iter::repeat_n(Step::Answer, 60);
        for step in steps.into_iter().chain([Step::Drop]).chain(settle) {
            match step {
                Step::Subscribe(n) => { wanted.insert(n); rig.session.subscribe(fills_of(n)); }
                Step::Unsubscribe(n) => { wanted.remove(&n); rig.session.unsubscribe(&fills_of(n)); }
                Step::Pass(ms) => rig.pass(Duration::from_millis(u64::from(ms))),
                Step::Swallow => { wire.pop_front(); }
                Step::Refuse => {
                    // Only a subscribe is refused so.
                    if wire.front().is_some_and(|text| text.contains("\"subscribe\"")) {
                        wire.pop_front();
                        rig.error("Cannot track more than 3 total users.");
                    }
                }
                Step::Drop => {
                    wire.clear();
                    rig.session.handle_closed(CloseReason::ByUs, rig.now);
                    rig.session.handle_connected(rig.now);
                }
                Step::Answer => if let Some(text) = wire.pop_front() {
                    let request: serde_json::Value = serde_json::from_str(&text).unwrap();
                    if request["method"] == "ping" {
                        rig.receive(r#"{"channel":"pong"}"#);
                    } else {
                        let (method, echo) = (&request["method"], &request["subscription"]);
                        rig.receive(&format!(r#"{{"channel":"subscriptionResponse","data":{{"method":{method},"subscription":{echo}}}}}"#));
                    }
                },
            }
            wire.extend(rig.sent());
            let _ = rig.events();
            let in_flight = rig.session.entries.iter().filter(|entry| matches!(entry.state, State::Sent { .. }) && !entry.leaving).count();
            prop_assert!(in_flight <= 1);
        }
        prop_assert!(rig.session.is_settled());
        for n in 1..6 {
            prop_assert_eq!(rig.session.is_live(&fills_of(n)), wanted.contains(&n), "{}", n);
        }
    }
}
