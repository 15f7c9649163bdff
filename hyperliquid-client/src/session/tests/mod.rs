//! The session against frames as the venue would send them. Here: the rig, and what becomes of a subscription.

mod careless;
mod life;
mod refused;
mod tuned;

use super::*;
use crate::decode::Decoder;
use crate::wire::Address;

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
    // Not hammered: only the next one is sent, the refused one when asked for again, or much later.
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
