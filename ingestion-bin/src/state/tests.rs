//! The fold: what is saved comes back, and what must be understood is.

use messaging::journal::{Fold, NO_TIME, Record};

use super::State;
use crate::record::{AccountBody, Body, Change, RunBody, Stamp, encode};

fn apply(state: &mut State, position: u64, body: &Body<'_>) {
    encode(body, &mut Vec::new(), |new| {
        let record = Record {
            position,
            kind: new.kind,
            partition: new.partition,
            key: new.key,
            time: new.time,
            body: new.body,
        };
        state.apply(&record);
    });
}

fn sample() -> State {
    let mut state = State::default();
    let stamp = Stamp { account: [7; 20], influencer: "whale-1", network: "sim", at_ms: 5, epoch: 3 };
    apply(
        &mut state,
        1,
        &Body::Run(RunBody { version: "0", started_at_ms: 1, streams: (true, false, false) }),
    );
    let change = Change::Epoch { fresh: true, margin_ms: 120_000, twap: true };
    apply(&mut state, 2, &Body::Account(AccountBody { stamp, change }));
    for (position, at_ms) in [(3, 1_000), (4, 200_000)] {
        apply(&mut state, position, &Body::Spent { endpoint: "sim".into(), weight: 120, at_ms });
    }
    state
}

#[test]
fn what_is_saved_comes_back() {
    let state = sample();
    assert_eq!((state.runs, state.epoch(), state.spent.len()), (1, 3, 1));
    let mut bytes = Vec::new();
    state.save(&mut bytes).expect("a vector takes everything");
    assert_eq!(State::restore(&bytes).expect("our own bytes"), state);
}

#[test]
fn weight_is_what_the_charge_came_to() {
    let mut state = sample();
    for (position, endpoint, weight, at_ms) in
        [(5, "sim", 21, 200_000), (6, "other", 120, 200_000), (7, "sim", 120, 200_001)]
    {
        apply(&mut state, position, &Body::Spent { endpoint: endpoint.into(), weight, at_ms });
    }
    let weights: Vec<u32> = state.spent.iter().map(|spent| spent.weight).collect();
    assert_eq!(weights, [21, 120, 120]);
}

#[test]
fn an_unknown_record_refuses_the_state() {
    let mut state = sample();
    let record = Record { position: 9, kind: 99, partition: 0, key: 0, time: NO_TIME, body: &[1] };
    state.apply(&record);
    assert!(state.refused.as_deref().is_some_and(|why| why.contains("kind 99")), "{:?}", state.refused);
    let mut passed_by = sample();
    passed_by.apply(&Record { kind: 200, ..record });
    assert_eq!(passed_by.refused, None);
}
