//! `[state]`: where the state is kept besides the journal, for a machine that goes on when this one is gone.

#[cfg(not(feature = "redis"))]
use super::followed::{NO_REDIS, not_built};
use super::reader::Section;
#[cfg(feature = "redis")]
use super::{
    problem::Problems,
    redis::{self, RedisServer},
    source::Places,
};
#[cfg(feature = "redis")]
use std::time::Duration;

/// Where the state is kept besides the journal.
#[derive(Clone, Debug)]
pub enum SharedState {
    /// Nowhere.
    Journal,
    /// In a Redis too, and one instance at a time writes there.
    #[cfg(feature = "redis")]
    Redis(SharedRedis),
}

impl SharedState {
    /// What is wrong with the place of the state: secrets and certificates are read, nobody is contacted.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn problems(&self, places: &Places) -> Option<Problems> {
        match self {
            Self::Journal => None,
            Self::Redis(shared) => shared.server.address().err().map(|problem| problem.of("state", places)),
        }
    }
}

/// The Redis of the shared state.
#[cfg(feature = "redis")]
#[derive(Clone, Debug)]
pub struct SharedRedis {
    /// Which one.
    pub server: RedisServer,
    /// What its keys begin with: `influencers.prefix`.
    pub prefix: String,
    /// A writer that is silent for so long is taken for dead, 2 s to an hour.
    pub lease: Duration,
}

#[cfg(feature = "redis")]
pub(super) fn state(root: &Section<'_>) -> SharedState {
    let section = root.section("state");
    let wanted = section.choice("store", false, &[("journal", false), ("redis", true)]);
    let server = redis::server(&section);
    let lease = section.seconds("lease_s", 15, 2..=3600);
    section.done();
    if !wanted {
        return SharedState::Journal;
    }
    // What is wrong with it is told where the list is.
    let prefix = root.section("influencers").text("prefix", "ingestion");
    SharedState::Redis(SharedRedis { server, prefix, lease })
}

#[cfg(not(feature = "redis"))]
pub(super) fn state(root: &Section<'_>) -> SharedState {
    let section = root.section("state");
    if section.choice("store", false, &[("journal", false), ("redis", true)]) {
        section.complain("store", "\"redis\"", NO_REDIS);
    }
    not_built(&section, NO_REDIS);
    section.not_built("lease_s", 15, NO_REDIS);
    section.done();
    SharedState::Journal
}
