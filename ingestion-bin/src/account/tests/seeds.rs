//! Thousands of schedules, those that failed once first.
//!
//! `INGESTION_SEEDS=from..to` plays others, `INGESTION_SEEDS_PLAN=name` of another plan, `INGESTION_SEEDS_KEEP=1` writes those
//! that are bad and not known to be into `open.txt`: this is what `cargo xtask seeds` asks for. `INGESTION_SEED=n` prints one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::judge::{Violation, judge};
use super::plan::{self, Plan};
use super::planted::{self, Bug};
use super::rehearsed::{Counted, missing, table};
use super::world::World;

/// Seeds run by `cargo test`; more by `INGESTION_SEEDS=from..to`.
const SEEDS: std::ops::Range<u64> = 0..10_000;

/// Every seed that ever failed and is mended, one a line: they run first.
const REGRESSION: &str = include_str!("regression.txt");

/// Seeds that are still bad, one a line with what is violated: known, not excused. The list may only get shorter.
/// Of another plan than `all` a line begins with its name and a colon.
const OPEN: &str = include_str!("open.txt");

pub(super) fn run(seed: u64, plan: &Plan, bug: Option<Bug>, print: bool) -> (Vec<Violation>, Counted) {
    let mut world = World::run(seed, plan, bug, print);
    if print {
        println!("{:?} {:?}", world.faults, world.settings);
    }
    let (mut violations, mut counts) = judge(&mut world);
    world.collect_counts();
    for (what, count) in std::mem::take(&mut world.counts) {
        *counts.entry(what).or_default() += count;
    }
    violations.sort();
    (violations, counts)
}

/// What many seeds came to.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) counts: Counted,
    pub(super) bad: BTreeMap<u64, Vec<Violation>>,
}

