//! What is refused is tried again: not too soon, not too often, and told once.

use super::*;

const FULL: &str = "Cannot track more than 10 total users.";

impl Rig {
    /// Lets `time` pass from deadline to deadline; `answer` is the venue, pings aside. Never a deadline without end.
    pub(super) fn run(&mut self, time: Duration, mut answer: impl FnMut(&mut Self, &str)) {
        let end = self.now + time;
        loop {
            loop {
                let sent = self.sent();
                if sent.is_empty() {
                    break;
                }
                for text in sent {
                    if text == r#"{"method":"ping"}"# {
                        self.receive(r#"{"channel":"pong"}"#);
                    } else {
                        answer(self, &text);
                    }
                }
            }
            let (at, reason) = self.session.poll_timeout().unwrap();
            assert!(at > self.now, "the timer would spin for {reason:?}");
            self.now = at.min(end);
            self.session.handle_timeout(self.now);
            if self.now == end {
                return;
            }
        }
    }

    pub(super) fn accept(&mut self, text: &str) {
        let request: serde_json::Value = serde_json::from_str(text).unwrap();
        self.receive(&serde_json::json!({ "channel": "subscriptionResponse", "data": request }).to_string());
    }
}

fn slices_of(n: u8) -> Subscription {
    Subscription::UserTwapSliceFills { user: user(n) }
}

/// When each message was sent, in seconds since the begin.
fn times(rig: &mut Rig, time: Duration, answer: impl Fn(&mut Rig, &str)) -> Vec<f64> {
    let (start, mut times) = (rig.now, Vec::new());
    rig.run(time, |rig, text| {
        times.push((rig.now - start).as_secs_f64());
        answer(rig, text);
    });
    times
}

#[test]
fn a_refused_account_is_tried_again_ever_more_slowly_until_it_is_served() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    let times = times(&mut rig, secs(3_600), |rig, _| rig.error(FULL));
    let waits: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (n, wait) in waits.iter().enumerate() {
        let plain = [15.0, 30.0, 60.0][n.min(2)];
        assert!((plain..=plain * 1.5).contains(wait), "{n}: {waits:?}");
    }
    assert!(waits.len() > 40, "for ever: {waits:?}");
    assert!(waits[2..].windows(2).any(|pair| pair[0] != pair[1]), "at random: {waits:?}");
    assert_eq!(rig.events().len(), 1, "told once");
    assert!(rig.session.is_settled() && !rig.session.is_live(&fills_of(1)));

    rig.run(secs(100), Rig::accept);
    assert!(rig.session.is_live(&fills_of(1)));
    assert!(matches!(&rig.events()[..], [SessionEvent::Subscribed { already: false, .. }]));
    rig.run(secs(1_000), |_, text| panic!("{text}"));
}

#[test]
fn an_account_asks_once_for_all_its_subscriptions() {
    let mut rig = Rig::connected();
    for n in [1, 2] {
        rig.session.subscribe(fills_of(n));
        rig.session.subscribe(slices_of(n));
    }
    let mut sent = Vec::new();
    rig.run(secs(14), |rig, text| {
        sent.push(text.to_owned());
        rig.error(FULL);
    });
    assert_eq!(sent, [subscribe_text(&fills_of(1)), subscribe_text(&fills_of(2))]);
    // The first asked for is the first served, with all it has.
    sent.clear();
    rig.run(secs(10), |rig, text| {
        sent.push(text.to_owned());
        if text.contains(&user(1).to_string()) { rig.accept(text) } else { rig.error(FULL) }
    });
    let expected = [fills_of(1), slices_of(1), fills_of(2)];
    assert_eq!(sent, expected.map(|subscription| subscribe_text(&subscription)));
}

#[test]
fn many_that_are_refused_make_no_storm_and_each_has_its_turn() {
    let mut rig = Rig::connected();
    for n in 1..=250 {
        rig.session.subscribe(fills_of(n));
    }
    let mut tried = std::collections::BTreeSet::new();
    rig.run(secs(1), |rig, _| rig.error(FULL));
    let times = times(&mut rig, secs(600), |rig, _| rig.error(FULL));
    for minute in times.windows(62) {
        assert!(minute[61] - minute[0] >= 60.0, "{minute:?}");
    }
    rig.run(secs(600), |rig, text| {
        tried.insert(text.to_owned());
        rig.error(FULL);
    });
    assert_eq!(tried.len(), 250);
    // Once there is room nobody waits for the others.
    let accepted = times_accepted(&mut rig);
    assert!(accepted.last().unwrap() - accepted.first().unwrap() < 91.0, "{accepted:?}");
    assert!((1..=250).all(|n| rig.session.is_live(&fills_of(n))));
}

fn times_accepted(rig: &mut Rig) -> Vec<f64> {
    times(rig, secs(600), Rig::accept)
}

#[test]
fn a_slot_that_becomes_free_is_asked_for_soon() {
    let mut rig = Rig::connected();
    for n in [1, 2] {
        rig.session.subscribe(fills_of(n));
    }
    let full = |rig: &mut Rig, text: &str| {
        if text.contains(&user(1).to_string()) { rig.accept(text) } else { rig.error(FULL) }
    };
    rig.run(secs(3_600), full);
    rig.session.unsubscribe(&fills_of(1));
    let times = times(&mut rig, secs(23), Rig::accept);
    let [0.0, retried] = times[..] else { panic!("{times:?}") };
    assert!(retried >= 15.0, "its slot lingers");
    assert!(rig.session.is_live(&fills_of(2)));
}

