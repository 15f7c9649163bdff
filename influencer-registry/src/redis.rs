//! The list in a Redis: a hash of entries by id, a version that only rises, a notice when something changed.
//!
//! - `{prefix}:influencers`: a hash, influencer id -> JSON of the entry ([`crate::Influencer::from_keyed_json`]).
//! - `{prefix}:influencers:version`: a whole number. [`RedisEditor`] raises it to the server's clock in unix ms, or by one where that is
//!   not more, so that an edit is newer than any list before it, also than one that a failover forgot. Whoever writes the hash otherwise
//!   may leave it alone, or raise it.
//! - `{prefix}:influencers:changed`: the channel of the notices; what is published does not matter.
//! - `{prefix}:influencers:confirm-empty`: the version whose empty list is meant; any edit makes it void.
//!
//! On a cluster the keys must lie together: the prefix carries a hash tag there (`{ingestion}`).

mod address;
mod editor;
mod entry;
mod follow;
mod judge;
mod reading;
mod session;
mod slot;
mod source;
mod tls;
mod trouble;

use std::{fmt, time::Duration};

pub use address::{RedisAddress, RedisAddressError};
pub use editor::RedisEditor;
pub use reading::ENTRIES_MAX;
pub use source::RedisSource;

/// To connect, TLS included, and for an answer to anything short.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A list in a Redis: where that is, and below which prefix the list is kept. Shows no password.
#[derive(Clone, Debug)]
pub struct RedisList {
    address: RedisAddress,
    prefix: String,
}

impl RedisList {
    /// The list below `prefix`.
    #[must_use]
    pub fn new(address: RedisAddress, prefix: impl Into<String>) -> Self {
        Self { address, prefix: prefix.into() }
    }

    fn entries_key(&self) -> String {
        format!("{}:influencers", self.prefix)
    }

    fn version_key(&self) -> String {
        format!("{}:influencers:version", self.prefix)
    }

    fn confirmation_key(&self) -> String {
        format!("{}:influencers:confirm-empty", self.prefix)
    }

    fn channel(&self) -> String {
        format!("{}:influencers:changed", self.prefix)
    }
}

impl fmt::Display for RedisList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.entries_key())
    }
}
