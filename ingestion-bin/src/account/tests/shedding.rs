//! What is held back while a sink is behind, shown by hand (D): one gap tells of all of it, and the chain goes on under it.

use super::super::{
    Cause, Event, Fate, Gap, GapKind, GapState, Intake, Ledger, Machine, Record, Settings, Shedding, Stream,
};
use super::rules::{Rig, events, row};

fn shed(rig: &mut Rig, shedding: Shedding) -> Vec<Record<u32>> {
    rig.machine.handle_shedding(shedding, rig.now);
    rig.records()
}

/// What the records say of shed gaps: state, begin, end, how many events.
fn told(records: &[Record<u32>]) -> Vec<(GapState, i64, i64, u64)> {
    let told = records.iter().filter_map(|record| match record {
        Record::Gap(gap) if gap.id.kind == GapKind::Shed => Some(gap),
        _ => None,
    });
    told.map(|gap| (gap.state, gap.id.from, gap.to, count(gap))).collect()
}

fn count(gap: &Gap) -> u64 {
    gap.filled.0.try_into().unwrap()
}

fn fates(events: &[&Event<u32>]) -> Vec<(Fate, Option<u64>)> {
    events.iter().map(|event| (event.fate, event.seq)).collect()
}

#[test]
fn rows_make_no_signal_and_one_gap_tells_of_them() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    assert!(shed(&mut rig, Shedding::Signals).is_empty(), "nothing is declared before there is something");
    let out = rig.frame(false, &[row(3, 1_020, 7, 9), row(4, 1_030, 9, 4)]);
    assert!(matches!(out.first(), Some(Record::Gap(_))), "the gap comes first: {out:?}");
    assert_eq!(told(&out), [(GapState::Opened, 1_010, 1_020, 0)]);
    assert_eq!(fates(&events(&out)), [(Fate::Shed, None), (Fate::Shed, None)]);
    assert_eq!(rig.machine.ledger().missing(i64::MIN), 2);
    assert_eq!(told(&shed(&mut rig, Shedding::Off)), [(GapState::Unfillable, 1_010, 1_030, 2)]);
    // The chain went on, the numbers too; the first signal names the gap, and there is no other.
    let out = rig.frame(false, &[row(5, 1_040, 4, 3), row(6, 1_050, 3, 2)]);
    assert_eq!(fates(&events(&out)), [(Fate::Signal, Some(2)), (Fate::Signal, Some(3))]);
    let named: Vec<_> = events(&out).iter().map(|event| event.gap.as_ref().map(|gap| gap.kind)).collect();
    assert_eq!(named, [Some(GapKind::Shed), None]);
    assert_eq!(rig.machine.ledger().gaps().len(), 1);
    assert!(events(&rig.frame(false, &[row(3, 1_020, 7, 9)])).is_empty(), "what was shed is known");
}

#[test]
fn the_signal_behind_what_came_to_nothing_names_the_gap_as_well() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    shed(&mut rig, Shedding::Signals);
    rig.frame(false, &[row(3, 1_020, 7, 9), row(4, 1_030, 9, 7)]);
    shed(&mut rig, Shedding::Off);
    let out = rig.frame(false, &[row(5, 1_040, 7, 8)]);
    assert!(events(&out)[0].gap.as_ref().is_some_and(|gap| gap.kind == GapKind::Shed), "{out:?}");
}

#[test]
fn what_happened_before_it_began_goes_out() {
    let mut rig = Rig::new();
    let other = |key, time, before, after| {
        let market = super::super::Market::new("BTC-PERP");
        super::super::Row { market, ..row(key, time, before, after) }
    };
    rig.frame(false, &[other(10, 1_005, 0, 1)]);
    rig.frame(false, &[row(2, 1_020, 5, 7)]);
    shed(&mut rig, Shedding::Signals);
    let out = rig.frame(false, &[other(11, 1_010, 1, 2)]);
    assert_eq!(fates(&events(&out)), [(Fate::Signal, Some(2))]);
    assert!(told(&out).is_empty());
    let out = rig.frame(false, &[other(12, 1_030, 2, 3)]);
    assert_eq!(fates(&events(&out)), [(Fate::Shed, None)]);
    let out = rig.frame(false, &[row(3, 1_020, 7, 8)]);
    assert_eq!(fates(&events(&out)), [(Fate::Signal, Some(2))], "also once the gap is open");
}

