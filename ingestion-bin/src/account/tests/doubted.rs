//! A fresh snapshot that shows nothing known, beside a listener that is live: a moment behind, or deaf.

use super::super::{GapKind, Intake, Machine, Record, Row, Stream};
use super::rules::{Rig, events, row};

/// The second listener's snapshot: nothing in it was ever shown.
const AHEAD: fn() -> [Row; 2] = || [row(7, 5_000, 8, 9), row(8, 5_001, 9, 10)];

/// One listener showed position 5 and is live; the other one connects.
fn beside_a_live_one() -> Rig {
    let mut rig = Rig::new();
    rig.machine.handle_listener_up(1, rig.now);
    rig
}

fn second(rig: &mut Rig, snapshot: bool, rows: &[Row]) -> Vec<Record<u32>> {
    let machine: &mut Machine<u32> = &mut rig.machine;
    let taken = machine.handle_frame(1, Stream::Fills, snapshot, rows, |at| at as u32, rig.now);
    assert_eq!(taken, Intake::Taken);
    rig.records()
}

fn times(records: &[Record<u32>]) -> Vec<i64> {
    events(records).iter().map(|event| event.time).collect()
}

fn has_outage(records: &[Record<u32>]) -> bool {
    records.iter().any(|record| matches!(record, Record::Gap(gap) if gap.id.kind == GapKind::Outage))
}

#[test]
fn a_live_listener_that_is_a_moment_behind_bears_it_out() {
    let mut rig = beside_a_live_one();
    assert!(second(&mut rig, true, &AHEAD()).is_empty(), "it waits");
    assert!(second(&mut rig, false, &[row(9, 5_002, 10, 11)]).is_empty(), "and what follows it");
    // What the live one shows goes out meanwhile.
    assert_eq!(times(&rig.frame(false, &[row(2, 4_000, 5, 8)])), [4_000]);
    let out = rig.frame(false, &AHEAD());
    assert_eq!(times(&out), [5_000, 5_001, 5_002]);
    assert!(!has_outage(&out) && rig.machine.ledger().gaps().is_empty());
    assert!(rig.machine.is_live_on(1));
}

#[test]
fn one_that_is_deaf_does_not() {
    let mut rig = beside_a_live_one();
    second(&mut rig, true, &AHEAD());
    assert!(!has_outage(&rig.wait(499)));
    assert!(has_outage(&rig.wait(1)));
    assert!(rig.machine.is_live_on(1));
}

#[test]
fn nothing_is_waited_for_from_one_that_goes() {
    let mut rig = beside_a_live_one();
    second(&mut rig, true, &AHEAD());
    rig.machine.handle_listener_down(0, rig.now);
    assert!(has_outage(&rig.records()));

    let mut rig = beside_a_live_one();
    second(&mut rig, true, &AHEAD());
    rig.machine.handle_listener_down(1, rig.now);
    assert!(has_outage(&rig.records()), "what it showed is not lost with it");
}
