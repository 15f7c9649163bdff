//! What can be said of the shared state at any moment.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::Place;

/// One look at the shared state of a writer, as `/status` shows it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedStatus {
    /// The Redis and what its keys begin with, without a login.
    pub place: String,
    /// Our name as the writer.
    pub holder: String,
    /// The epoch of this writer.
    pub epoch: u64,
    /// The highest epoch seen there.
    pub highest: u64,
    /// Whether the lease is ours, as far as we know.
    pub leased: bool,
    /// States written since the start; one each time.
    pub written: u64,
    /// Accounts whose state there is older than what the sinks have acknowledged.
    pub waiting: u64,
    /// Everything before this journal position is in the states that wait or are written.
    pub position: u64,
    /// How often the Redis had forgotten the lease or the epoch: then everything is written again.
    pub forgotten: u64,
    /// Why the lease is not renewed, while that is so.
    pub failing: Option<String>,
    /// Why the states are not written, while that is so.
    pub unwritten: Option<String>,
    /// Why this writer has to stop: another one writes, or may.
    pub lost: Option<String>,
}

/// The same, readable from any thread.
#[derive(Clone, Debug)]
pub struct SharedWatch {
    status: Arc<Mutex<SharedStatus>>,
}

impl SharedWatch {
    pub(super) fn new(place: &Place, holder: &str, epoch: u64, leased: bool) -> Self {
        let status = SharedStatus {
            place: place.to_string(),
            holder: holder.to_owned(),
            epoch,
            highest: epoch,
            leased,
            ..SharedStatus::default()
        };
        Self { status: Arc::new(Mutex::new(status)) }
    }

    /// The status now.
    #[must_use]
    pub fn get(&self) -> SharedStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut SharedStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
