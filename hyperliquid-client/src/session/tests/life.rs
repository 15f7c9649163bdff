//! Waits: pings and pongs, a silent connection, a mute subscription, a spent budget.

use super::*;

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

#[test]
fn a_wait_without_end_never_comes_and_breaks_nothing() {
    let never = Duration::MAX;
    let config = SessionConfig {
        ping_interval: never,
        pong_timeout: never,
        stale_after: never,
        ack_timeout: never,
        replace_after: never,
        refused_wait: never,
        refused_wait_max: never,
        seed: 0,
    };
    let (mut session, mut budget, now) = (Session::new(config), MessageBudget::new(2000), start());
    session.handle_connected(now);
    session.subscribe(fills_of(1));
    assert!(session.poll_transmit(&mut budget, now).is_some_and(|text| text.contains("subscribe")));
    let later = now + secs(50 * 365 * 86_400);
    session.handle_timeout(later);
    assert_eq!(session.poll_transmit(&mut budget, later), None);
    assert_eq!(session.poll_event(), None);
    assert!(session.poll_timeout().is_some_and(|(at, _)| at > later));
}

#[test]
fn a_subscription_is_heard_when_it_is_acknowledged_and_brought_something_on_this_connection() {
    let mut rig = Rig::connected();
    let frame = format!(r#"{{"channel":"userFills","data":{{"user":"{}","fills":[]}}}}"#, user(1));
    for subscription in [fills_of(1), fills_of(2)] {
        rig.session.subscribe(subscription);
    }
    let _ = rig.sent();
    // The snapshot may come before the acknowledgement.
    rig.receive(&frame);
    assert!(!rig.session.has_heard(&fills_of(1)));
    rig.ack("subscribe", &fills_of(1));
    assert!(rig.session.has_heard(&fills_of(1)));
    let _ = rig.sent();
    rig.ack("subscribe", &fills_of(2));
    assert!(!rig.session.has_heard(&fills_of(2)), "nothing came of it");
    rig.session.handle_closed(CloseReason::ByUs, rig.now);
    rig.session.handle_connected(rig.now);
    let _ = rig.sent();
    rig.ack("subscribe", &fills_of(1));
    assert!(!rig.session.has_heard(&fills_of(1)), "that was another connection");
}
