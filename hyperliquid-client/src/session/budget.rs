//! Messages sent in the last minute, over all connections that share one public address. The caller owns it: one for each address
//! where one thread drives all its connections, a share for each thread otherwise (shares add up to the venue's limit).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// At most so many messages in any minute; a tenth (at least one) is kept for pings. Memory: one instant for each message.
#[derive(Clone, Debug)]
pub struct MessageBudget {
    per_minute: usize,
    sent: VecDeque<Instant>,
}

impl MessageBudget {
    /// A share of `per_minute` messages, at least two.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: usize::try_from(per_minute.max(2)).unwrap_or(usize::MAX), sent: VecDeque::new() }
    }

    /// Takes one ordinary message.
    ///
    /// # Errors
    /// The instant from which one is free.
    pub fn try_send(&mut self, now: Instant) -> Result<(), Instant> {
        self.take(self.per_minute - (self.per_minute / 10).max(1), now)
    }

    /// Takes one message that goes before others (a ping), out of the whole minute.
    ///
    /// # Errors
    /// The instant from which one is free.
    pub fn try_send_urgent(&mut self, now: Instant) -> Result<(), Instant> {
        self.take(self.per_minute, now)
    }

    fn take(&mut self, allowed: usize, now: Instant) -> Result<(), Instant> {
        self.forget_old(now);
        match self.sent.len().checked_sub(allowed) {
            None => {
                self.sent.push_back(now);
                Ok(())
            }
            // `over + 1` of the oldest must leave the minute first.
            Some(over) => Err(self.sent.get(over).map_or(now + MINUTE, |at| *at + MINUTE)),
        }
    }

    /// Messages sent in the minute before `now`.
    pub fn spent(&mut self, now: Instant) -> usize {
        self.forget_old(now);
        self.sent.len()
    }

    fn forget_old(&mut self, now: Instant) {
        while self.sent.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_minute_holds_more_than_allowed(steps in prop::collection::vec((0_u64..900, any::<bool>()), 1..400)) {
            #[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
            let mut now = Instant::now();
            let mut budget = MessageBudget::new(20);
            let mut sent: Vec<Instant> = Vec::new();
            for (gap, urgent) in steps {
                now += Duration::from_millis(gap);
                let took = if urgent { budget.try_send_urgent(now).is_ok() } else {
                    match budget.try_send(now) {
                        Ok(()) => true,
                        Err(free_at) => {
                            prop_assert!(free_at > now);
                            // What it promises holds when nothing else is sent meanwhile.
                            prop_assert!(budget.clone().try_send(free_at).is_ok());
                            false
                        }
                    }
                };
                if took { sent.push(now); }
                let recent = sent.iter().filter(|at| now.duration_since(**at) < MINUTE).count();
                prop_assert!(recent <= 20);
            }
        }
    }
}
