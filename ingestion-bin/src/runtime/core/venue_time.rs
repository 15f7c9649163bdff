//! The venue's clock as every account of a worker learns it, and our wall clock beside it: shown, and never decided on.

use std::time::{Duration, Instant};

use super::Core;
use crate::account::{ClockSource, VenueClock};
use crate::runtime::clock;
use crate::runtime::events::WallClockSet;

/// A wall clock that moved by so much more or less than the monotonic one was set, or the machine slept; a slew is slower.
const STEP_MS: i64 = 1_000;

#[derive(Debug, Default)]
pub(super) struct VenueTime {
    clock: VenueClock,
    /// What every account knows of it, ms.
    known: Option<i64>,
    /// When that last moved, on our clock.
    moved: Option<Instant>,
    /// How far the wall clock was ahead of it then, ms.
    wall_ahead: Option<i64>,
    /// Our two clocks when they were last compared.
    compared: Option<(Instant, i64)>,
}

impl VenueTime {
    /// The venue's clock is at least there, ms: what every account knows.
    pub(super) const fn known(&self) -> Option<i64> {
        self.known
    }

    /// How far our wall clock is ahead of the venue's, with the way from there, ms.
    pub(super) const fn wall_ahead(&self) -> Option<i64> {
        self.wall_ahead
    }

    /// By how much the wall clock was set since this was last asked, ms.
    fn wall_step(&mut self, now: Instant, wall: i64) -> Option<i64> {
        let (before, wall_before) = self.compared.replace((now, wall))?;
        let passed = i64::try_from(now.saturating_duration_since(before).as_millis()).unwrap_or(i64::MAX);
        let step = wall.saturating_sub(wall_before).saturating_sub(passed);
        (step.saturating_abs() >= STEP_MS).then_some(step)
    }
}

impl Core {
    /// A source shows this venue time: what two of them bear out counts for every account.
    pub(in crate::runtime) fn handle_shown_time(&mut self, source: ClockSource, time: i64, now: Instant) {
        if let Some(time) = self.venue_time.clock.show(source, time) {
            self.handle_venue_time(time, now);
        }
    }

    /// The venue's clock is at least there; every account learns it, a second at a time.
    pub(super) fn handle_venue_time(&mut self, time: i64, now: Instant) {
        let VenueTime { known, moved, wall_ahead, .. } = &mut self.venue_time;
        if known.is_some_and(|known| time < known + 1_000) {
            return;
        }
        let ahead = wall_ms().saturating_sub(time);
        (*known, *moved, *wall_ahead) = (Some(time), Some(now), Some(ahead));
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 ms are out of reach")]
        self.meters.wall_ahead.set(ahead as f64 / 1_000.0);
        let accounts: Vec<[u8; 20]> = self.slots.keys().copied().collect();
        for account in accounts {
            self.with_slot(account, |slot| slot.machine.handle_venue_time(time, now));
        }
        self.flush();
    }

    /// Whether any venue time is known.
    pub(in crate::runtime) const fn knows_the_time(&self) -> bool {
        self.venue_time.known.is_some()
    }

    /// Somebody to ask for the venue's clock, when it did not move for `patience`.
    pub(in crate::runtime) fn whose_clock_is_silent(
        &self,
        now: Instant,
        patience: Duration,
    ) -> Option<[u8; 20]> {
        let moved = self.venue_time.moved;
        let silent = moved.is_none_or(|at| now.saturating_duration_since(at) >= patience);
        self.slots.keys().next().copied().filter(|_| silent)
    }

    /// Says so when somebody set the wall clock.
    pub(super) fn compare_clocks(&mut self, now: Instant) {
        if let Some(by_ms) = self.venue_time.wall_step(now, wall_ms()) {
            self.telemetry.emit(&WallClockSet { by_ms });
        }
    }
}

fn wall_ms() -> i64 {
    i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_is_noticed_and_one_that_runs_is_not() {
        let (mut time, start) = (VenueTime::default(), clock::monotonic());
        let mut step = |seconds, wall| time.wall_step(start + Duration::from_secs(seconds), wall);
        assert_eq!(step(0, 5_000), None, "nothing to compare with");
        assert_eq!(step(10, 15_400), None);
        assert_eq!(step(11, 3_616_400), Some(3_600_000));
        assert_eq!(step(12, 3_617_400), None, "said once");
        assert_eq!(step(12, 17_400), Some(-3_600_000));
    }
}
