//! What must have happened at least once in a full run, and the table that says how often it did.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::world::Fault;

/// The paths by which things are put right, and what is declared where they cannot be.
const REPAIRS: &[&str] = &[
    "brought by the other listener",
    "brought by a snapshot",
    "brought by userFillsByTime",
    "brought by userTwapSliceFillsByTime",
    "caught up before newer live rows",
    "published late",
    "corrected",
    "taken for its twin, replaced",
    "twin refused",
    "listener recycled",
    "read because a row waited",
    "page deferred",
    "wait for history that ended without it",
    "answer without its anchor",
    "certificate taken back (C5)",
    "row ahead of the clock held (H4)",
    "conflict closed by history",
    "snapshot ahead of another listener",
    "outage declared",
    "history declared",
    "gap Chain Opened",
    "gap Chain Repaired",
    "gap Chain Unfillable",
    "gap Outage Opened",
    "gap Outage Repaired",
    "gap Outage Unfillable",
    "gap Conflict Opened",
    "gap Conflict Unfillable",
    "gap History Unfillable",
    "followed anew after a removal",
    "kill with a lost tail",
    "declared loss",
];

/// What came out.
const EVENTS: &[&str] = &[
    "event Signal Live",
    "event Signal Snapshot",
    "event Signal Backfill",
    "event Signal Live late",
    "event Signal Backfill late",
    "event Baseline Snapshot",
    "event with more to follow",
    "refused LegMismatch",
    "refused Twin",
    "duplicate dropped",
];

pub(super) type Counted = BTreeMap<String, u64>;

fn faults() -> impl Iterator<Item = &'static str> {
    Fault::ALL.iter().map(|fault| fault.counted_as())
}

/// What never happened.
pub(super) fn missing(counts: &Counted) -> Vec<&'static str> {
    let must = faults().chain(REPAIRS.iter().copied()).chain(EVENTS.iter().copied());
    must.filter(|what| counts.get(*what).is_none_or(|&count| count == 0)).collect()
}

/// Everything counted: the faults, how they were put right, what came out, and the rest.
pub(super) fn table(counts: &Counted) -> String {
    let mut text = String::new();
    let listed: Vec<&str> = faults().chain(REPAIRS.iter().copied()).chain(EVENTS.iter().copied()).collect();
    let rest: Vec<&str> = counts.keys().map(String::as_str).filter(|what| !listed.contains(what)).collect();
    for (title, rows) in [
        ("what went wrong", faults().collect()),
        ("how it was put right, or declared", REPAIRS.to_vec()),
        ("what came out", EVENTS.to_vec()),
        ("besides", rest),
    ] {
        let _ = writeln!(text, "{title}");
        for what in rows {
            let _ = writeln!(text, "{:>10}  {what}", counts.get(what).copied().unwrap_or(0));
        }
    }
    text
}