#[test]
fn rows_are_refused_and_nothing_is_asked_until_there_is_room() {
    let mut rig = Rig::new();
    shed(&mut rig, Shedding::Rows);
    let rows = [row(2, 1_010, 5, 7)];
    let taken = rig.machine.handle_frame(0, Stream::Fills, false, &rows, |_| panic!("not kept"), rig.now);
    assert_eq!(taken, Intake::Refused);
    let out = rig.records();
    assert!(out.iter().any(|record| matches!(record, Record::Gap(gap) if gap.id.kind == GapKind::Outage)));
    assert_eq!(rig.asked(600_000), None);
    rig.machine.handle_shedding(Shedding::Off, rig.now);
    let id = rig.asked(60_000).expect("history is asked again");
    rig.page(id, &[row(1, 1_000, 0, 5), row(2, 1_010, 5, 7)]);
    let out = rig.records();
    assert_eq!(fates(&events(&out)), [(Fate::Signal, Some(1))], "what was refused comes by history");
}

#[test]
fn it_goes_on_after_a_restart_and_ends_where_there_is_room() {
    let mut rig = Rig::new();
    shed(&mut rig, Shedding::Signals);
    rig.frame(false, &[row(2, 1_010, 5, 7), row(3, 1_020, 7, 9)]);
    rig.restart(false);
    assert!(shed(&mut rig, Shedding::Signals).is_empty());
    let first = [row(1, 1_000, 0, 5), row(2, 1_010, 5, 7), row(3, 1_020, 7, 9)];
    rig.frame(true, &[&first[..], &[row(4, 1_030, 9, 8)]].concat());
    assert_eq!(told(&shed(&mut rig, Shedding::Off)), [(GapState::Unfillable, 1_000, 1_030, 3)]);
    // Another process finds room at once.
    shed(&mut rig, Shedding::Signals);
    rig.frame(false, &[row(5, 1_040, 8, 7)]);
    rig.restart(false);
    assert_eq!(told(&shed(&mut rig, Shedding::Off)), [(GapState::Unfillable, 1_030, 1_040, 1)]);
    assert_eq!(rig.machine.ledger().missing(i64::MIN), 4);
}

#[test]
fn a_gap_that_a_kill_left_without_its_row_tells_of_nothing() {
    let mut rig = Rig::new();
    shed(&mut rig, Shedding::Signals);
    let mut out = rig.frame(false, &[row(2, 1_010, 5, 7)]);
    assert!(matches!(out.pop(), Some(Record::Event(_))));
    let mut journal = Ledger::new(&Settings { twap: false, ..Settings::default() });
    let begins: [Record<u32>; 2] = [
        Record::Epoch { epoch: 1, fresh: false, margin_ms: 120_000, twap: false },
        Record::Baseline { stream: Stream::Fills, at: 1_000, anchor: None },
    ];
    begins.iter().chain(&out).for_each(|record| journal.apply(record));
    assert_eq!(journal.gaps().len(), 1);
    let settings = Settings { twap: false, ..Settings::default() };
    rig.machine = Machine::new(settings, journal, Cause::Start, 2, rig.now);
    rig.records();
    assert_eq!(told(&shed(&mut rig, Shedding::Off)), [(GapState::Repaired, 1_000, 1_010, 0)]);
    assert!(rig.machine.ledger().gaps().is_empty());
}

#[test]
fn a_certificate_says_first_how_far_it_reaches() {
    let mut rig = Rig::new();
    shed(&mut rig, Shedding::Signals);
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    rig.frame(false, &[row(3, 1_900, 7, 9)]);
    rig.machine.handle_venue_time(1_000_000, rig.now);
    let history = [row(1, 1_000, 0, 5), row(2, 1_010, 5, 7), row(3, 1_900, 7, 9)];
    let mut out = Vec::new();
    while !out.iter().any(|record| matches!(record, Record::Certified { to, .. } if *to >= 1_900)) {
        let id = rig.asked(600_000).expect("it is read again and again");
        rig.page(id, &history);
        out.extend(rig.records());
    }
    let certified = out.iter().position(|record| matches!(record, Record::Certified { .. })).unwrap();
    assert_eq!(told(&out[..certified]).last(), Some(&(GapState::Opened, 1_000, 1_900, 2)));
}

#[test]
fn a_shed_row_is_corrected_without_a_signal_and_a_signal_with_one() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    shed(&mut rig, Shedding::Signals);
    rig.frame(false, &[row(3, 1_020, 7, 9)]);
    let id = rig.asked(600_000).expect("history is read");
    rig.page(id, &[row(1, 1_000, 0, 5), row(2, 1_010, 5, 8), row(3, 1_020, 8, 9)]);
    let out = rig.records();
    let fates: Vec<_> = events(&out).iter().map(|event| (event.time, event.revision, event.fate)).collect();
    assert_eq!(fates, [(1_010, 1, Fate::Signal), (1_020, 1, Fate::Shed)]);
    assert_eq!(rig.machine.ledger().missing(i64::MIN), 1, "a correction is none of its own");
}
