//! Against a careless venue at random: whatever it answers, the session settles on what was asked for.

use super::*;
use proptest::prelude::*;

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
