//! Which listener of a cell is called the primary. It is a label and a counter: the first copy of an event wins whoever shows it, and
//! nothing ever waits for the label.
//!
//! One label for each cell, not for each account: the accounts of a cell come over exactly the same connections, so what delays one delays
//! all of them, and together they show soon what an account that trades once a day shows never.
//!
//! How late a listener is comes from the events themselves: each live frame is 0 behind where it was the first to show something, else as
//! late as its copies were; the middle of the newest [`Window::NEWEST`] frames counts, so that no single frame decides. What another
//! listener showed and this one owes counts too, or a listener that went quiet would look punctual.
//!
//! A probe moves the label away from a listener that is not live, or that two probes in a row find more than `failover_lag` later than the
//! best other one (a failover); and from one healthy listener to the next when it has lain there for `rotate` (a rotation).
//!
//! No clock: every instant is an argument, of our monotonic clock.

mod leg;
#[cfg(test)]
mod tests;
mod window;

use std::time::{Duration, Instant};

pub(super) use leg::Leg;
use window::Window;

/// When the label moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::runtime) struct PrimaryConfig {
    /// So much later than another listener is too late.
    pub(in crate::runtime) failover_lag: Duration,
    /// Between two probes.
    pub(in crate::runtime) probe_interval: Duration,
    /// How long it lies with one of several healthy listeners.
    pub(in crate::runtime) rotate: Duration,
}

/// The label moved, from one listener of the cell to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Moved {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) why: Why,
}

/// Why it moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// The primary was so much later than the one that has the label now.
    Lag(Duration),
    /// The primary was not live.
    Down,
    /// It was time for another healthy one.
    Turn,
}

/// The listeners of one cell.
#[derive(Debug)]
pub(super) struct Primary {
    legs: Vec<Leg>,
    /// Nobody before the first one was live.
    holder: Option<usize>,
    since: Instant,
    /// Probes in a row that found the holder late.
    late: u8,
}

impl Primary {
    pub(super) fn new(legs: usize, now: Instant) -> Self {
        Self { legs: vec![Leg::default(); legs], holder: None, since: now, late: 0 }
    }

    pub(super) fn leg(&self, leg: usize) -> Option<&Leg> {
        self.legs.get(leg)
    }

    pub(super) fn leg_mut(&mut self, leg: usize) -> Option<&mut Leg> {
        self.legs.get_mut(leg)
    }

    pub(super) fn is_holder(&self, leg: usize) -> bool {
        self.holder == Some(leg)
    }

    /// Looks at every listener; `is_live` says which of them deliver. To be called every [`PrimaryConfig::probe_interval`].
    pub(super) fn probe(
        &mut self,
        config: &PrimaryConfig,
        is_live: impl Fn(usize) -> bool,
        now: Instant,
    ) -> Option<Moved> {
        let live = || (0..self.legs.len()).filter(|leg| is_live(*leg));
        let lag = |leg: usize| self.legs.get(leg).map_or(Duration::ZERO, |leg| leg.lag(now));
        let Some(from) = self.holder else {
            (self.holder, self.since) = (live().next(), now);
            return None;
        };
        let best = live().filter(|leg| *leg != from).min_by_key(|leg| lag(*leg))?;
        let later = lag(from).saturating_sub(lag(best));
        let is_late = later > config.failover_lag;
        let late = if is_late { self.late.saturating_add(1) } else { 0 };
        let healthy = |leg: &usize| lag(*leg) <= lag(best).min(lag(from)).saturating_add(config.failover_lag);
        let next = || (1..self.legs.len()).map(|step| (from + step) % self.legs.len());
        let moved = if !is_live(from) {
            Some(Moved { from, to: best, why: Why::Down })
        } else if late >= LATE_PROBES {
            Some(Moved { from, to: best, why: Why::Lag(later) })
        } else if !is_late && now.saturating_duration_since(self.since) >= config.rotate {
            next().find(|leg| is_live(*leg) && healthy(leg)).map(|to| Moved { from, to, why: Why::Turn })
        } else {
            None
        };
        self.late = late;
        if let Some(moved) = moved {
            (self.holder, self.since, self.late) = (Some(moved.to), now, 0);
            let lost = moved.why != Why::Turn;
            if let Some(leg) = self.legs.get_mut(from).filter(|_| lost) {
                leg.failovers += 1;
            }
        }
        moved
    }
}

/// So many probes in a row must find it late: a single pause is none.
const LATE_PROBES: u8 = 2;
