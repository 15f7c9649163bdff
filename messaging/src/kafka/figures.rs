//! What librdkafka counts, once every five seconds, in the few numbers that say how the way to the brokers is.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::Statistics;

/// Of one producer; a rebuilt one begins at 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Brokers that are connected.
    pub brokers_up: u64,
    /// Brokers known, those of the configuration included.
    pub brokers: u64,
    /// Messages that wait or are not acknowledged.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that nobody answered in time.
    pub timeouts: u64,
    /// Round trip, 99th percentile of the slowest broker, microseconds.
    pub round_trip_p99_us: u64,
}

impl Figures {
    pub(super) fn of(statistics: &Statistics) -> Self {
        let real = || statistics.brokers.values().filter(|broker| broker.nodeid >= 0);
        let round_trip = real().filter_map(|broker| broker.rtt.as_ref()).map(|window| window.p99).max();
        Self {
            brokers_up: real().filter(|broker| broker.state == "UP").count() as u64,
            brokers: real().count() as u64,
            queued: statistics.msg_cnt,
            queued_bytes: statistics.msg_size,
            retries: real().map(|broker| broker.txretries).sum(),
            timeouts: real().map(|broker| broker.req_timeouts).sum(),
            round_trip_p99_us: round_trip.and_then(|us| u64::try_from(us).ok()).unwrap_or(0),
        }
    }
}

/// A view of the newest figures, for any thread.
#[derive(Clone, Debug, Default)]
pub struct FiguresWatch(Arc<Mutex<Figures>>);

impl FiguresWatch {
    /// The newest.
    #[must_use]
    pub fn get(&self) -> Figures {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, figures: Figures) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }
}
