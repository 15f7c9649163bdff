//! The configuration: read once, checked whole, before anything is opened.
//!
//! [`Config::load`] turns a file, the environment and the command line into a value in which every number is inside its
//! bounds and every choice is one this build can carry out, or into all the problems at once. Keys and defaults are those of
//! `docs/configuration.md`. Nothing here opens a socket or a file; secrets are references until [`SecretSource::read`].

mod egress;
mod followed;
mod kafka;
mod problem;
mod reader;
#[cfg(feature = "redis")]
mod redis;
mod routes;
mod secret;
mod service;
mod shared;
mod source;
mod storage;
#[cfg(test)]
mod tests;
mod venue;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

pub use egress::EgressEntry;
pub use followed::{InfluencerSource, Influencers};
pub use kafka::{Compression, Kafka, OnReject, Property};
pub use problem::{Origin, Problem, Problems};
#[cfg(feature = "redis")]
pub use redis::{RedisServer, RedisServerProblem};
pub use routes::{Group, Route, Routes};
pub use secret::{SecretError, SecretSource};
pub use service::{Admin, LogFormat, Shutdown, Telemetry};
#[cfg(feature = "redis")]
pub use shared::SharedRedis;
pub use shared::SharedState;
pub use source::{Places, Sources};
pub use storage::{Fsync, Journal, PublishAfter, SignalKey, SinkKind, SinkSettings, StartFrom, Storage};
#[cfg(test)]
pub(crate) use venue::MESSAGE_MOST;
pub use venue::{
    AccountState, Allocation, AuthPlace, Backoff, Endpoint, EndpointAuth, Listeners, Streams, Venue,
};

use reader::Section;
use source::Tree;

/// The whole configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything the service writes is below this directory.
    pub data_dir: PathBuf,
    /// Threads that own connections and accounts, 1 to 64.
    pub workers: usize,
    /// Endpoints and their limits.
    pub venue: Venue,
    /// Which kinds of events make signals.
    pub streams: Streams,
    /// Equity, leverage and positions as context.
    pub account_state: AccountState,
    /// Listeners of an account and their timing.
    pub listeners: Listeners,
    /// Where the followed accounts are named.
    pub influencers: Influencers,
    /// Where the shared state is kept besides the journal.
    pub state: SharedState,
    /// Journal and sinks.
    pub storage: Storage,
    /// The cluster of the sinks that write to topics.
    pub kafka: Kafka,
    /// Logs.
    pub telemetry: Telemetry,
    /// The admin HTTP server.
    pub admin: Admin,
    /// How long a stop may take.
    pub shutdown: Shutdown,
    /// Where each value was written.
    pub places: Places,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// All problems at once: syntax, unknown keys, wrong types, values out of bounds, parts not built in.
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let (config, problems) = Self::draft(sources)?;
        if problems.0.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads and checks everything, for a caller who looks at more before all problems are told: what is wrong is at its default
    /// in the draft.
    ///
    /// # Errors
    ///
    /// Where the file is no TOML.
    pub fn draft(sources: &Sources) -> Result<(Self, Problems), Problems> {
        let (tree, problems) = Tree::build(sources)?;
        let problems = Rc::new(RefCell::new(problems));
        let root = Section::root(&tree, Rc::clone(&problems));
        let config = Self {
            data_dir: PathBuf::from(root.text("data_dir", "./data")),
            workers: usize::try_from(root.number("workers", 1, 1..=64)).unwrap_or(1),
            venue: venue::venue(&root),
            streams: venue::streams(&root),
            account_state: venue::account_state(&root),
            listeners: venue::listeners(&root),
            influencers: followed::influencers(&root),
            state: shared::state(&root),
            storage: storage::storage(&root),
            kafka: kafka::kafka(&root),
            telemetry: service::telemetry(&root),
            admin: service::admin(&root),
            shutdown: service::shutdown(&root),
            places: tree.places.clone(),
        };
        service::not_built_in(&root);
        if config.data_dir.as_os_str().is_empty() {
            root.complain("data_dir", "\"\"", "wants the path of a directory");
        }
        if config.workers > 1 {
            root.complain("workers", &config.workers.to_string(), "this build runs one worker");
        }
        root.done();
        Ok((config, problems.take()))
    }
}
