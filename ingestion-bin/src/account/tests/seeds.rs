//! Thousands of schedules, those that failed once first.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::judge::{Violation, judge};
use super::planted::Bug;
use super::world::{Fault, World};

/// Seeds run by `cargo test`; more by `INGESTION_SEEDS=from..to`.
const SEEDS: std::ops::Range<u64> = 0..10_000;

/// Every seed that ever failed and is mended, one a line: they run first.
const REGRESSION: &str = include_str!("regression.txt");

/// Seeds that are still bad, one a line with what is violated: known, not excused. The list may only get shorter.
const OPEN: &str = include_str!("open.txt");

fn run(seed: u64, bug: Option<Bug>, print: bool) -> (Vec<Violation>, BTreeMap<String, u64>) {
    let mut world = World::run(seed, bug, print);
    let (mut violations, mut counts) = judge(&mut world);
    world.collect_counts();
    for (what, count) in std::mem::take(&mut world.counts) {
        *counts.entry(what).or_default() += count;
    }
    for fault in &world.faults {
        *counts.entry(format!("seed with {fault:?}")).or_default() += 1;
    }
    violations.sort();
    (violations, counts)
}

#[derive(Default)]
struct Totals {
    counts: BTreeMap<String, u64>,
    bad: BTreeMap<u64, Vec<Violation>>,
}

fn run_all(seeds: &[u64]) -> Totals {
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Totals::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let (violations, counts) = run(seed, None, false);
                    let mut totals = totals.lock().unwrap();
                    for (what, count) in counts {
                        *totals.counts.entry(what).or_default() += count;
                    }
                    if !violations.is_empty() {
                        totals.bad.insert(seed, violations);
                    }
                }
            });
        }
    });
    totals.into_inner().unwrap()
}

fn listed(list: &str) -> impl Iterator<Item = u64> {
    list.lines().filter_map(|line| line.split('#').next()?.trim().parse().ok())
}

fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn wanted() -> std::ops::Range<u64> {
    let Some(text) = asked("INGESTION_SEEDS") else { return SEEDS };
    let (from, to) = text.split_once("..").expect("INGESTION_SEEDS is from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = asked("INGESTION_SEED") {
        let (violations, counts) = run(seed.parse().unwrap(), None, true);
        println!("{counts:?}");
        assert!(violations.is_empty(), "{violations:#?}");
        return;
    }
    let seeds: Vec<u64> = listed(REGRESSION).chain(wanted()).collect();
    let totals = run_all(&seeds);
    println!("{} seeds", seeds.len());
    for (what, count) in &totals.counts {
        println!("{count:>9} {what}");
    }
    let mut kinds: BTreeMap<&str, (usize, Vec<u64>)> = BTreeMap::new();
    for (seed, violations) in &totals.bad {
        for (what, _) in violations {
            let kind = kinds.entry(what).or_default();
            kind.0 += 1;
            if kind.1.last() != Some(seed) {
                kind.1.push(*seed);
            }
        }
    }
    for (what, (count, seeds)) in &kinds {
        let shown: Vec<_> = seeds.iter().take(12).collect();
        println!("VIOLATED {what}: {count} in {} seeds {shown:?}", seeds.len());
    }
    println!("{} bad seeds of {}", totals.bad.len(), seeds.len());
    let open: Vec<u64> = listed(OPEN).collect();
    for (seed, violations) in &totals.bad {
        let kinds: std::collections::BTreeSet<_> = violations.iter().map(|violation| violation.0).collect();
        println!("BAD {seed} # {kinds:?}");
    }
    let new: Vec<_> = totals.bad.keys().filter(|seed| !open.contains(seed)).collect();
    assert!(new.is_empty(), "{} seeds are bad and not known to be: {new:?}", new.len());
    if asked("INGESTION_SEEDS").is_none() {
        for what in REHEARSED {
            assert!(totals.counts.contains_key(*what), "never rehearsed: {what}");
        }
        for fault in Fault::ALL {
            assert!(
                totals.counts.contains_key(&format!("seed with {fault:?}")),
                "never rehearsed: {fault:?}"
            );
        }
    }
}

/// What must have happened at least once in a full run.
const REHEARSED: &[&str] = &[
    "dropped frame",
    "delayed frame",
    "split frame",
    "doubled frame",
    "late snapshot",
    "phantom",
    "wrong time",
    "rows ahead",
    "flip",
    "mute",
    "outage",
    "connection lost",
    "recycled",
    "kill",
    "kill with a lost tail",
    "removed",
    "twap switched",
    "refused frame",
    "answer Busy",
    "answer LostAnswer",
    "answer Stale",
    "answer Empty",
    "answer Short",
    "answer Holey",
    "page deferred",
    "gap Chain Opened",
    "gap Chain Repaired",
    "gap Chain Unfillable",
    "gap Outage Opened",
    "gap Outage Repaired",
    "gap Conflict Opened",
    "gap Conflict Repaired",
    "gap Conflict Unfillable",
    "gap History Unfillable",
    "refused LegMismatch",
    "refused Twin",
    "event Signal Live",
    "event Signal Snapshot",
    "event Signal Backfill",
    "event Signal Live late",
    "event Signal Backfill late",
    "event Baseline Snapshot",
    "event correction",
    "event superseding",
    "anchors missed",
    "gates expired",
    "declared loss",
];

#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::ALL {
        let caught = (0..15_000).find_map(|seed| {
            let (violations, _) = run(seed, Some(bug), false);
            let violation = violations.first()?.clone();
            // Only what the bug did counts.
            run(seed, None, false).0.is_empty().then_some((seed, violation))
        });
        match caught {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}, {}", violation.0),
            None => panic!("nobody noticed {bug:?}"),
        }
    }
}
