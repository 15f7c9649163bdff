//! The real binary killed with SIGKILL at random moments while fills flow, then judged against the venue's own history.
//!
//! The short form runs with the other tests. The long one is `cargo xtask kills [--count N] [--seed S]`, which runs this
//! file in release with `INGESTION_KILLS` and `INGESTION_KILL_SEED` set; `cargo xtask restart [--events N]` does the same
//! for the restart on a large journal with `INGESTION_RESTART_EVENTS`.
#![expect(
    clippy::disallowed_methods,
    reason = "the clock and the environment are part of what is tried here"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic and says what it saw"
)]

mod disk;
mod drill;
mod history;
mod http;
mod judge;
mod market;
mod paused;
mod restart;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod trouble;

use drill::{Drill, Limits, Wait};
use support::number;

fn seed() -> u64 {
    number("INGESTION_KILL_SEED").unwrap_or(21)
}

/// Nothing is lost, nothing is twice, whenever the process dies, though both listeners are in trouble all the time; the venue's limits are
/// out of the way.
#[test]
fn killed_at_any_moment() {
    let kills = number("INGESTION_KILLS");
    Drill {
        kills: kills.unwrap_or(12),
        seed: seed(),
        limits: Limits::Lifted,
        accounts: 6,
        slices: 150,
        wait: if kills.is_some() { Wait::Healed } else { Wait::Published },
        ill: true,
    }
    .run();
}

/// The same inside the venue's limits. The long form has the real budget of 1200 a minute for ten accounts; the short one
/// has one that a few reads exhaust, and does not wait for the minutes that healing takes with it.
#[test]
fn killed_inside_the_info_budget() {
    let kills = number("INGESTION_KILLS");
    let (limits, accounts) = match kills {
        Some(_) => (Limits::Enforced { info_weight_per_minute: 1_200 }, 8),
        None => (Limits::Enforced { info_weight_per_minute: 300 }, 4),
    };
    Drill {
        kills: kills.map_or(5, |kills: u64| (kills / 5).max(1)),
        seed: seed().wrapping_add(1),
        limits,
        accounts,
        slices: 150,
        wait: if kills.is_some() { Wait::Healed } else { Wait::No },
        ill: false,
    }
    .run();
}

/// A restart reads the end of the journal, however long it is.
#[test]
fn a_restart_reads_only_the_end_of_the_journal() {
    match number("INGESTION_RESTART_EVENTS") {
        Some(events) => restart::measure(events, None),
        None => restart::measure(50_000, Some(1 << 20)),
    }
}
