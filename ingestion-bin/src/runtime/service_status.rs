//! What the service says of itself.

use std::sync::{Arc, Mutex, PoisonError};

use messaging::journal::Progress;
use messaging::sink::SinkWatch;
use observability::Telemetry;
use serde::Serialize;
use serde_json::{Value, json};

use super::core::WorkerStatus;
use super::events::{self, totals};
use super::{clock, sinks};
use crate::cli::Moment;

/// A view of the service that any thread may keep: what `/status` shows.
#[derive(Clone)]
pub struct ServiceStatus {
    pub(super) worker: Arc<Mutex<WorkerStatus>>,
    pub(super) sinks: Arc<Vec<(&'static str, SinkWatch)>>,
    #[cfg(feature = "kafka")]
    pub(super) figures: Arc<super::topics::Figures>,
    pub(super) progress: Arc<Progress>,
    pub(super) telemetry: Telemetry,
    pub(super) started_at_ms: u64,
    pub(super) list: Arc<Mutex<ListStatus>>,
    #[cfg(feature = "redis")]
    pub(super) shared: Option<crate::shared::SharedWatch>,
}

/// What is to be seen of the list of influencers.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListStatus {
    /// The list's file, where it is one.
    pub file: Option<String>,
    /// The Redis that keeps it and the key there, without a login, where it is one.
    pub redis: Option<String>,
    /// Influencers on it, those of the command line too.
    pub listed: usize,
    /// Why the list as a whole is not taken: the last good one is followed instead.
    pub stale: Option<String>,
    /// Entries that are refused.
    pub refused: usize,
    /// The first 100 of them, each with everything wrong about it.
    pub refusals: Vec<String>,
}

