//! How many pings of the peer are answered: at most [`ANSWERS_PER_SECOND`], the rest counted.
//!
//! A flood must neither fill the outbox nor spend the venue's message budget; a peer that pings at any sane
//! rate is answered every time. Clock: the caller's monotonic one.

use std::time::{Duration, Instant};

/// Far above any server's habit (one in ten seconds and slower), far below a flood.
pub(super) const ANSWERS_PER_SECOND: u32 = 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PingBudget {
    window: Option<Instant>,
    answered: u32,
    unanswered: u64,
}

impl PingBudget {
    /// Whether a ping that came at `now` is answered.
    pub(super) fn answer(&mut self, now: Instant) -> bool {
        let fresh =
            self.window.is_none_or(|start| now.saturating_duration_since(start) >= Duration::from_secs(1));
        if fresh {
            self.window = Some(now);
            self.answered = 0;
        }
        if self.answered == ANSWERS_PER_SECOND {
            self.unanswered += 1;
            return false;
        }
        self.answered += 1;
        true
    }

    /// Counts a ping whose answer found no room.
    pub(super) fn no_room(&mut self) {
        self.unanswered += 1;
    }

    /// Pings left unanswered so far.
    pub(super) const fn unanswered(&self) -> u64 {
        self.unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn a_flood_is_answered_at_the_stated_rate_and_counted() {
        let start = Instant::now();
        let mut budget = PingBudget::default();
        let answers = (0..3_000).filter(|ms| budget.answer(start + Duration::from_millis(*ms))).count();
        assert_eq!(answers, 30);
        assert_eq!(budget.unanswered(), 2_970);
    }
}
