//! How patient a session is. The venue's own bounds are in [`limits`](crate::limits).

use std::time::Duration;

/// A session's waits. [`Duration::MAX`] is never; nothing else is checked here. What makes sense: `ping_interval` above zero and, with
/// `pong_timeout`, well under the venue's 60 s; `stale_after` above `ping_interval`, since a pong may be the only frame there is;
/// `replace_after` under the venue's 10,000 s.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionConfig {
    /// A ping this long after the last one. The venue closes after 60 s in which it sent nothing but acks. Default 5 s.
    pub ping_interval: Duration,
    /// How late a pong may be. Default 5 s.
    pub pong_timeout: Duration,
    /// No frame at all for this long: the connection is stale. Default 15 s.
    pub stale_after: Duration,
    /// How late an acknowledgement may be before the request is sent once more, and again before the session gives up on it.
    /// Default 5 s.
    pub ack_timeout: Duration,
    /// Age at which the connection should be replaced; the venue ends it at about 10,000 s. Default 9,000 s.
    pub replace_after: Duration,
    /// Least wait before a refused subscription is tried again; doubled with every try, half as much again at random. The venue counts
    /// what has ended for 10 to 15 s more: less is not worth a message. Default 15 s.
    pub refused_wait: Duration,
    /// Longest of these waits, before the random part. Default 60 s.
    pub refused_wait_max: Duration,
    /// Seed of the random part; another one for every session.
    pub seed: u64,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(5),
            pong_timeout: Duration::from_secs(5),
            stale_after: Duration::from_secs(15),
            ack_timeout: Duration::from_secs(5),
            replace_after: Duration::from_secs(9_000),
            refused_wait: Duration::from_secs(15),
            refused_wait_max: Duration::from_secs(60),
            seed: 0,
        }
    }
}
