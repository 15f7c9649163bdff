//! One listener of a cell: how late it is, and what became of it. Clock as in the module above it.

use std::time::{Duration, Instant};

use super::Window;

/// How long before a copy the first one came is known in whole milliseconds, which may be one too many.
const GRAIN: Duration = Duration::from_millis(1);

#[derive(Clone, Debug, Default)]
pub(in crate::runtime::core) struct Leg {
    /// How far behind the first copy its newest frames were.
    behind: Window,
    /// How far behind the venue's time they were, by our wall clock.
    behind_venue: Window,
    /// When others showed the oldest and the newest of what it owes.
    owes: Option<(Instant, Instant)>,
    /// How often it lost the label because it was late or down.
    pub(in crate::runtime::core) failovers: u64,
    /// Connections it had.
    pub(in crate::runtime::core) connections: u64,
}

impl Leg {
    /// It showed something before everybody else: it is not behind, whatever it may have lost.
    pub(in crate::runtime::core) fn showed_first(&mut self) {
        self.behind.push(Duration::ZERO);
        self.owes = None;
    }

    /// It showed what another one had shown so long before.
    pub(in crate::runtime::core) fn showed_copy(&mut self, behind: Duration, now: Instant) {
        self.behind.push(behind);
        let shown = now.checked_sub(behind).unwrap_or(now) + GRAIN;
        // What others showed up to then has passed it by, or came.
        self.owes = self
            .owes
            .filter(|(_, newest)| *newest > shown)
            .map(|(oldest, newest)| (oldest.max(shown), newest));
    }

    /// Another one showed something that it should show too.
    pub(in crate::runtime::core) fn owes(&mut self, now: Instant) {
        self.owes = Some((self.owes.map_or(now, |(oldest, _)| oldest), now));
    }

    /// So long after the venue's time something came.
    pub(in crate::runtime::core) fn came_after(&mut self, delay: Duration) {
        self.behind_venue.push(delay);
    }

    /// It has another connection, about which nothing is known.
    pub(in crate::runtime::core) fn begin_anew(&mut self) {
        (self.behind, self.behind_venue, self.owes) = (Window::default(), Window::default(), None);
    }

    /// How late it is.
    pub(in crate::runtime::core) fn lag(&self, now: Instant) -> Duration {
        self.behind.middle().unwrap_or_default().max(self.owing(now))
    }

    /// How far apart the copies were at most, of the newest ones and of what it owes.
    pub(in crate::runtime::core) fn skew(&self, now: Instant) -> Duration {
        self.behind.most().unwrap_or_default().max(self.owing(now))
    }

    /// How late the venue's time came; `None` where the clocks are too far apart for that to say anything.
    pub(in crate::runtime::core) fn venue_lag(&self) -> Option<Duration> {
        self.behind_venue.middle()
    }

    fn owing(&self, now: Instant) -> Duration {
        self.owes.map_or(Duration::ZERO, |(oldest, _)| now.saturating_duration_since(oldest))
    }
}
