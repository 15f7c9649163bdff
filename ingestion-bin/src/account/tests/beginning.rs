//! Where following begins, shown by hand: what a listener brought before a baseline was made is never taken for one.

use std::time::Instant;

use super::super::{Cause, Event, Fate, GapKind, Ledger, Machine, Output, Record, Settings, Stream};
use super::rules::{Rig, row};

fn events(records: &[Record<u32>]) -> Vec<(i64, Fate)> {
    let event = |record: &Record<u32>| match record {
        Record::Event(Event { time, fate, .. }) => Some((*time, *fate)),
        _ => None,
    };
    records.iter().filter_map(event).collect()
}

const SIGNAL: Fate = Fate::Signal;

/// A second listener and a second stream change nothing: nobody is told what the account's rows are until one of them is.
#[test]
fn a_live_row_that_waits_for_a_baseline_is_none_after_a_kill() {
    let mut rig = Rig::begin(false);
    assert_eq!(events(&rig.frame(true, &[])), []);
    assert_eq!(
        events(&rig.frame(false, &[row(2, 2_000, 0, 5)])),
        [],
        "an empty snapshot is to be confirmed first"
    );
    rig.restart(false);
    let shown = rig.frame(true, &[row(1, 1_000, 3, 0), row(2, 2_000, 0, 5), row(3, 3_000, 5, 6)]);
    assert_eq!(events(&shown), [(1_000, Fate::Baseline), (2_000, SIGNAL), (3_000, SIGNAL)]);
}

/// Where the snapshot does not reach back to it, an outage gap tells of it, and history is asked.
#[test]
fn what_a_snapshot_no_longer_shows_of_it_is_declared() {
    let mut rig = Rig::begin(false);
    rig.frame(true, &[]);
    rig.frame(false, &[row(2, 2_000, 0, 5)]);
    rig.restart(false);
    let shown = rig.frame(true, &[row(9, 9_000, 8, 9)]);
    let gap = shown.iter().find_map(|record| match record {
        Record::Gap(gap) => Some((gap.id.kind, gap.id.from, gap.to)),
        _ => None,
    });
    assert_eq!(gap, Some((GapKind::Outage, 1_999, 9_000)));
    assert!(rig.machine.summary().reading);
}

/// Nobody confirms the empty snapshot: history does not answer. Rows go out all the same, the first one first.
#[test]
fn an_empty_snapshot_that_nobody_confirms_holds_nothing_up_for_long() {
    let mut rig = Rig::begin(true);
    rig.frame(true, &[]);
    rig.frame_of(Stream::Twap, true, &[]);
    rig.frame(false, &[row(2, 2_000, 0, 5)]);
    rig.frame(false, &[row(3, 3_000, 5, 6)]);
    let hold = u64::try_from(Settings::default().repair_hold.as_millis()).unwrap();
    assert_eq!(events(&rig.wait(hold - 1)), []);
    let begun = rig.wait(1);
    assert_eq!(events(&begun), [(2_000, SIGNAL), (3_000, SIGNAL)]);
    let baselines: Vec<i64> = begun
        .iter()
        .filter_map(|record| match record {
            Record::Baseline { at, .. } => Some(*at),
            _ => None,
        })
        .collect();
    assert_eq!(baselines, [1_999, 1_999]);
    let older = rig.frame(true, &[row(1, 1_000, 3, 0), row(2, 2_000, 0, 5)]);
    assert_eq!(events(&older), [(1_000, Fate::Baseline)], "older ones are none of ours");
}

/// A time that the venue's clock does not bear out begins nothing: a wrong digit would make a whole history into signals.
#[test]
fn a_row_with_a_time_long_past_begins_nothing() {
    let mut rig = Rig::begin(false);
    let clock = 1_000_000;
    rig.machine.handle_venue_time(clock, rig.now);
    rig.frame(true, &[]);
    rig.frame(false, &[row(2, 2_000, 0, 5)]);
    assert_eq!(rig.machine.ledger().stream(Stream::Fills).first, None);
    assert_eq!(events(&rig.wait(60_000)), []);
    assert_eq!(rig.machine.summary().held, 1, "it waits, and shows");
}

/// What was heard is folded from the journal as it was.
#[test]
fn what_was_heard_is_in_the_ledger() {
    let settings = Settings { twap: true, ..Settings::default() };
    let mut ledger = Ledger::new(&settings);
    let now = Instant::now();
    let mut machine: Machine<u32> = Machine::new(settings, ledger.clone(), Cause::Start, 1, now);
    machine.handle_listener_up(0, now);
    for rows in [[row(3, 3_000, 0, 5)], [row(2, 2_000, -5, 0)], [row(4, 4_000, 5, 10)]] {
        let _ = machine.handle_frame(0, Stream::Twap, false, &rows, |at| at as u32, now);
    }
    while let Some(output) = machine.poll_output() {
        if let Output::Record(record) = output {
            ledger.apply(&record);
        }
    }
    assert_eq!(&ledger, machine.ledger());
    assert_eq!(Stream::ALL.map(|stream| ledger.stream(stream).first), [Some(2_000); 2]);
}

/// The read that confirms an empty snapshot shows what happened after it: nobody heard that, and it is followed already.
#[test]
fn what_an_empty_snapshot_was_too_early_for_is_no_baseline() {
    let mut rig = Rig::begin(false);
    rig.machine.handle_venue_time(1_000, rig.now);
    let _ = rig.machine.handle_frame(0, Stream::Fills, true, &[], |at| at as u32, rig.now);
    let rows = [row(1, 900, 3, 0), row(2, 2_000, 0, 5)];
    let id = rig.asked(0).expect("it is to be confirmed");
    rig.machine.handle_page(id, &rows, |at| at as u32, rig.now);
    let id = rig.asked(0).expect("a page that is not the last one");
    rig.machine.handle_page(id, &rows[1..], |at| at as u32, rig.now);
    assert_eq!(events(&rig.records()), [(900, Fate::Baseline), (2_000, SIGNAL)]);
    assert_eq!(rig.machine.ledger().stream(Stream::Fills).baseline, Some(900));
}

/// A stream is off for a moment only: what nobody had seen of it before that is declared up to where it begins anew.
#[test]
fn what_a_short_switch_lost_is_declared_to_the_new_baseline() {
    let mut rig = Rig::begin(true);
    rig.frame(true, &[row(1, 1_000, 0, 5)]);
    rig.frame_of(Stream::Twap, true, &[row(2, 1_500, 5, 6)]);
    rig.restart(false);
    rig.wait(40_000);
    rig.restart(true);
    rig.frame(true, &[row(1, 1_000, 0, 5)]);
    rig.frame_of(Stream::Twap, true, &[row(2, 1_500, 5, 6), row(3, 9_000, 6, 7)]);
    let history = rig.machine.ledger().gaps().iter().filter(|gap| gap.id.kind == GapKind::History);
    let spans: Vec<_> = history.map(|gap| (gap.id.from, gap.to)).collect();
    assert_eq!(spans, [(1_500, 9_000)]);
    assert_eq!(rig.machine.ledger().stream(Stream::Twap).baseline, Some(9_000));
}
