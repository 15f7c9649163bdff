//! What the venue allows, as data: these numbers moved before and will move again. Sources and dates stand beside each.
//!
//! Defaults are what to rely on, not the most that was ever seen. What the venue says at run time
//! ([`VenueErrorKind::TooManyUsers`](crate::decode::VenueErrorKind)) is truth over all of it.

use std::time::Duration;

/// Limits for one public address (or one group of addresses behind one).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VenueLimits {
    /// Distinct accounts in user subscriptions. Docs 2026: 10; measured 10 (2026-05), 14 (2026-08), 15 a connection (2026-10).
    pub users: u32,
    /// Open connections. Docs 2026: 10; an older edition said 100.
    pub connections: u32,
    /// New connections a minute. Docs 2026: 30.
    pub new_connections_per_minute: u32,
    /// Subscriptions over all connections. Docs: 1000, and the error text names it.
    pub subscriptions: u32,
    /// Messages sent over all connections. Docs: 2000, and the error text names it.
    pub messages_per_minute: u32,
    /// Info weight. Docs: 1200.
    pub info_weight_per_minute: u32,
    /// Posts in flight. Docs: 100.
    pub posts_in_flight: u32,
    /// The server closes a connection it has sent no data or pong for this long. Docs: 60 s; acks do not count (recorded 2026-10-18).
    pub idle: Duration,
    /// A connection is closed as `Expired` at about this age. Measured 10,002 to 10,592 s (2026-06-01).
    pub connection_lifetime: Duration,
    /// After a drop the venue may still count the old connection's accounts. Measured 10 to 15 s (2026-10).
    pub ghost: Duration,
}

impl Default for VenueLimits {
    fn default() -> Self {
        Self {
            users: 10,
            connections: 10,
            new_connections_per_minute: 30,
            subscriptions: 1000,
            messages_per_minute: 2000,
            info_weight_per_minute: 1200,
            posts_in_flight: 100,
            idle: Duration::from_secs(60),
            connection_lifetime: Duration::from_secs(10_000),
            ghost: Duration::from_secs(15),
        }
    }
}

/// What one info request costs: a base, and one more for every started `rows_per_weight` rows of its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InfoCost {
    /// Charged for asking.
    pub base: u32,
    /// Rows for one more; 0 when rows are free.
    pub rows_per_weight: u32,
    /// Rows a full answer has.
    pub rows_most: u32,
}

impl InfoCost {
    /// A page of fills: 20 and 1 for every 20 rows, up to 2000 rows. Docs 2026.
    pub const PAGE: Self = Self { base: 20, rows_per_weight: 20, rows_most: 2000 };
    /// `clearinghouseState`: 2. Docs 2026.
    pub const LIGHT: Self = Self { base: 2, rows_per_weight: 0, rows_most: 0 };
    /// `userRole`: 60. Docs 2026.
    pub const ROLE: Self = Self { base: 60, rows_per_weight: 0, rows_most: 0 };
    /// Catalogues: 20. Docs 2026.
    pub const CATALOGUE: Self = Self { base: 20, rows_per_weight: 0, rows_most: 0 };

    /// Weight of an answer of `rows` rows, a started twenty counted whole.
    #[must_use]
    pub const fn of_rows(self, rows: u32) -> u32 {
        if self.rows_per_weight == 0 {
            self.base
        } else {
            self.base.saturating_add(rows.div_ceil(self.rows_per_weight))
        }
    }

    /// Weight of a full answer: what must be free before asking (120 for a page).
    #[must_use]
    pub const fn most(self) -> u32 {
        self.of_rows(self.rows_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_costs_120_and_an_empty_one_20() {
        assert_eq!(InfoCost::PAGE.most(), 120);
        assert_eq!(InfoCost::PAGE.of_rows(0), 20);
        assert_eq!(InfoCost::PAGE.of_rows(1), 21);
        assert_eq!(InfoCost::PAGE.of_rows(40), 22);
        assert_eq!(InfoCost::LIGHT.most(), 2);
    }
}
