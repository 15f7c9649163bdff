//! A few faults alone, in a world that is otherwise well: what they may cost, and what they may not. Judged like every seed.

use super::plan::{self, Plan};
use super::seeds::run_all;
use super::world::Fault;

/// What many seeds of one plan came to.
struct Played(super::rehearsed::Counted);

impl Played {
    /// No seed breaks a promise.
    fn new(plan: &Plan, seeds: u64) -> Self {
        let totals = run_all(&(0..seeds).collect::<Vec<_>>(), plan);
        assert!(totals.bad.is_empty(), "plan {}: {:#?}", plan.name, totals.bad);
        for fault in plan.faults.unwrap_or_default() {
            assert!(totals.counts.contains_key(fault.counted_as()), "never happened: {fault:?}");
        }
        Self(totals.counts)
    }

    fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    fn happened(&self, what: &[&str]) {
        for what in what {
            assert!(self.of(what) > 0, "never happened: {what}; {:#?}", self.0);
        }
    }

    fn never(&self, what: &[&str]) {
        for what in what {
            assert_eq!(self.of(what), 0, "{what}; {:#?}", self.0);
        }
    }
}

/// Every kind of gap, and what they may end as.
const ANY_GAP: &[&str] = &[
    "gap Chain Opened",
    "gap Outage Opened",
    "gap Conflict Opened",
    "gap Conflict Unfillable",
    "gap History Unfillable",
    "declared loss",
];

#[test]
fn with_one_listener_dropping_frames_no_gap_is_even_opened() {
    let played = Played::new(&plan::ONE_DROPS, 300);
    // A dropped frame that nets to zero breaks no chain: the other listener's copy is late then, and lacks nothing.
    played.happened(&["brought by the other listener", "listener recycled", "published late"]);
    played.never(ANY_GAP);
}

#[test]
fn a_listener_that_is_a_minute_behind_opens_no_gap() {
    let played = Played::new(&plan::LAGGING, 200);
    played.happened(&["listener recycled", "duplicate dropped"]);
    played.never(ANY_GAP);
    played.never(&["published late"]);
}

#[test]
fn a_mute_subscription_is_found_and_loses_nothing() {
    let played = Played::new(&plan::MUTE, 200);
    played.happened(&["listener recycled", "brought by the other listener", "brought by userFillsByTime"]);
    played.never(&["gap Outage Unfillable", "gap Chain Unfillable", "declared loss"]);
}

#[test]
fn a_fresh_snapshot_that_overlaps_makes_no_second_signal_and_brings_what_is_missing() {
    let played = Played::new(&plan::OVERLAP, 200);
    played.happened(&["duplicate dropped", "brought by a snapshot"]);
    played.never(&["declared loss"]);
}

#[test]
fn two_thousand_rows_of_a_first_snapshot_are_no_signals() {
    for seed in 0..20 {
        let world = super::world::World::run(seed, &plan::LONG_SNAPSHOT, None, false);
        let before = |payload: u32| world.venue.all[payload as usize].time() < world.began;
        let fates = world.journal.iter().filter_map(|record| match record {
            super::super::Record::Event(event) if before(event.payload) => Some(event.fate),
            _ => None,
        });
        let fates: Vec<_> = fates.collect();
        assert!(fates.len() >= 1_900, "{} rows from before", fates.len());
        assert!(fates.iter().all(|fate| *fate == super::super::Fate::Baseline), "seed {seed}");
    }
    Played::new(&plan::LONG_SNAPSHOT, 20).happened(&["event Signal Live", "duplicate dropped"]);
}

#[test]
fn what_a_snapshot_is_too_short_for_comes_from_history() {
    let played = Played::new(&plan::SHORT_SNAPSHOT, 200);
    played.happened(&[
        "gap Outage Opened",
        "gap Outage Repaired",
        "brought by userFillsByTime",
        "caught up before newer live rows",
    ]);
    played.never(&["declared loss", "gap Outage Unfillable"]);
}

#[test]
fn where_the_listeners_disagree_history_decides() {
    let played = Played::new(&plan::DISAGREE, 200);
    played.happened(&[
        "refused LegMismatch",
        "gap Conflict Opened",
        "conflict closed by history",
        "corrected",
    ]);
    played.never(&["gap Conflict Unfillable", "declared loss"]);
}

#[test]
fn frames_in_any_order_come_out_in_the_order_of_the_chain() {
    let played = Played::new(&plan::REORDERED, 300);
    played.happened(&["gap Chain Opened", "gap Chain Repaired", "brought by the other listener"]);
    played.never(&["declared loss", "gap Chain Unfillable"]);
}

#[test]
fn an_hour_of_fifteen_thousand_fills_has_no_id_twice_and_a_bounded_window() {
    let played = Played::new(&plan::BUSY, 2);
    let (signals, keys) = (played.of("event Signal Live"), played.of("most keys held"));
    assert!(signals > 2 * 15_000, "{signals} in two hours");
    played.happened(&["duplicate dropped", "reads", Fault::Close.counted_as()]);
    assert!(keys < 5_000, "{keys} keys at a time");
}
