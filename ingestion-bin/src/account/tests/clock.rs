//! Times that are wrong, by hand: a row ahead of the venue's clock, and a `certified` that passed what happened.

use dedup::FillKey;

use super::super::{Gap, GapId, GapKind, GapState, Ledger, Output, Position, Record, Refusal, Stream};
use super::rules::{Rig, events, row};

const FAR: i64 = 8_000_000_000_000;

/// A frame that moves no clock.
fn shown(rig: &mut Rig, listener: usize, rows: &[super::super::Row]) -> Vec<Record<u32>> {
    let _ = rig.machine.handle_frame(listener, Stream::Fills, false, rows, |at| at as u32, rig.now);
    rig.records()
}

fn conflicts(ledger: &Ledger) -> Vec<(GapState, &[FillKey])> {
    let of_kind = ledger.gaps().iter().filter(|gap| gap.id.kind == GapKind::Conflict);
    of_kind.map(|gap| (gap.state, gap.keys.as_slice())).collect()
}

#[test]
fn a_row_far_ahead_of_the_clock_waits_behind_all_others_and_ends_as_a_conflict() {
    let mut rig = Rig::new();
    let wrong = row(9, FAR, 5, 7);
    assert!(events(&shown(&mut rig, 0, std::slice::from_ref(&wrong))).is_empty());
    let out = shown(&mut rig, 0, &[row(2, 1_010, 5, 7), row(3, 1_020, 7, 6)]);
    assert_eq!(events(&out).iter().map(|event| event.late).collect::<Vec<_>>(), [false, false]);
    let out = rig.wait(180_000);
    assert!(events(&out).is_empty());
    let refused = |record: &Record<u32>| matches!(record, Record::Refused { reason: Refusal::Twin, .. });
    assert!(out.iter().any(refused), "{out:?}");
    assert_eq!(conflicts(rig.machine.ledger()), [(GapState::Unfillable, &[wrong.key][..])]);
    assert_eq!(rig.machine.summary().held, 0);
}

#[test]
fn a_second_listener_is_witness_enough() {
    let mut rig = Rig::new();
    rig.machine.handle_listener_up(1, rig.now);
    let rows = [row(2, FAR, 5, 7), row(3, FAR, 7, 6)];
    assert!(events(&shown(&mut rig, 0, &rows)).is_empty());
    let out = shown(&mut rig, 1, &rows);
    assert_eq!(
        events(&out).iter().map(|event| (event.seq, event.late)).collect::<Vec<_>>(),
        [(Some(1), false), (Some(2), false)]
    );
    assert!(rig.machine.ledger().gaps().is_empty());
}

#[test]
fn a_clock_that_stands_still_holds_nothing_back() {
    let mut rig = Rig::new();
    rig.wait(200_000);
    assert_eq!(events(&shown(&mut rig, 0, &[row(2, FAR, 5, 7)])).len(), 1);
}

/// The journal says that all is complete to a time nobody has reached.
fn overrun() -> Rig {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    rig.machine.record(Record::Certified { stream: Stream::Fills, to: FAR, anchor: None });
    rig.restart(false);
    rig
}

#[test]
fn what_certified_passed_wrongly_is_published_after_a_restart() {
    let mut rig = overrun();
    let all = [row(1, 1_000, 0, 5), row(2, 1_010, 5, 7), row(3, 2_000, 7, 8), row(4, 3_000, 8, 9)];
    // The snapshot shows only the end of what happened meanwhile: that waits for history.
    let _ = rig.machine.handle_frame(0, Stream::Fills, true, &all[3..], |at| at as u32, rig.now);
    let id = rig.asked(0).expect("history is read");
    assert!(events(&rig.records()).is_empty());
    assert_eq!(rig.machine.summary().certified, Some(1_010));
    assert!(
        rig.machine.ledger().gaps().iter().any(|gap| gap.id.kind == GapKind::Outage && gap.covers(2_000))
    );
    rig.machine.handle_page(id, &all[1..], |at| at as u32, rig.now);
    let mut out = Vec::new();
    while let Some(output) = rig.machine.poll_output() {
        match output {
            Output::Record(record) => out.push(record),
            Output::Ask { id, .. } => rig.machine.handle_page(id, &all[3..], |at| at as u32, rig.now),
            Output::Recycle { .. } => {}
        }
    }
    let times: Vec<_> = events(&out).iter().map(|event| (event.time, event.late)).collect();
    assert_eq!(times, [(2_000, false), (3_000, false)]);
}

#[test]
fn a_live_row_that_certified_passed_is_published() {
    let mut rig = overrun();
    rig.frame(true, &[row(2, 1_010, 5, 7)]);
    let mut out = rig.frame(false, &[row(3, 2_000, 7, 8)]);
    out.extend(rig.wait(5_001));
    assert_eq!(events(&out).len(), 1, "{out:?}");
    assert_eq!(rig.machine.summary().counts.overruns, 1);
    // What the account has shown already stays known by rule.
    assert!(events(&rig.frame(false, &[row(2, 1_010, 5, 7), row(1, 1_000, 0, 5)])).is_empty());
}

#[test]
fn a_row_that_never_happened_does_not_hide_what_certified_passed() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    rig.wait(200_000);
    let wrong = row(9, FAR / 2, 7, 8);
    assert_eq!(events(&shown(&mut rig, 0, std::slice::from_ref(&wrong))).len(), 1);
    assert_eq!(rig.machine.ledger().stream(Stream::Fills).newest, Some(FAR / 2));
    let id = GapId { kind: GapKind::Conflict, market: Some(wrong.market), from: FAR / 2, expected: None };
    let (found, filled, state) = (None, Position::default(), GapState::Unfillable);
    rig.machine.record(Record::Gap(Gap { id, to: FAR / 2, found, filled, state, keys: vec![wrong.key] }));
    assert_eq!(rig.machine.ledger().stream(Stream::Fills).newest, Some(1_010));
    rig.machine.record(Record::Certified { stream: Stream::Fills, to: FAR, anchor: None });
    rig.restart(false);
    let _ = shown(&mut rig, 0, &[row(3, 2_000, 7, 8)]);
    assert_eq!(rig.machine.summary().certified, Some(1_010));
    assert_eq!(events(&rig.wait(5_001)).len(), 1);
}
