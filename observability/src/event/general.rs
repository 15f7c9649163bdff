//! Events that any service has.

use super::{Counted, Event};
use crate::metrics::{Counter, Definition, Family};
use crate::telemetry::Telemetry;

static DROPPED: Definition<Counter, 2> = Definition::counter(
    "ingestion_dropped_total",
    "Things not passed on, by what they were and why.",
    ["what", "reason"],
);

static FAILED: Definition<Counter, 1> = Definition::counter(
    "ingestion_failures_total",
    "Operations that failed and are retried or given up, by operation.",
    ["operation"],
)
.known(&[
    ["admin_accept"],
    ["journal_write"],
    ["sink_signals"],
    ["sink_gaps"],
    ["sink_dead_letters"],
    ["sink_raw"],
]);

/// The counters of the events in this module; part of every [`crate::Telemetry`].
pub static GENERAL: &[Family] = &[DROPPED.family(), FAILED.family()];

/// How often `operation` failed, for failures that are counted elsewhere and only shown here: set it up to date with
/// [`Counter::raise_to`].
#[must_use]
pub fn failures(telemetry: &Telemetry, operation: &str) -> Counter {
    telemetry.metrics().get(&FAILED, [operation])
}

/// Something was not passed on, and that is no error of ours.
#[derive(Clone, Copy, Debug)]
pub struct Dropped<'a> {
    /// What it was, of a closed set: `frame`, `fill`.
    pub what: &'static str,
    /// Why, of a closed set.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
    /// What the log should say about it besides; may hold text from outside.
    pub detail: &'a str,
}

impl Event<2> for Dropped<'_> {
    const COUNTER: &'static Definition<Counter, 2> = &DROPPED;

    fn labels(&self) -> [&str; 2] {
        [self.what, self.reason]
    }

    fn amount(&self) -> u64 {
        self.count
    }

    fn log(&self, _: Counted) {
        let Self { what, reason, count, detail } = self;
        tracing::debug!(what, reason, count, detail, "dropped");
    }
}

/// An operation failed; whoever emits it retries or gives up.
#[derive(Clone, Copy)]
pub struct Failed<'a> {
    /// Which, of a closed set: `write_cursor`.
    pub operation: &'static str,
    /// Why.
    pub error: &'a dyn std::error::Error,
}

impl Event<1> for Failed<'_> {
    const COUNTER: &'static Definition<Counter, 1> = &FAILED;

    fn labels(&self) -> [&str; 1] {
        [self.operation]
    }

    fn log(&self, _: Counted) {
        let error = crate::causes(self.error);
        tracing::warn!(operation = self.operation, error, "failed");
    }
}
