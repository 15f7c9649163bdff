//! What one address may have: users, sockets, subscriptions, messages; and how long a socket lives.

use super::*;

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
