//! Pauses after failures: each twice the one before, up to a bound, forgotten at the first success.

use std::time::{Duration, Instant};

use super::PumpConfig;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    last: Option<(Instant, Duration)>,
}

impl Backoff {
    pub(super) fn fail(&mut self, now: Instant, config: &PumpConfig) {
        let pause =
            self.last.map_or(config.pause_min, |(_, last)| last.saturating_mul(2)).min(config.pause_max);
        self.last = Some((now + pause, pause));
    }

    pub(super) fn clear(&mut self) {
        self.last = None;
    }

    /// Until when to wait.
    pub(super) fn until(&self) -> Option<Instant> {
        self.last.map(|(until, _)| until)
    }
}
