//! The account machine under a bad venue: seeded schedules, judged by what was promised (`docs/account-machine.md`).
//!
//! Every seed is one account for some minutes of venue time: its trading, listeners, history, faults, restarts, drawn
//! from the seed alone. `INGESTION_SEEDS=from..to cargo test -p ingestion-bin --lib account::tests::seeds -- --nocapture`
//! runs others, `INGESTION_SEED=n` prints one step by step. Seeds that once failed are in `tests/regression.txt` and
//! run first, for ever.

#![expect(
    clippy::disallowed_methods,
    reason = "an `Instant` can only be had from the clock; one is taken as the origin and never compared with it again"
)]
#![expect(clippy::wildcard_enum_match_arm, reason = "a judge names what it judges")]

mod alone;
mod beginning;
mod clock;
mod doubted;
mod judge;
mod missing;
mod plan;
mod planted;
mod random;
mod rehearsed;
mod repaired;
mod rules;
mod seeds;
mod shedding;
mod showing;
mod venue;
mod world;

pub(super) use planted::Bug;