pub(super) fn run_all(seeds: &[u64], plan: &Plan) -> Totals {
    let next = AtomicU64::new(0);
    let totals = Mutex::new(Totals::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let (violations, counts) = run(seed, plan, None, false);
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

impl Totals {
    /// Kind of violation -> how many, in which seeds.
    fn print_violations(&self) {
        let mut kinds: BTreeMap<&str, (usize, BTreeSet<u64>)> = BTreeMap::new();
        for (seed, violations) in &self.bad {
            for (what, _) in violations {
                let kind = kinds.entry(what).or_default();
                kind.0 += 1;
                kind.1.insert(*seed);
            }
        }
        for (what, (count, seeds)) in &kinds {
            let shown: Vec<_> = seeds.iter().take(12).collect();
            println!("VIOLATED {what}: {count} in {} seeds {shown:?}", seeds.len());
        }
    }

    /// As they stand in `open.txt`.
    fn lines(&self, plan: &Plan) -> BTreeMap<u64, String> {
        let prefix = if plan.name == plan::ALL.name { String::new() } else { format!("{}:", plan.name) };
        let line = |(seed, violations): (&u64, &Vec<Violation>)| {
            let kinds: BTreeSet<_> = violations.iter().map(|violation| violation.0).collect();
            (*seed, format!("{prefix}{seed} # {kinds:?}"))
        };
        self.bad.iter().map(line).collect()
    }
}

/// The seeds of a list that belong to a plan.
fn listed(list: &'static str, plan: &Plan) -> impl Iterator<Item = u64> + use<> {
    let name = plan.name;
    list.lines().filter_map(move |line| {
        let entry = line.split('#').next()?.trim();
        let (of, seed) = entry.split_once(':').unwrap_or((plan::ALL.name, entry));
        seed.parse().ok().filter(|_| of == name)
    })
}

fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn wanted() -> std::ops::Range<u64> {
    let Some(text) = asked("INGESTION_SEEDS") else { return SEEDS };
    let (from, to) = text.split_once("..").expect("INGESTION_SEEDS is from..to");
    from.parse().unwrap()..to.parse().unwrap()
}

fn wanted_plan() -> Plan {
    let Some(name) = asked("INGESTION_SEEDS_PLAN") else { return plan::ALL };
    let names = || plan::NAMED.iter().map(|plan| plan.name).collect::<Vec<_>>();
    *plan::NAMED.iter().find(|plan| plan.name == name).unwrap_or_else(|| panic!("one of {:?}", names()))
}

/// What failed is kept, in the list beside this file.
fn keep(lines: &[&String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/account/tests/open.txt");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("open.txt is there");
    lines.iter().for_each(|line| writeln!(file, "{line}").expect("open.txt can be written"));
    println!("{} seeds appended to {}", lines.len(), path.display());
}

#[test]
fn every_seed_keeps_every_promise() {
    let plan = wanted_plan();
    if let Some(seed) = asked("INGESTION_SEED") {
        let (violations, counts) = run(seed.parse().unwrap(), &plan, None, true);
        println!("{}", table(&counts));
        assert!(violations.is_empty(), "{violations:#?}");
        return;
    }
    let seeds: Vec<u64> = listed(REGRESSION, &plan).chain(wanted()).collect();
    let totals = run_all(&seeds, &plan);
    print!("{}", table(&totals.counts));
    totals.print_violations();
    let lines = totals.lines(&plan);
    lines.values().for_each(|line| println!("BAD {line}"));
    println!("{} seeds of plan {}, {} bad", seeds.len(), plan.name, totals.bad.len());
    let open: BTreeSet<u64> = listed(OPEN, &plan).collect();
    let new: Vec<&String> =
        lines.iter().filter(|(seed, _)| !open.contains(seed)).map(|(_, line)| line).collect();
    if asked("INGESTION_SEEDS_KEEP").is_some() && !new.is_empty() {
        keep(&new);
    }
    assert!(new.is_empty(), "{} seeds are bad and not known to be: {new:#?}", new.len());
    if asked("INGESTION_SEEDS").is_none() && plan.faults.is_none() {
        let missing = missing(&totals.counts);
        assert!(missing.is_empty(), "never rehearsed: {missing:?}");
    }
}

/// A sink is far behind at times: what is shed is declared, whatever else goes wrong.
#[test]
fn what_is_shed_is_declared_in_every_schedule() {
    let totals = run_all(&(0..2_000).collect::<Vec<_>>(), &plan::SHEDDING);
    totals.print_violations();
    let lines = totals.lines(&plan::SHEDDING);
    lines.values().for_each(|line| println!("BAD {line}"));
    let open: BTreeSet<u64> = listed(OPEN, &plan::SHEDDING).collect();
    let new: Vec<&String> =
        lines.iter().filter(|(seed, _)| !open.contains(seed)).map(|(_, line)| line).collect();
    assert!(new.is_empty(), "{} seeds are bad and not known to be: {new:#?}", new.len());
    let rehearsed = [
        "event Shed Live",
        "event Shed Live late",
        "event Shed Snapshot",
        "event Shed Backfill",
        "gap Shed Opened",
        "gap Shed Unfillable",
        "gap Shed Repaired",
        "declared as shed",
        "frame shed",
    ];
    for what in rehearsed {
        let count = totals.counts.get(what).copied().unwrap_or(0);
        println!("{count:>10}  {what}");
        assert!(count > 0, "never rehearsed: {what}");
    }
}

#[test]
fn every_planted_bug_is_caught() {
    let mut unseen = Vec::new();
    for &(bug, invariant, known) in Bug::ALL {
        // The seed that caught it last, or any; by what breaks its invariant, whatever else goes wrong with it.
        let caught = std::iter::once(known).chain(0..15_000).find_map(|seed| {
            let (violations, _) = run(seed, bug.plan(), Some(bug), false);
            let violation = violations.into_iter().find(|(what, _)| planted::invariant(what) == invariant)?;
            // Only what the bug did counts.
            run(seed, bug.plan(), None, false).0.is_empty().then_some((seed, violation))
        });
        match caught {
            Some((seed, (what, _))) => println!("{invariant:<4} {bug:<24?} seed {seed:>5}: {what}"),
            None => unseen.push(bug),
        }
    }
    assert!(unseen.is_empty(), "nobody noticed {unseen:?}");
}
