//! What an account is allowed and how it waits, where its entry on the list says so: put into effect at once, and for that account only.
//!
//! - At most so many listeners: it sits on no more of its cell's lines.
//! - Waits: before a refused subscription is tried again (each of its lines is told), before a question to history that failed is asked
//!   again (its machine is).
//! - Its share of the info weight and of resubscribes: what is over it waits. Nothing that came is dropped for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hyperliquid_client::session;

use super::{Core, Slot};
use crate::account::Retry;

const MINUTE: Duration = Duration::from_secs(60);

/// What an entry says; `None`: as the service is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tuning {
    /// Listeners at most, from 1.
    pub listeners_max: Option<usize>,
    /// First wait after a failure.
    pub retry_first: Option<Duration>,
    /// Longest wait after failures.
    pub retry_most: Option<Duration>,
    /// The largest random part of a wait for a subscription, as a share of it, 0 to 1.
    pub jitter: Option<f64>,
    /// The largest share of a public address' info weight, above 0 to 1.
    pub info_share: Option<f64>,
    /// Times a minute that a listener subscribes it, from 1.
    pub resubscribes_per_minute: Option<u32>,
}

impl Tuning {
    pub(super) fn of_session(&self) -> session::Tuning {
        session::Tuning {
            refused_wait: self.retry_first,
            refused_wait_max: self.retry_most,
            jitter: self.jitter,
            subscribes_per_minute: self.resubscribes_per_minute,
        }
    }

    /// Of questions to history; a longest wait below the common first one is meant.
    pub(super) fn retry(&self) -> Retry {
        let common = Retry::default();
        let first =
            self.retry_first.unwrap_or_else(|| common.first.min(self.retry_most.unwrap_or(common.first)));
        Retry { first, most: self.retry_most.unwrap_or(common.most) }
    }
}

/// Info weight spent on one account in the last minute.
#[derive(Debug, Default)]
pub(super) struct Weight(VecDeque<(Instant, u32)>);

impl Weight {
    /// Takes the most that a question can cost, of `allowed` in any minute. A question alone is always allowed, or the account would never
    /// be asked about.
    ///
    /// # Errors
    ///
    /// When it will be free.
    fn take(&mut self, most: u32, allowed: Option<u32>, now: Instant) -> Result<(), Instant> {
        while self.0.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= MINUTE) {
            self.0.pop_front();
        }
        let mut over = self.sum().saturating_add(most).saturating_sub(allowed.unwrap_or(u32::MAX));
        let mut free_at = None;
        for (at, weight) in &self.0 {
            if over == 0 {
                break;
            }
            (over, free_at) = (over.saturating_sub(*weight), Some(*at + MINUTE));
        }
        match free_at {
            Some(free_at) => Err(free_at),
            None => {
                self.0.push_back((now, most));
                Ok(())
            }
        }
    }

    /// What the last question came to; nothing: it was not asked.
    fn settle(&mut self, weight: Option<u32>) {
        match (weight, self.0.back_mut()) {
            (Some(weight), Some((_, last))) => *last = weight,
            (None, _) => drop(self.0.pop_back()),
            (Some(_), None) => {}
        }
    }

    fn sum(&self) -> u32 {
        self.0.iter().fold(0, |sum, (_, weight)| sum.saturating_add(*weight))
    }
}

impl Core {
    /// Puts what its entry says now into effect on every line the account sits on, and in its machine.
    pub(super) fn tune(&mut self, account: [u8; 20], now: Instant) {
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let tuning = slot.followed.tuning;
        slot.machine.set_retry(tuning.retry());
        for line in slot.seats.values().filter_map(|line| self.lines.get(line)) {
            line.control.tune(slot.address, tuning.of_session(), now);
        }
    }

    /// The lines of its cell that an account sits on or is to sit on: those it has first.
    pub(super) fn lines_for(&self, slot: &Slot) -> Vec<usize> {
        let mut lines = self.lines_of(slot.cell);
        if let Some(most) = slot.followed.tuning.listeners_max {
            lines.sort_by_key(|line| slot.seat_on(*line).is_none());
            lines.truncate(most.max(1));
        }
        lines
    }

    /// Before a question about an account is paid for: takes it out of the account's own share of what `group` may spend.
    ///
    /// # Errors
    ///
    /// When its share will have room.
    pub(in crate::runtime) fn take_weight(
        &mut self,
        account: [u8; 20],
        group: usize,
        most: u32,
        now: Instant,
    ) -> Result<(), Instant> {
        let per_minute = self.groups.get(group).map_or(0, |group| group.limits.info_weight_per_minute);
        let Some(slot) = self.slots.get_mut(&account) else { return Ok(()) };
        // At most the address' own weight.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
        let share = slot.followed.tuning.info_share.map(|share| (f64::from(per_minute) * share) as u32);
        slot.weight.take(most, share, now)
    }

    /// What the last question about an account came to; nothing: it was not asked after all.
    pub(in crate::runtime) fn settle_weight(&mut self, account: [u8; 20], weight: Option<u32>) {
        if let Some(slot) = self.slots.get_mut(&account) {
            slot.weight.settle(weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock;

    #[test]
    fn a_share_holds_in_every_minute_and_one_question_always_fits() {
        let (mut weight, start) = (Weight::default(), clock::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        // 300 a minute, questions of 120 that come to 21.
        for second in [0, 1, 2] {
            assert_eq!(weight.take(120, Some(300), at(second)), Ok(()));
            weight.settle(Some(90));
        }
        assert_eq!(weight.take(120, Some(300), at(3)), Err(at(60)));
        assert_eq!(weight.take(120, Some(300), at(60)), Ok(()), "90 + 90 + 120");
        // Not settled: it counts in full.
        assert_eq!(weight.take(120, Some(300), at(60)), Err(at(62)));
        assert_eq!(weight.take(120, None, at(60)), Ok(()), "no share is no bound");
        let mut small = Weight::default();
        assert_eq!(small.take(120, Some(12), at(0)), Ok(()), "or it would never be asked about");
        small.settle(Some(21));
        assert_eq!(small.take(120, Some(12), at(1)), Err(at(60)));
        assert_eq!(small.take(120, Some(12), at(60)), Ok(()));
    }

    #[test]
    fn waits_that_are_left_out_fit_those_that_are_given() {
        let seconds = Duration::from_secs;
        let retry = |first, most| {
            let retry = Tuning { retry_first: first, retry_most: most, ..Tuning::default() }.retry();
            (retry.first, retry.most)
        };
        assert_eq!(retry(None, None), (seconds(2), seconds(30)));
        assert_eq!(retry(None, Some(seconds(1))), (seconds(1), seconds(1)));
        assert_eq!(retry(Some(seconds(5)), None), (seconds(5), seconds(30)));
    }
}
