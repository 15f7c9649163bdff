//! What the venue allows one address, and how much of it is used. Windows slide over the last 60 s.
//! `now` is the time since the venue started.
//!
//! Not the client's [`VenueLimits`](crate::limits::VenueLimits), though the numbers are the same today: those are what a
//! client relies on, these what the venue enforces, and a client that relies on too much must be refused here.

use std::collections::VecDeque;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);

/// Limits of one IP address, as documented for mainnet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SimLimits {
    /// Distinct users over all sockets.
    pub users: u32,
    /// Open sockets.
    pub connections: u32,
    /// Sockets opened in a minute.
    pub new_connections_per_minute: u32,
    /// Subscriptions over all sockets.
    pub subscriptions: u32,
    /// Messages received in a minute over all sockets.
    pub messages_per_minute: u32,
    /// Info weight in a minute.
    pub info_weight_per_minute: u32,
}

impl Default for SimLimits {
    fn default() -> Self {
        Self {
            users: 10,
            connections: 10,
            new_connections_per_minute: 30,
            subscriptions: 1000,
            messages_per_minute: 2000,
            info_weight_per_minute: 1200,
        }
    }
}

impl SimLimits {
    /// Practically none, for load and for tests of other things.
    pub fn generous() -> Self {
        Self {
            users: 100_000,
            connections: 100_000,
            new_connections_per_minute: 1_000_000,
            subscriptions: 1_000_000,
            messages_per_minute: 10_000_000,
            info_weight_per_minute: 1_000_000_000,
        }
    }

    /// Changes the limit called `name` (the names of the fields); false where there is none of that name.
    pub(super) fn set(&mut self, name: &str, value: u32) -> bool {
        let slot = match name {
            "users" => &mut self.users,
            "connections" => &mut self.connections,
            "new_connections_per_minute" => &mut self.new_connections_per_minute,
            "subscriptions" => &mut self.subscriptions,
            "messages_per_minute" => &mut self.messages_per_minute,
            "info_weight_per_minute" => &mut self.info_weight_per_minute,
            _ => return false,
        };
        *slot = value;
        true
    }
}

/// A sum over the last minute. Holds at most one entry per unit allowed, so it is bounded by its limit.
#[derive(Debug, Default)]
pub(super) struct Meter {
    spent: VecDeque<(Duration, u32)>,
    sum: u32,
    peak: u32,
}

impl Meter {
    /// Books `amount` if that keeps the minute within `limit`; else nothing is booked.
    pub(super) fn take(&mut self, amount: u32, limit: u32, now: Duration) -> bool {
        self.forget(now);
        if self.sum.saturating_add(amount) > limit {
            return false;
        }
        self.add(amount, now);
        true
    }

    /// Books `amount` whatever the limit (an answer's rows are counted after they are known).
    pub(super) fn add(&mut self, amount: u32, now: Duration) {
        self.forget(now);
        if amount > 0 {
            self.spent.push_back((now, amount));
            self.sum = self.sum.saturating_add(amount);
            self.peak = self.peak.max(self.sum);
        }
    }

    /// Until `amount` fits into `limit` again, at most a minute.
    pub(super) fn wait(&self, amount: u32, limit: u32, now: Duration) -> Duration {
        let mut sum = self.sum;
        for &(at, spent) in &self.spent {
            if sum.saturating_add(amount) <= limit {
                return Duration::ZERO;
            }
            sum = sum.saturating_sub(spent);
            if sum.saturating_add(amount) <= limit {
                return (at + WINDOW).saturating_sub(now);
            }
        }
        WINDOW
    }

    /// The most that was ever spent in one minute.
    pub(super) fn peak(&self) -> u32 {
        self.peak
    }

    fn forget(&mut self, now: Duration) {
        while let Some(&(at, amount)) = self.spent.front() {
            if now < at + WINDOW {
                break;
            }
            self.sum = self.sum.saturating_sub(amount);
            self.spent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_minute_slides() {
        let mut meter = Meter::default();
        assert!(meter.take(60, 100, s(0)) && meter.take(40, 100, s(30)));
        assert!(!meter.take(1, 100, s(59)));
        assert_eq!(meter.wait(1, 100, s(59)), s(1));
        assert_eq!(meter.wait(61, 100, s(59)), s(31));
        assert!(meter.take(60, 100, s(60)));
        assert!(!meter.take(1, 100, s(60)) && meter.take(40, 100, s(90)));
        assert_eq!(meter.peak(), 100);
    }

    #[test]
    fn limits_go_by_name() {
        let mut limits = SimLimits::default();
        assert!(limits.set("users", 5) && !limits.set("user", 5));
        assert_eq!(limits.users, 5);
    }
}
