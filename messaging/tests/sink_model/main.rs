//! Seeded bad days of a file sink over a real journal: kills at any storage operation, power loss of both disks, full
//! and failing disks, rotation, retention. The judge knows only the journal and the files.
//!
//! `SINK_SEEDS=from..to cargo test -p messaging --test sink_model` runs other seeds; a failing one prints its number.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test that panics is a test that fails"
)]

mod bug;
mod day;
mod judge;
mod rig;
#[path = "../sink_support/mod.rs"]
mod sink_support;

use std::collections::BTreeMap;
use std::ops::Range;

use bug::Bug;
use day::Day;
use rig::Lie;

/// `Err` says what is wrong, for whoever reads the failing seed.
type Judged = Result<(), String>;

#[expect(clippy::disallowed_methods, reason = "which seeds to run is asked from outside")]
fn seeds(default: Range<u64>) -> Range<u64> {
    let asked = std::env::var("SINK_SEEDS").ok();
    let asked = asked.as_deref().and_then(|range| range.split_once(".."));
    asked.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?)).unwrap_or(default)
}

#[test]
fn on_any_bad_day_the_files_hold_exactly_the_lines_of_the_journal() {
    let mut coverage: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds(0..400) {
        let mut day = Day::new(seed, Bug::None);
        if let Err(why) = day.run() {
            panic!("seed {seed}: {why}");
        }
        for (what, times) in day.coverage {
            *coverage.entry(what).or_default() += times;
        }
        *coverage.entry(if day.deleted { "retention" } else { "nothing deleted" }).or_default() += 1;
    }
    println!("{coverage:?}");
    for what in [
        "cut",
        "newest file damaged",
        "failing",
        "kill",
        "open failed",
        "power loss",
        "repeat recognised",
        "resumed",
        "retention",
    ] {
        assert!(coverage.contains_key(what), "no day met: {what}");
    }
}

#[test]
fn the_judge_finds_planted_bugs() {
    let bugs =
        [Bug::Lying(Lie::Sync), Bug::Lying(Lie::Names), Bug::Lying(Lie::Cut), Bug::EarlyAck, Bug::NoMemory];
    for bug in bugs {
        let caught = (0..200).find_map(|seed| Day::new(seed, bug).run().err().map(|why| (seed, why)));
        let Some((seed, why)) = caught else { panic!("{bug:?} was not found in 200 days") };
        println!("{bug:?}: seed {seed}: {}", why.chars().take(120).collect::<String>());
    }
}
