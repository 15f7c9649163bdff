//! Ready is earned, and can be lost again: a part that must work holds a latch until it does.
//!
//! The service is ready while no latch is held. Take the latches of all parts before the admin server starts, or
//! the service is ready before it began. Dropping a latch without [`Latch::retire`] means its part ended
//! unexpectedly: it stays held, with that as the reason.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::metrics::Gauge;

/// The reason a latch is born with.
const STARTING: &str = "starting";

/// The reason of a part that was told to stop.
const STOPPING: &str = "stopping";

/// The latches of all parts. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    latches: Mutex<Latches>,
    ready: Gauge,
}

#[derive(Debug, Default)]
struct Latches {
    next: u64,
    /// Why it is held, by the order it was taken; `None` while released.
    reasons: BTreeMap<u64, (String, Option<String>)>,
}

/// A part that holds the service back, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// The part.
    pub name: String,
    /// Why it is not ready.
    pub reason: String,
}

impl Readiness {
    /// Readiness shown in this gauge, 1 or 0.
    pub(crate) fn shown_in(ready: Gauge) -> Self {
        ready.set(1.0);
        Self(Arc::new(Shared { latches: Mutex::default(), ready }))
    }

    /// A latch for the part `name`, held because it is starting. Two parts may have one name.
    #[must_use = "the service is not ready before it is released"]
    pub fn latch(&self, name: &str) -> Latch {
        let mut latches = self.0.latches();
        let id = latches.next;
        latches.next += 1;
        drop(latches);
        let latch = Latch { id, name: name.to_owned(), shared: Arc::clone(&self.0) };
        latch.hold(STARTING);
        latch
    }

    /// Whether no latch is held.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.latches().is_ready()
    }

    /// The latches that are held, in the order they were made.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let latches = self.0.latches();
        let held = latches.reasons.values().filter_map(|(name, reason)| {
            reason.as_ref().map(|reason| Held { name: name.clone(), reason: reason.clone() })
        });
        held.collect()
    }
}

/// One part's say in whether the service is ready.
#[derive(Debug)]
pub struct Latch {
    id: u64,
    name: String,
    shared: Arc<Shared>,
}

impl Latch {
    /// The part works.
    pub fn release(&self) {
        self.shared.change(|latches| {
            latches.reasons.insert(self.id, (self.name.clone(), None));
        });
    }

    /// The part does not work any more, or for another reason than before.
    pub fn hold(&self, reason: &str) {
        self.shared.change(|latches| {
            latches.reasons.insert(self.id, (self.name.clone(), Some(reason.to_owned())));
        });
    }

    /// The part is told to stop: no alarm, and nobody should ask the service for anything new.
    pub fn hold_stopping(&self) {
        self.hold(STOPPING);
    }

    /// The part is not needed any more.
    pub fn retire(self) {
        self.shared.change(|latches| {
            latches.reasons.remove(&self.id);
        });
        // Not dropped as one that ended unexpectedly: the entry is gone, and `drop` only touches what is there.
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.shared.change(|latches| {
            if let Some((_, reason)) = latches.reasons.get_mut(&self.id) {
                *reason = Some("ended".to_owned());
            }
        });
    }
}

impl Latches {
    fn is_ready(&self) -> bool {
        self.reasons.values().all(|(_, reason)| reason.is_none())
    }
}

impl Shared {
    fn latches(&self) -> MutexGuard<'_, Latches> {
        self.latches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes latches; says so in the log when that makes or unmakes the service ready.
    fn change(&self, change: impl FnOnce(&mut Latches)) {
        let mut latches = self.latches();
        let before = latches.is_ready();
        change(&mut latches);
        let after = latches.is_ready();
        // Set under the lock, so that the last change is what is shown.
        self.ready.set(f64::from(u8::from(after)));
        let first = latches.reasons.values().find_map(|(name, reason)| Some((name.clone(), reason.clone()?)));
        drop(latches);
        match first {
            None if !before => tracing::info!("ready"),
            // A part that begins, or ends because it is told to, is no alarm.
            Some((part, reason)) if before && [STARTING, STOPPING].contains(&reason.as_str()) => {
                tracing::info!(part, reason, "not ready");
            }
            Some((part, reason)) if before => tracing::warn!(part, reason, "not ready"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(readiness: &Readiness) -> Vec<(String, String)> {
        readiness.held().into_iter().map(|held| (held.name, held.reason)).collect()
    }

    #[test]
    fn ready_is_earned_by_every_part_and_can_be_lost() {
        let readiness = Readiness::default();
        let (journal, listener) = (readiness.latch("journal"), readiness.latch("listener"));
        assert_eq!(names(&readiness)[0], ("journal".into(), "starting".into()));
        journal.release();
        assert!(!readiness.is_ready());
        listener.release();
        assert!(readiness.is_ready() && readiness.held().is_empty());
        journal.hold("disk full");
        assert_eq!(names(&readiness), [("journal".into(), "disk full".into())]);
        journal.release();
        assert!(readiness.is_ready());
    }

    #[test]
    fn a_part_that_vanishes_is_not_ready_but_a_retired_one_does_not_count() {
        let readiness = Readiness::default();
        readiness.latch("old").retire();
        assert!(readiness.is_ready());
        let latch = readiness.latch("listener");
        latch.release();
        drop(latch);
        assert_eq!(names(&readiness), [("listener".into(), "ended".into())]);
    }

    #[test]
    fn parts_of_one_name_hold_each_for_itself() {
        let readiness = Readiness::default();
        let (a, b) = (readiness.latch("listener"), readiness.latch("listener"));
        a.release();
        assert_eq!(readiness.held().len(), 1);
        b.release();
        assert!(readiness.is_ready());
    }

    #[test]
    fn the_gauge_shows_it() {
        let gauge = Gauge::default();
        let readiness = Readiness::shown_in(gauge.clone());
        let latch = readiness.latch("a");
        assert_eq!(gauge.value(), 0.0);
        latch.release();
        assert_eq!(gauge.value(), 1.0);
    }
}
