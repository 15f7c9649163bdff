//! The info weight of one public address: what the venue allows in any minute (1200, docs of 2026), failures and restarts included.
//!
//! Before asking, the most an answer can cost is charged (120 for a page); when the answer is there, the charge is set to its true
//! cost and dated to that moment, because the venue counts rows when it answers. A ticket that is lost keeps its full charge. What is
//! spent can be exported with its age and restored after a restart. Clock: the caller's monotonic `now`.

use crate::limits::InfoCost;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
/// A request without an outcome counts this much longer: it may have been answered late.
const IN_FLIGHT_MOST: Duration = Duration::from_secs(60);

/// The budget. Memory: one entry for each request of the last two minutes.
#[derive(Clone, Debug)]
pub struct WeightBudget {
    per_minute: u32,
    reserved: u32,
    charges: VecDeque<Charge>,
    next_id: u64,
    blocked_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Charge {
    id: u64,
    weight: u32,
    /// When it stops counting.
    until: Instant,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// Repairs that signals wait for: may spend everything.
    Priority,
    /// Sweeps and audits: leave the reserve alone.
    Background,
}

/// A charge whose outcome is not known yet. Dropping it leaves the full charge standing.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "settle it when the answer is there; dropping it leaves the full charge"]
pub struct WeightTicket {
    id: u64,
}

/// What was spent and how long ago, for a restart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SpentWeight {
    /// How much.
    pub weight: u32,
    /// Milliseconds since it was spent.
    pub age_ms: u64,
}

/// Why a budget cannot be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an info weight of {per_minute} a minute with {reserved} reserved leaves less than {needed}, one page of fills"
)]
pub struct LimitTooSmall {
    /// The limit.
    pub per_minute: u32,
    /// The reserve.
    pub reserved: u32,
    /// One page.
    pub needed: u32,
}

impl WeightBudget {
    /// A budget of `per_minute`, of which `reserved` is only for [`Lane::Priority`].
    ///
    /// # Errors
    /// [`LimitTooSmall`] when the background could never ask for a page.
    pub const fn new(per_minute: u32, reserved: u32) -> Result<Self, LimitTooSmall> {
        let needed = InfoCost::PAGE.most();
        if per_minute.saturating_sub(reserved) < needed {
            return Err(LimitTooSmall { per_minute, reserved, needed });
        }
        Ok(Self { per_minute, reserved, charges: VecDeque::new(), next_id: 0, blocked_until: None })
    }

    /// Charges the most the request can cost.
    ///
    /// # Errors
    /// The earliest instant at which it could be free, if nobody else charges meanwhile.
    pub fn try_charge(&mut self, cost: InfoCost, lane: Lane, now: Instant) -> Result<WeightTicket, Instant> {
        self.forget_old(now);
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            return Err(until);
        }
        let allowed = match lane {
            Lane::Priority => self.per_minute,
            Lane::Background => self.per_minute - self.reserved,
        };
        let weight = cost.most();
        let over = self.sum().saturating_add(weight).saturating_sub(allowed);
        if over > 0 {
            return Err(self.free_at(over, now));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.charges.push_back(Charge { id, weight, until: now + MINUTE + IN_FLIGHT_MOST });
        Ok(WeightTicket { id })
    }

    /// The answer came with so many rows: the charge becomes its true cost, spent now.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is settled once")]
    pub fn settle(&mut self, ticket: WeightTicket, cost: InfoCost, rows: u32, now: Instant) {
        self.date(ticket.id, Some(cost.of_rows(rows)), now);
    }

    /// The request failed, or its answer could not be read: the full charge counts from now.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is settled once")]
    pub fn settle_failed(&mut self, ticket: WeightTicket, now: Instant) {
        self.date(ticket.id, None, now);
    }

    /// The venue said 429: nothing is asked before `retry_after` has passed (a minute when it names none, ten at
    /// most).
    pub fn on_too_many_requests(&mut self, retry_after: Option<Duration>, now: Instant) {
        let until = now + retry_after.unwrap_or(MINUTE).min(10 * MINUTE);
        self.blocked_until = self.blocked_until.max(Some(until));
    }

    /// Weight that counts at `now`.
    pub fn spent(&mut self, now: Instant) -> u32 {
        self.forget_old(now);
        self.sum()
    }

    /// Everything that still counts, for whoever keeps it over a restart; see [`restore`](Self::restore).
    pub fn export(&mut self, now: Instant) -> Vec<SpentWeight> {
        self.forget_old(now);
        let charges = self.charges.iter().map(|charge| {
            // In flight: spent now, as far as anyone knows.
            let left = charge.until.saturating_duration_since(now).min(MINUTE);
            let age_ms = u64::try_from((MINUTE - left).as_millis()).unwrap_or(u64::MAX);
            SpentWeight { weight: charge.weight, age_ms }
        });
        charges.collect()
    }

