//! Bad days of the network, on the real binary: a proxy of our own stands between it and the venues, one for each listener and one for
//! history. Judged is what lies on disk afterwards: every fill once, in chain order, and no gap where one listener was well.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by a panic and says what it saw; the drill's pace is real time"
)]

mod connections;
mod drill;
mod flips;
mod forgotten;
mod host;
mod latency;
mod memory;
mod outage;
mod panics;
mod secured;
#[path = "../support/mod.rs"]
mod support;
