//! The newest state of a list, handed from the thread that reads it to its owner: a slot, not a queue. An owner who does not look loses
//! nothing but what was in between, and neither waits for the other.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::{InfluencerSet, ListProblem, Refusal};

/// Everything that is to be known of the list.
pub(super) struct State {
    pub(super) live: InfluencerSet,
    pub(super) refused: Vec<Refusal>,
    pub(super) problem: Option<ListProblem>,
    /// The version of the list that is live.
    pub(super) version: u64,
}

#[derive(Default)]
pub(super) struct Slot {
    newest: Mutex<Option<State>>,
    filled: Condvar,
}

impl Slot {
    /// Replaces what was not taken yet.
    pub(super) fn put(&self, state: State) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        self.filled.notify_all();
    }

    pub(super) fn take(&self) -> Option<State> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits for a state, not longer than `within`.
    pub(super) fn wait(&self, within: Duration) -> Option<State> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.filled.wait_timeout_while(newest, within, |newest| newest.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }
}