impl ServiceStatus {
    /// The worker's part.
    #[must_use]
    pub fn worker(&self) -> WorkerStatus {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The list of influencers.
    #[must_use]
    pub fn list(&self) -> ListStatus {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_list(&self, list: ListStatus) {
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) = list;
    }

    /// Gauges of what moves by itself, for `/metrics`.
    pub(super) fn show_gauges(&self) {
        events::show_list(&self.telemetry, &self.list());
        events::show_journal(&self.telemetry, &self.progress);
        let worker = self.worker();
        events::show_completeness(&self.telemetry, &worker.completeness.total);
        events::show_shedding(&self.telemetry, &worker);
        for (name, watch) in self.sinks.iter() {
            events::show_sink(&self.telemetry, name, &watch.status());
        }
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.shared {
            events::show_shared(&self.telemetry, &shared.get());
        }
        #[cfg(feature = "kafka")]
        for (name, watch) in &self.figures.producers {
            events::show_kafka(&self.telemetry, name, &watch.get());
        }
        #[cfg(feature = "kafka")]
        for (name, trail) in &self.figures.audits {
            events::show_audit(&self.telemetry, name, &trail.status());
        }
    }

    /// Sinks that do not get on, and why.
    pub(super) fn stuck_sinks(&self) -> Vec<String> {
        let failing = |(name, watch): &(&'static str, SinkWatch)| {
            let status = watch.status();
            let why = status
                .failing
                .map(|failing| failing.error)
                .or_else(|| status.last_error.filter(|_| status.ended));
            why.map(|why| format!("sink {name}: {why}"))
        };
        self.sinks.iter().filter_map(failing).collect()
    }

    /// Why a machine that took over now would not know what this one does.
    pub(super) fn unshared(&self) -> Option<String> {
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.shared {
            let crate::shared::SharedStatus { lost, failing, unwritten, place, .. } = shared.get();
            return lost.or(failing).or(unwritten).map(|why| format!("{place}: {why}"));
        }
        None
    }

    /// The highest epoch seen of the shared state.
    #[cfg(feature = "redis")]
    pub(crate) fn shared_epoch(&self) -> Option<u64> {
        self.shared.as_ref().map(|shared| shared.get().highest)
    }

    /// How the shared state stands; nothing where none is shared.
    fn shared(&self) -> Value {
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.shared {
            return json!(shared.get());
        }
        Value::Null
    }

    /// Acknowledged records that are not in their topic as they were: for good, as long as this process runs.
    pub(super) fn differences(&self) -> Option<String> {
        #[cfg(feature = "kafka")]
        let differences: Vec<String> =
            self.figures.audits.iter().filter_map(|(_, trail)| trail.status().difference).collect();
        #[cfg(not(feature = "kafka"))]
        let differences: Vec<String> = Vec::new();
        (!differences.is_empty()).then(|| differences.join("; "))
    }

    #[cfg(feature = "kafka")]
    fn audits(&self) -> Vec<Value> {
        let shown = |(stream, trail): &(&'static str, messaging::kafka::AuditTrail)| {
            let status = trail.status();
            json!({
                "stream": stream,
                "audited": status.audited,
                "lag": status.lag,
                "skipped": status.skipped,
                "notAuditable": status.not_auditable,
                "foreign": status.foreign,
                "differing": status.differing,
                "difference": status.difference,
                "error": status.error,
            })
        };
        self.figures.audits.iter().map(shown).collect()
    }

    #[cfg(not(feature = "kafka"))]
    fn audits(&self) -> Vec<Value> {
        Vec::new()
    }

    /// Why the journal does not take everything.
    pub(super) fn journal_trouble(&self, worker: &WorkerStatus) -> Option<String> {
        let alarms = self.progress.alarms();
        if let Some(failing) = alarms.failing {
            return Some(format!("the disk fails: {}", failing.last_error));
        }
        let behind =
            alarms.behind.map_or_else(String::new, |sink| format!(": sink {sink} is too far behind"));
        let shed = worker.shed_signals + worker.shed_rows;
        let mut troubles = Vec::new();
        if worker.blocked {
            troubles.push(format!("the journal has no room{behind}"));
        } else if shed > 0 {
            troubles.push(format!("{shed} influencers are shed{behind}"));
        }
        if let Some(enough) = alarms.too_small {
            let small = "journal.max_bytes is too small for the state";
            troubles.push(format!("{small}: {enough} would be enough"));
        }
        (!troubles.is_empty()).then(|| troubles.join("; "))
    }

    /// Everything, as `/status` shows it.
    #[must_use]
    pub fn json(&self) -> Value {
        let worker = self.worker();
        let now = clock::monotonic();
        let sinks: Vec<Value> =
            self.sinks.iter().map(|(name, watch)| sinks::shown(name, &watch.status(), now)).collect();
        let (alarms, counters) = (self.progress.alarms(), self.progress.counters());
        let started = Moment(i64::try_from(self.started_at_ms).unwrap_or(0)).rfc3339();
        let totals: Vec<Value> = totals(&self.telemetry)
            .into_iter()
            .map(|(name, label, total)| json!({ "what": name, "label": label, "total": total }))
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "startedAt": started,
            "workers": 1,
            "listeners": {
                "connected": worker.listeners_connected,
                "configured": worker.listeners,
                "cannotConnect": worker.cannot_connect,
                "each": worker.each_listener,
            },
            "venueTime": worker.venue_time,
            "clockAheadMs": worker.clock_ahead_ms,
            "questionsWaiting": worker.questions_waiting,
            "influencers": self.list(),
            "accounts": worker.accounts,
            "gaps": worker.gaps,
            "completeness": worker.completeness,
            "limits": worker.limits,
            "journal": {
                "appended": self.progress.appended(),
                "synced": self.progress.synced(),
                "diskBytes": counters.disk_bytes,
                "nearlyFull": alarms.nearly_full,
                "almostFull": alarms.almost_full,
                "sinkBehind": alarms.behind,
                "wantsMaxBytes": alarms.too_small,
                "failing": alarms.failing.map(|failing| failing.last_error),
                "blocked": worker.blocked,
                "influencersShed": worker.shed_signals + worker.shed_rows,
            },
            "sinks": sinks,
            "sharedState": self.shared(),
            "audit": self.audits(),
            "counts": totals,
        })
    }
}
