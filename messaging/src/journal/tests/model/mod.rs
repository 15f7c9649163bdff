//! Thousands of seeded bad days, judged against a list. The writer runs without its thread, so a schedule is its seed.
//!
//! Judged after every step and every start: what was synced is there, in order, once; nothing was invented; positions
//! are never used twice; what was not synced is there up to some batch and no further; the fold is the fold of what can
//! be read; a sink's reader sees the same as a start does; what a flipped bit took is named, and nothing else is.

macro_rules! judge {
    ($holds:expr, $($text:tt)*) => { if !$holds { return Err(format!($($text)*)); } };
}

mod chain;
mod judge;
mod restart;
mod world;

use std::collections::BTreeMap;

use self::world::{Faults, World};
use crate::journal::config::Sabotage;

type Verdict = Result<(), String>;

const ALL: Faults = Faults { disk: true, power: true, flips: false };

fn schedules(
    seeds: std::ops::Range<u64>,
    steps: u64,
    faults: Faults,
    sabotage: Option<Sabotage>,
) -> (Vec<String>, BTreeMap<&'static str, u64>) {
    let (mut failed, mut coverage) = (Vec::new(), BTreeMap::new());
    for seed in seeds {
        let mut world = World::new(seed, faults, sabotage);
        if let Err(why) = world.run(steps) {
            failed.push(format!("seed {seed}: {why}"));
        }
        for (what, times) in world.coverage {
            *coverage.entry(what).or_default() += times;
        }
    }
    (failed, coverage)
}

fn assert_all_hold(seeds: u64, faults: Faults, must_cover: &[&str]) {
    let (failed, coverage) = schedules(0..seeds, 150, faults, None);
    assert!(
        failed.is_empty(),
        "{} of {seeds} schedules failed, the first:\n{}",
        failed.len(),
        failed[..failed.len().min(3)].join("\n")
    );
    for what in must_cover {
        assert!(coverage.get(what).is_some_and(|times| *times >= 20), "{what} hardly happened: {coverage:?}");
    }
}

#[test]
fn a_process_that_is_killed_loses_nothing_it_appended() {
    assert_all_hold(2_000, Faults::default(), &["kill", "delete", "clock set back", "clock set forward"]);
}

#[test]
fn nothing_synced_is_lost_to_power_and_failing_disks() {
    assert_all_hold(6_000, ALL, &["kill", "power loss", "fault", "recover", "delete", "torn tail"]);
}

#[test]
fn a_flipped_bit_is_named_and_the_rest_is_readable() {
    assert_all_hold(
        2_000,
        Faults { flips: true, ..Faults::default() },
        &["flip", "damaged record", "passed over", "torn tail"],
    );
}

#[test]
fn the_judge_sees_every_planted_bug() {
    for sabotage in [
        Sabotage::TrustRetriedFsync,
        Sabotage::CheckpointAhead,
        Sabotage::NameFirst,
        Sabotage::TailNotRewritten,
        Sabotage::NoLeap,
    ] {
        let (failed, _) = schedules(0..1_500, 150, ALL, Some(sabotage));
        assert!(!failed.is_empty(), "{sabotage:?} went unnoticed");
    }
}
