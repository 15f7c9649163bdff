//! One followed account and its settings: the entry of a list, a file's `[[influencer]]` or a Redis hash value.
//!
//! Field names are `id`, `address`, `label`, `priority`, `enabled`, `markets`, `maxStreams`, `orders`,
//! `backoff { initialMs, maxMs, jitter }`, `throttle { infoShare, resubscribesPerMinute }`, `start` and
//! `addedAt`. Each is also read in `snake_case` (`max_streams`); the same field in both spellings is an error.
//! A `null` counts as absent. Fields we do not know are kept and written back.

pub(crate) mod decode;
mod encode;
pub(crate) mod keys;

use serde_json::{Map, Value};

use crate::{Address, InfluencerId, Market, Problem, Start, rule};

/// Who is followed, and how. Always valid: it is made by [`Influencer::new`] or read by
/// [`Influencer::from_json`].
#[derive(Clone, Debug, PartialEq)]
pub struct Influencer {
    id: InfluencerId,
    address: Address,
    label: String,
    priority: i32,
    enabled: bool,
    markets: Vec<Market>,
    max_streams: Option<u16>,
    orders: Option<bool>,
    backoff: Backoff,
    throttle: Throttle,
    start: Option<Start>,
    added_at_ms: Option<u64>,
    unknown: Map<String, Value>,
}

impl Influencer {
    /// An account with default settings, under its address as id.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            id: InfluencerId::from(&address),
            address,
            label: String::new(),
            priority: 0,
            enabled: true,
            markets: Vec::new(),
            max_streams: None,
            orders: None,
            backoff: Backoff::default(),
            throttle: Throttle::default(),
            start: None,
            added_at_ms: None,
            unknown: Map::new(),
        }
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Every rule the entry breaks, at once.
    pub fn from_json(entry: &Value) -> Result<Self, Vec<Problem>> {
        decode::influencer(entry, None, rule::none)
    }

    /// Reads an entry stored under its id, as in a Redis hash: the entry may leave its `id` out.
    ///
    /// # Errors
    /// Every rule the entry breaks, at once; another `id` inside than `key` is one.
    pub fn from_keyed_json(key: &str, entry: &Value) -> Result<Self, Vec<Problem>> {
        decode::influencer(entry, Some(key), rule::none)
    }

    /// The entry as JSON, `camelCase`; settings at their default are left out, unknown fields are in it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        encode::influencer(self)
    }

    /// The same account, followed whatever the list says about `enabled`.
    #[must_use]
    pub(crate) fn enabled_anyway(&self) -> Self {
        Self { enabled: true, ..self.clone() }
    }

    /// What consumers know it by.
    #[must_use]
    pub fn id(&self) -> &InfluencerId {
        &self.id
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A name for people, at most [`crate::LABEL_CHARS_MAX`] characters, none of them a
    /// control character; empty by default.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Larger is served first; 0 by default.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.priority
    }

    /// Whether it is followed at all; true by default.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// The markets signals are made for, each once; empty means all.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// Whether signals are made for a market of this name.
    #[must_use]
    pub fn wants_market(&self, name: &str) -> bool {
        self.markets.is_empty() || self.markets.iter().any(|market| market.as_str() == name)
    }

    /// The most listeners it has at once, each with all its channels: 1 to 1000; `None`: as many as the service is configured to.
    #[must_use]
    pub fn max_streams(&self) -> Option<u16> {
        self.max_streams
    }

    /// Whether its order updates are followed; `None`: as the service is configured.
    #[must_use]
    pub fn orders(&self) -> Option<bool> {
        self.orders
    }

    /// Its own waits before what failed for it is tried again; what is `None` in it is as for all.
    #[must_use]
    pub fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// Its share of what the venue allows us.
    #[must_use]
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// From when its events become signals; `None`: as the service is configured.
    #[must_use]
    pub fn start(&self) -> Option<Start> {
        self.start
    }

    /// When it was put on the list, unix ms; `None` when nobody wrote it down.
    #[must_use]
    pub fn added_at_ms(&self) -> Option<u64> {
        self.added_at_ms
    }

    /// Fields we do not know, kept as they are.
    #[must_use]
    pub fn unknown(&self) -> &Map<String, Value> {
        &self.unknown
    }
}

/// Waits before something about one influencer is tried again: a subscription that was refused, a question to history that was not
/// answered. `initial_ms <= max_ms` where both are given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backoff {
    initial_ms: Option<u32>,
    max_ms: Option<u32>,
    jitter: Option<f64>,
    unknown: Map<String, Value>,
}

impl Backoff {
    /// First delay in ms, 1 to 3,600,000.
    #[must_use]
    pub fn initial_ms(&self) -> Option<u32> {
        self.initial_ms
    }

    /// Longest delay in ms, 1 to 3,600,000.
    #[must_use]
    pub fn max_ms(&self) -> Option<u32> {
        self.max_ms
    }

    /// The largest random part that is added to a delay, as a share of it, 0 to 1.
    #[must_use]
    pub fn jitter(&self) -> Option<f64> {
        self.jitter
    }
}

/// Bounds on what one influencer may use of the venue's limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Throttle {
    info_share: Option<f64>,
    resubscribes_per_minute: Option<u32>,
    unknown: Map<String, Value>,
}

impl Throttle {
    /// The largest share of a public address' info weight that is spent on it, above 0 to 1.
    #[must_use]
    pub fn info_share(&self) -> Option<f64> {
        self.info_share
    }

    /// How often a minute a listener may subscribe it, 1 to 2,000.
    #[must_use]
    pub fn resubscribes_per_minute(&self) -> Option<u32> {
        self.resubscribes_per_minute
    }
}

#[cfg(test)]
mod tests;
