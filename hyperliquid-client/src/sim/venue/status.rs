//! What the venue tells about itself: every row it published, and numbers.

use std::sync::Arc;

use super::Venue;
use super::subscription::Subscription;
use crate::sim::fill::Stream;

/// One published row, as the venue knows it to be true.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TruthRow {
    /// Counts every row ever published, from 0.
    pub index: u64,
    /// Sent to subscribers when it happened; false for history from before the play.
    pub live: bool,
    /// The account.
    pub user: Arc<str>,
    /// Its stream.
    pub stream: Stream,
    /// Market name.
    pub coin: String,
    /// Venue ms.
    pub time: u64,
    /// Trade id.
    pub tid: u64,
    /// The row as printed in frames and info answers.
    pub text: Arc<str>,
}

/// Numbers about a running venue.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VenueStatus {
    /// Open sockets.
    pub connections: usize,
    /// Sockets ever opened.
    pub connections_total: u64,
    /// Subscriptions on all sockets.
    pub subscriptions: usize,
    /// `userFills` subscriptions on all sockets.
    pub user_fills_subscriptions: usize,
    /// Subscriptions ever made.
    pub subscribed_total: u64,
    /// Subscriptions ever ended by an unsubscribe.
    pub unsubscribed_total: u64,
    /// Distinct accounts on all sockets.
    pub users: usize,
    /// Blocks played.
    pub blocks: u64,
    /// Rows published, history included.
    pub fills: u64,
    /// Venue ms of the newest block.
    pub venue_time: u64,
    /// Info requests answered or refused, posts included.
    pub info_requests: u64,
    /// Info requests refused because the weight of the minute was spent (faults not counted).
    pub info_over_budget: u64,
    /// The most info weight any address spent in one minute.
    pub info_weight_peak: u32,
    /// Messages refused by a limit: users, subscriptions, messages.
    pub refused_by_limits: u64,
    /// Upgrades refused by a limit.
    pub refused_connections: u64,
    /// Sockets closed because they did not read fast enough.
    pub slow_closed: u64,
}

impl Venue {
    /// Rows from index `from` on, as far as they are still kept.
    pub(in crate::sim) fn truth(&self, from: u64) -> Vec<TruthRow> {
        let first = self.truth.front().map_or(0, |row| row.index);
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.truth.iter().skip(skip).cloned().collect()
    }

    pub(in crate::sim) fn status(&self) -> VenueStatus {
        let subs = || self.conns.values().flat_map(|conn| conn.subs.keys());
        let mut users: Vec<&str> = subs().filter_map(Subscription::user).collect();
        users.sort_unstable();
        users.dedup();
        VenueStatus {
            connections: self.conns.len(),
            subscriptions: subs().count(),
            user_fills_subscriptions: subs().filter(|sub| matches!(sub, Subscription::UserFills(_))).count(),
            users: users.len(),
            info_weight_peak: self.ips.values().map(|uses| uses.weight.peak()).max().unwrap_or(0),
            ..self.status.clone()
        }
    }
}
