//! What can be said about a sink at any moment.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::journal::Progress;

/// Counts of one sink since it was opened; the levels (`files`, `stored_bytes`) are of now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Lines delivered.
    pub lines: u64,
    /// Their bytes, line feeds included.
    pub bytes: u64,
    /// Lines that the target refused for good and that are kept elsewhere.
    pub rejected: u64,
    /// Lines not written because the stream has them already.
    pub repeats: u64,
    /// Files there are.
    pub files: u64,
    /// Bytes in them.
    pub stored_bytes: u64,
    /// Files deleted because the stream is over its `max_bytes`.
    pub deleted_files: u64,
    /// Bytes that were in them.
    pub deleted_bytes: u64,
    /// Deletions that failed; they are tried again.
    pub delete_failures: u64,
    /// Bytes of half-written lines cut at the start.
    pub cut_bytes: u64,
    /// Whole lines found at the start that are none of ours; left as they are.
    pub unrecognised: u64,
}

/// A sink that does not get on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SinkFailing {
    /// The first failure since the last success.
    pub since: Instant,
    /// Tries since then.
    pub attempts: u64,
    /// What was said last, with its causes.
    pub error: String,
}

/// One look at a sink.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SinkStatus {
    /// Everything before this journal position is delivered.
    pub delivered: u64,
    /// What a restart would read as the cursor: at or before `delivered`.
    pub stored: u64,
    /// Durable records that came since the sink was opened and are not delivered.
    pub lag: u64,
    /// It is still busy with what was in the journal when it was opened; how many records that is, nobody counted.
    pub catching_up: bool,
    /// Records read, those without a line included.
    pub records: u64,
    /// Holes in the journal, damaged or deleted, that were passed.
    pub holes: u64,
    /// The positions in them; where one spans the time between two runs, most were never used.
    pub lost_positions: u64,
    /// Set while nothing gets on.
    pub failing: Option<SinkFailing>,
    /// How often something failed, since the sink was opened.
    pub failures: u64,
    /// The last error, also when it has passed.
    pub last_error: Option<String>,
    /// The sink's own numbers.
    pub tally: Tally,
    /// It will do nothing more.
    pub ended: bool,
    /// It is switched off and only keeps its place.
    pub paused: bool,
}

/// Where a pump writes its status; held for a few assignments only.
#[derive(Debug)]
pub(super) struct Board {
    status: Mutex<SinkStatus>,
    progress: Arc<Progress>,
    /// The journal's durable end when the sink was opened. From there on positions count records.
    begun: u64,
}

/// A sink's status, readable from any thread at any time, also after the sink has ended.
#[derive(Clone, Debug)]
pub struct SinkWatch {
    board: Arc<Board>,
}

impl SinkWatch {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self { board }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.board.progress
    }

    /// The thread around the pump is gone, whatever the pump said last.
    pub(super) fn mark_ended(&self, panicked: bool) {
        let mut status = self.board.lock();
        status.ended = true;
        if panicked {
            status.last_error = Some("a panic in the sink or its owner".to_owned());
        }
    }

    /// The status now.
    #[must_use]
    pub fn status(&self) -> SinkStatus {
        let status = self.board.lock().clone();
        let begun = self.board.begun;
        let lag = self.board.progress.synced().saturating_sub(status.delivered.max(begun));
        SinkStatus { lag, catching_up: status.delivered < begun, ..status }
    }
}

impl Board {
    pub(super) fn new(status: SinkStatus, progress: Arc<Progress>) -> Self {
        let begun = progress.synced();
        Self { status: Mutex::new(status), progress, begun }
    }

    pub(super) fn records(&self, records: u64) {
        self.lock().records += records;
    }

    pub(super) fn lost(&self, positions: u64) {
        let mut status = self.lock();
        status.holes += 1;
        status.lost_positions = status.lost_positions.saturating_add(positions);
    }

    pub(super) fn standing(&self, delivered: u64, stored: u64, tally: Tally, ended: bool) {
        let mut status = self.lock();
        (status.delivered, status.stored, status.tally, status.ended) = (delivered, stored, tally, ended);
    }

    /// Something failed, and all the same it goes on.
    pub(super) fn error(&self, error: &dyn Error) {
        let mut status = self.lock();
        status.failures += 1;
        status.last_error = Some(told(error));
    }

    /// Notes a failure; the error's text when it is the first of a row.
    pub(super) fn stuck(&self, now: Instant, error: &dyn Error) -> Option<String> {
        let mut status = self.lock();
        let error = told(error);
        let first = status.failing.is_none().then(|| error.clone());
        status.failures += 1;
        status.last_error = Some(error.clone());
        let (since, attempts) =
            status.failing.as_ref().map_or((now, 0), |failing| (failing.since, failing.attempts));
        status.failing = Some(SinkFailing { since, attempts: attempts + 1, error });
        first
    }

    /// Notes a success; the failure it ended, if there was one.
    pub(super) fn going_on(&self) -> Option<SinkFailing> {
        self.lock().failing.take()
    }

    fn lock(&self) -> MutexGuard<'_, SinkStatus> {
        // Plain assignments: whole even after a panic elsewhere.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes in one line.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