    /// Takes over what was spent before a restart; the caller adds the time the process was away to the ages, as far as it knows it.
    pub fn restore(&mut self, spent: &[SpentWeight], now: Instant) {
        for SpentWeight { weight, age_ms } in spent {
            let left = MINUTE.saturating_sub(Duration::from_millis(*age_ms));
            if left.is_zero() {
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            self.charges.push_back(Charge { id, weight: *weight, until: now + left });
        }
    }

    fn date(&mut self, id: u64, truth: Option<u32>, now: Instant) {
        match self.charges.iter_mut().find(|charge| charge.id == id) {
            Some(charge) => {
                charge.weight = truth.unwrap_or(charge.weight);
                charge.until = now + MINUTE;
            }
            // Answered after the charge had lapsed: it counts all the same.
            None => {
                let weight = truth.unwrap_or(InfoCost::PAGE.most());
                self.charges.push_back(Charge { id, weight, until: now + MINUTE });
            }
        }
    }

    fn sum(&self) -> u32 {
        self.charges.iter().fold(0, |sum, charge| sum.saturating_add(charge.weight))
    }

    /// When `over` of what counts now will have lapsed.
    fn free_at(&self, over: u32, now: Instant) -> Instant {
        let mut by_end: Vec<(Instant, u32)> =
            self.charges.iter().map(|charge| (charge.until, charge.weight)).collect();
        by_end.sort_unstable();
        let mut freed = 0_u32;
        let enough = by_end.into_iter().find(|(_, weight)| {
            freed = freed.saturating_add(*weight);
            freed >= over
        });
        enough.map_or(now + MINUTE, |(until, _)| until)
    }

    fn forget_old(&mut self, now: Instant) {
        self.charges.retain(|charge| charge.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
    fn start() -> Instant {
        Instant::now()
    }

    proptest! {
        /// Against the venue's own count: weight is spent when it answers, at any time after the request; in no minute more than 1200.
        #[test]
        fn the_venue_never_counts_more_than_its_limit(
            steps in prop::collection::vec((0_u64..4_000, 0_u64..8_000, 0_u32..2_000, any::<bool>(), 0_u8..10), 1..200),
        ) {
            let mut budget = WeightBudget::new(1200, 240).unwrap();
            let mut now = start();
            let mut venue: Vec<(Instant, u32)> = Vec::new();
            for (gap, delay, rows, priority, fate) in steps {
                now += Duration::from_millis(gap);
                if fate == 0 {
                    // Our death with nothing in flight but what is exported; the time away is not known.
                    let exported = budget.export(now);
                    budget = WeightBudget::new(1200, 240).unwrap();
                    budget.restore(&exported, now);
                }
                let lane = if priority { Lane::Priority } else { Lane::Background };
                match budget.try_charge(InfoCost::PAGE, lane, now) {
                    Ok(ticket) => {
                        now += Duration::from_millis(delay);
                        venue.push((now, InfoCost::PAGE.of_rows(rows)));
                        if fate == 1 { drop(ticket) } else if fate == 2 { budget.settle_failed(ticket, now) } else {
                            budget.settle(ticket, InfoCost::PAGE, rows, now);
                        }
                    }
                    Err(free_at) => {
                        prop_assert!(free_at > now);
                        prop_assert!(budget.clone().try_charge(InfoCost::PAGE, lane, free_at).is_ok());
                    }
                }
                let recent: u32 = venue.iter().filter(|(at, _)| now.duration_since(*at) < MINUTE).map(|(_, w)| w).sum();
                prop_assert!(recent <= 1200, "{recent}");
                prop_assert!(budget.spent(now) >= recent);
            }
        }
    }

    #[test]
    fn the_reserve_is_for_the_priority_lane() {
        let (mut budget, now) = (WeightBudget::new(1200, 240).unwrap(), start());
        let mut tickets = Vec::new();
        while let Ok(ticket) = budget.try_charge(InfoCost::PAGE, Lane::Background, now) {
            tickets.push(ticket);
        }
        assert_eq!((tickets.len(), budget.spent(now)), (8, 960));
        assert!(budget.try_charge(InfoCost::PAGE, Lane::Priority, now).is_ok());
        assert!(budget.try_charge(InfoCost::PAGE, Lane::Priority, now).is_ok());
        assert!(budget.try_charge(InfoCost::LIGHT, Lane::Priority, now).is_err());
    }

    #[test]
    fn after_429_nothing_is_asked_until_it_may() {
        let (mut budget, now) = (WeightBudget::new(1200, 240).unwrap(), start());
        budget.on_too_many_requests(Some(Duration::from_secs(7)), now);
        let free_at = budget.try_charge(InfoCost::LIGHT, Lane::Priority, now).unwrap_err();
        assert_eq!(free_at, now + Duration::from_secs(7));
        assert!(budget.try_charge(InfoCost::LIGHT, Lane::Priority, free_at).is_ok());
    }

    #[test]
    fn a_budget_too_small_for_a_page_is_refused() {
        assert!(WeightBudget::new(300, 200).is_err());
    }
}