#[test]
fn a_refusal_is_told_again_when_it_changes() {
    let mut rig = Rig::connected();
    rig.session.subscribe(fills_of(1));
    rig.run(secs(200), |rig, _| rig.error(FULL));
    assert_eq!(rig.events().len(), 1);
    rig.session.handle_closed(CloseReason::ByUs, rig.now);
    rig.session.handle_connected(rig.now);
    rig.run(secs(200), |rig, _| rig.error(FULL));
    assert!(matches!(&rig.events()[..], [SessionEvent::Closed { .. }]), "the same after a reconnect");
    rig.run(secs(200), |rig, _| rig.error("Cannot track more than 15 total users."));
    assert!(matches!(
        &rig.events()[..],
        [SessionEvent::SubscriptionRefused { refusal: Refusal::TooManyUsers { limit: Some(15) }, .. }]
    ));
}

#[test]
fn whatever_is_refused_is_tried_again() {
    let btc = Subscription::Trades { coin: "BTC".into() };
    for text in [
        "Cannot subscribe to more than 1000 channels.".to_owned(),
        format!("Invalid subscription {}", btc.to_json()),
        format!("Error parsing JSON into valid websocket request: {}", subscribe_text(&btc)),
    ] {
        let mut rig = Rig::connected();
        rig.session.subscribe(btc.clone());
        rig.run(secs(1), |rig, _| rig.error(&text));
        assert!(matches!(&rig.events()[..], [SessionEvent::SubscriptionRefused { .. }]), "{text}");
        rig.run(secs(30), Rig::accept);
        assert!(rig.session.is_live(&btc), "{text}");
    }
}

#[test]
fn a_retry_without_an_answer_costs_no_connection() {
    let mut rig = Rig::connected();
    for n in [1, 2] {
        rig.session.subscribe(fills_of(n));
    }
    let full = |rig: &mut Rig, text: &str| {
        if text.contains(&user(1).to_string()) { rig.accept(text) } else { rig.error(FULL) }
    };
    rig.run(secs(1), full);
    let _ = rig.events();
    rig.run(secs(300), |_, _| {});
    assert!(rig.events().is_empty(), "others are served on it");
    rig.run(secs(100), Rig::accept);
    assert!(rig.session.is_live(&fills_of(2)));
}

/// Refused together and then out of step: what waits longer is sent as soon as the venue has a place for the account.
#[test]
fn an_account_that_is_served_waits_on_no_channel() {
    let mut rig = Rig::connected();
    for subscription in [fills_of(1), slices_of(1), fills_of(2)] {
        rig.session.subscribe(subscription);
    }
    rig.run(
        secs(1),
        |rig, text| {
            if text.contains(&user(2).to_string()) { rig.accept(text) } else { rig.error(FULL) }
        },
    );
    // The retry of the fills is never answered, so they wait longer than the slices.
    let (mut served, mut followed) = (None, None);
    rig.run(secs(60), |rig, text| {
        if text == subscribe_text(&slices_of(1)) {
            served = Some(rig.now);
            rig.accept(text);
        } else if served.is_some() {
            followed = followed.or(Some(rig.now));
            rig.accept(text);
        }
    });
    assert!(served.is_some() && followed == served, "{served:?} {followed:?}");
    assert!(rig.session.is_live(&fills_of(1)));
}

#[test]
fn two_sessions_do_not_retry_at_one_instant() {
    let second = |seed| {
        let mut rig = Rig::connected();
        rig.session.config.seed = seed;
        rig.session.subscribe(fills_of(1));
        times(&mut rig, secs(60), |rig, _| rig.error(FULL))[1]
    };
    assert_ne!(second(7), second(8));
}

#[test]
fn one_message_too_many_is_waited_out_on_the_same_connection() {
    let mut rig = Rig::connected();
    for n in [1, 2] {
        rig.session.subscribe(fills_of(n));
    }
    let too_many = "Cannot send more than 2000 messages per minute.";
    let start = rig.now;
    let mut sent = Vec::new();
    rig.run(secs(60), |rig, text| {
        sent.push((rig.now - start).as_secs());
        if sent.len() < 4 { rig.error(too_many) } else { rig.accept(text) }
    });
    assert_eq!(sent, [0, 10, 20, 30, 30], "paused, not given up");
    let events = rig.events();
    assert!(events.iter().all(|event| !event.asks_recycle()), "{events:?}");
    assert!(rig.session.is_live(&fills_of(1)) && rig.session.is_live(&fills_of(2)));

    // A ping may be the one: its pong never comes, and the connection is alive all the same.
    rig.pass(secs(5));
    assert_eq!(rig.sent(), [r#"{"method":"ping"}"#]);
    rig.error(too_many);
    let _ = rig.events();
    rig.run(secs(60), |_, text| panic!("{text}"));
    assert_eq!(rig.events(), []);
}
