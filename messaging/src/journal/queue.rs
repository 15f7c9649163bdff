//! The bounded queue between producers and the writer: one buffer that batches are copied into, swapped out whole, so
//! that a group commit is one write without another copy.
//! Full is an answer, given at once, with nothing taken. Memory: twice `queue_bytes` at most, the buffer and its twin.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::batch::BatchBuilder;
use super::config::JournalConfig;
use super::progress::{Progress, Ticket};
use super::record::Class;

/// A batch was not taken; the builder still holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The disk does not keep up or fails: try again after [`Progress`] moved.
    #[error("the journal's queue is full")]
    QueueFull,
    /// A cursor holds the oldest segment and the journal's share of the disk is used up.
    #[error("the journal's share of the disk is used up")]
    DiskFull,
    /// The journal was closed, or its writer ended.
    #[error("the journal is closed")]
    Closed,
    /// There is nothing in the batch.
    #[error("the batch is empty")]
    Empty,
}

/// Batches that go to the disk in one write.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) bytes: Vec<u8>,
    pub(crate) batches: u64,
    /// The ticket of its last batch.
    pub(crate) ticket: u64,
}

#[derive(Debug, Default)]
struct State {
    group: Group,
    tickets: u64,
    /// Taken by the writer and not durable yet.
    unsynced_bytes: usize,
    unsynced_batches: u64,
    disk_bytes: u64,
    reserve: u64,
    at_floor: bool,
    kicked: bool,
    closing: bool,
    abandoned: bool,
    ended: bool,
    refused_queue: u64,
    refused_disk: u64,
    /// The batch that was refused for the disk's share and will be offered again.
    wanted: usize,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    queue_bytes: usize,
    queue_batches: u64,
    max_bytes: u64,
}

/// What the writer is to do.
#[derive(Debug)]
pub(crate) enum Work {
    Write(Group),
    /// Nothing to write; look whether something can be deleted.
    Tidy,
    Close,
}

/// What the writer tells the queue after each step.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) unsynced_bytes: usize,
    pub(crate) unsynced_batches: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) reserve: u64,
    /// Nothing more can be deleted and no cursor is behind.
    pub(crate) at_floor: bool,
}

impl State {
    /// In the queue, or taken by the writer and not durable.
    fn waiting(&self) -> usize {
        self.group.bytes.len() + self.unsynced_bytes
    }

    /// Whether so many bytes more are over a bound, and a cursor is to blame or something waits before them.
    fn is_over(&self, bytes: usize, bound: u64) -> bool {
        let used = self.disk_bytes.saturating_add((self.waiting() + bytes) as u64);
        used > bound && (self.waiting() > 0 || !self.at_floor)
    }
}

impl Queue {
    pub(crate) fn new(config: &JournalConfig) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            queue_bytes: config.queue_bytes,
            queue_batches: config.queue_batches as u64,
            max_bytes: config.max_bytes,
        }
    }

    pub(crate) fn push(&self, batch: &mut BatchBuilder, class: Class) -> Result<Ticket, Refused> {
        if batch.is_empty() {
            return Err(Refused::Empty);
        }
        let bytes = batch.encoded();
        let mut state = self.lock();
        if state.closing || state.ended {
            return Err(Refused::Closed);
        }
        let waiting = state.waiting();
        let batches = state.group.batches + state.unsynced_batches;
        // An empty queue takes any one batch: the largest record is as large as the default queue.
        if waiting > 0 && (waiting + bytes.len() > self.queue_bytes || batches >= self.queue_batches) {
            state.refused_queue += 1;
            return Err(Refused::QueueFull);
        }
        let bound = match class {
            Class::Event => self.max_bytes,
            Class::Control => self.max_bytes.saturating_add(state.reserve),
            Class::Unblock => u64::MAX,
        };
        if state.is_over(bytes.len(), bound) {
            state.refused_disk += 1;
            state.wanted = bytes.len();
            state.kicked = true;
            self.work.notify_all();
            return Err(Refused::DiskFull);
        }
        state.group.bytes.extend_from_slice(bytes);
        state.group.batches += 1;
        state.wanted = 0;
        state.tickets += 1;
        state.group.ticket = state.tickets;
        let ticket = Ticket(state.tickets);
        self.work.notify_all();
        drop(state);
        batch.clear();
        Ok(ticket)
    }

    /// Waits for work. `spare` becomes the buffer producers fill next.
    pub(crate) fn take(&self, spare: Vec<u8>) -> Work {
        let idle = |state: &mut State| state.group.batches == 0 && !state.kicked && !state.closing;
        let mut state = self.work.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        state.kicked = false;
        if state.group.batches > 0 {
            let group = std::mem::replace(&mut state.group, Group { bytes: spare, ..Group::default() });
            state.unsynced_bytes += group.bytes.len();
            state.unsynced_batches += group.batches;
            return Work::Write(group);
        }
        if state.closing { Work::Close } else { Work::Tidy }
    }

    /// Pauses between two attempts on a failing disk. True when the owner no longer wants to wait.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let waited = self.work.wait_timeout_while(self.lock(), pause, |state| !state.abandoned);
        waited.unwrap_or_else(PoisonError::into_inner).0.abandoned
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().group.batches == 0
    }

    /// Tells what is held; gives back (refused for the queue, refused for the disk).
    pub(crate) fn held(&self, held: Held) -> (u64, u64) {
        let mut state = self.lock();
        (state.unsynced_bytes, state.unsynced_batches) = (held.unsynced_bytes, held.unsynced_batches);
        (state.disk_bytes, state.reserve, state.at_floor) = (held.disk_bytes, held.reserve, held.at_floor);
        (state.refused_queue, state.refused_disk)
    }

    /// Whether no [`Class::Event`] is taken, however small.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.lock().is_over(1, self.max_bytes)
    }

    /// What waits in the queue itself.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.lock().group.bytes.len() as u64
    }

    /// The room that a refused batch waits for.
    pub(crate) fn wanted_bytes(&self) -> u64 {
        self.lock().wanted as u64
    }

    pub(crate) fn kick(&self) {
        self.lock().kicked = true;
        self.work.notify_all();
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
    }

    pub(crate) fn abandon(&self) {
        self.lock().abandoned = true;
        self.work.notify_all();
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
    }

    /// The last ticket given out.
    pub(crate) fn tickets(&self) -> Ticket {
        Ticket(self.lock().tickets)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No call under it can panic half-way, so it is whole even after a panic elsewhere.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands batches to the journal, from any thread.
#[derive(Clone, Debug)]
pub struct Appender {
    pub(crate) queue: Arc<Queue>,
    pub(crate) progress: Arc<Progress>,
}

impl Appender {
    /// Takes the batch and empties the builder, or leaves it as it is. Never waits for the disk.
    ///
    /// # Errors
    /// [`Refused`]; the builder still holds the batch.
    pub fn try_append(&self, batch: &mut BatchBuilder, class: Class) -> Result<Ticket, Refused> {
        self.queue.push(batch, class)
    }

    /// Whether [`Class::Event`] is refused for the disk's share, however small it is.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        self.queue.is_disk_full()
    }

    /// How far the journal is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}
