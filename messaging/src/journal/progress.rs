//! How far the journal is: numbers any thread may read, and waiting for them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counters::Counters;

/// The number of an accepted batch; they count up by one in the order the journal took them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// Why the journal cannot write at the moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failing {
    /// When it began, in the ns of the `now_ns` given at the open.
    pub since_ns: u64,
    /// Attempts to go on since then.
    pub attempts: u64,
    /// What the disk last said.
    pub last_error: String,
}

/// Something an operator should look at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Alarms {
    /// The disk fails; batches are kept and retried.
    pub failing: Option<Failing>,
    /// A cursor is so far behind that what it holds takes 80 % of `max_bytes`; until it takes less than 70 %.
    pub nearly_full: bool,
    /// The same at 95 %, until it takes less than 90 %.
    pub almost_full: bool,
    /// Which cursor that is, while it is so.
    pub behind: Option<String>,
    /// `max_bytes` is too small for a state of this size, and so much would be enough: several times as much is written of state
    /// as of records, `max_bytes` may be exceeded, and little is taken before sinks are at the end.
    pub too_small: Option<u64>,
}

/// How much of `max_bytes` is held by a cursor that is behind; see [`Alarms`]. In this order.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pressure {
    /// There is room.
    #[default]
    Low,
    /// [`Alarms::nearly_full`].
    High,
    /// [`Alarms::almost_full`].
    Highest,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waited {
    /// It is so.
    Reached,
    /// Not yet.
    TimedOut,
    /// The writer has ended and it will not be so.
    Ended,
}

impl Alarms {
    fn pressure(&self) -> Pressure {
        match (self.almost_full, self.nearly_full) {
            (true, _) => Pressure::Highest,
            (false, true) => Pressure::High,
            (false, false) => Pressure::Low,
        }
    }
}

type Wake = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Shared {
    alarms: Alarms,
    counters: Counters,
    wakes: Vec<Wake>,
}

/// Shared between the writer, producers and sinks.
#[derive(Default)]
pub struct Progress {
    segments_made: AtomicU64,
    appended: AtomicU64,
    readable: AtomicU64,
    synced: AtomicU64,
    tickets_appended: AtomicU64,
    tickets_synced: AtomicU64,
    pressure: AtomicU8,
    ended: AtomicBool,
    shared: Mutex<Shared>,
    moved: Condvar,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("appended", &self.appended())
            .field("synced", &self.synced())
            .finish_non_exhaustive()
    }
}

/// What the writer makes known after each step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) appended: u64,
    pub(crate) synced: u64,
    pub(crate) tickets_appended: u64,
    pub(crate) tickets_synced: u64,
    pub(crate) alarms: Alarms,
}

impl Progress {
    /// The position behind the last record that was written: safe from the death of this process.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    /// The position behind the last record that is safe from power loss.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// How far [`super::Limit::Appended`] reads: `appended`, or `synced` while the disk fails.
    #[must_use]
    pub fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    /// Counts the segments of this run: when it moves, what a reader has open may have been replaced.
    pub(crate) fn segments_made(&self) -> u64 {
        self.segments_made.load(Ordering::Acquire)
    }

    /// All batches up to this ticket are written.
    #[must_use]
    pub fn tickets_appended(&self) -> Ticket {
        Ticket(self.tickets_appended.load(Ordering::Acquire))
    }

    /// All batches up to this ticket are safe from power loss.
    #[must_use]
    pub fn tickets_synced(&self) -> Ticket {
        Ticket(self.tickets_synced.load(Ordering::Acquire))
    }

    /// The writer is gone: closed, dropped, or ended by a panic in the owner's `Fold`.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// What is wrong now.
    #[must_use]
    pub fn alarms(&self) -> Alarms {
        self.lock().alarms.clone()
    }

    /// How full it is for a cursor that is behind. Cheap enough to ask for every record.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        match self.pressure.load(Ordering::Acquire) {
            0 => Pressure::Low,
            1 => Pressure::High,
            _ => Pressure::Highest,
        }
    }

    /// The numbers now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.lock().counters.clone()
    }

    /// Has `wake` called after every move, from the writer's thread: it must be short and must not call back into the
    /// journal. For owners that wait for other things too.
    pub fn on_move(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.lock().wakes.push(Box::new(wake));
    }

    /// Waits until something at or past `position` is durable: `synced > position`.
    pub fn wait_synced_past(&self, position: u64, timeout: Duration) -> Waited {
        self.wait(timeout, || self.synced() > position)
    }

    /// Waits until something at or past `position` can be read with [`super::Limit::Appended`].
    pub fn wait_readable_past(&self, position: u64, timeout: Duration) -> Waited {
        self.wait(timeout, || self.readable() > position)
    }

    /// Waits until the batch is durable.
    pub fn wait_synced(&self, ticket: Ticket, timeout: Duration) -> Waited {
        self.wait(timeout, || self.tickets_synced() >= ticket)
    }

    /// Waits until the batch is written.
    pub fn wait_appended(&self, ticket: Ticket, timeout: Duration) -> Waited {
        self.wait(timeout, || self.tickets_appended() >= ticket)
    }

    /// Waits until the writer is gone.
    pub(crate) fn wait_ended(&self, timeout: Duration) -> bool {
        drop(self.moved.wait_timeout_while(self.lock(), timeout, |_| !self.ended()));
        self.ended()
    }

    fn wait(&self, timeout: Duration, reached: impl Fn() -> bool) -> Waited {
        let waiting = self.moved.wait_timeout_while(self.lock(), timeout, |_| !reached() && !self.ended());
        drop(waiting);
        match (reached(), self.ended()) {
            (true, _) => Waited::Reached,
            (false, true) => Waited::Ended,
            (false, false) => Waited::TimedOut,
        }
    }

    pub(crate) fn publish(&self, standing: &Standing, counters: &Counters) {
        let mut shared = self.lock();
        // First: who sees the new end must also see that there is a new segment.
        self.segments_made.store(counters.segments_made, Ordering::Release);
        let readable = if standing.alarms.failing.is_some() { standing.synced } else { standing.appended };
        self.readable.store(readable, Ordering::Release);
        self.appended.store(standing.appended, Ordering::Release);
        self.synced.store(standing.synced, Ordering::Release);
        self.tickets_appended.store(standing.tickets_appended, Ordering::Release);
        self.tickets_synced.store(standing.tickets_synced, Ordering::Release);
        self.pressure.store(standing.alarms.pressure() as u8, Ordering::Release);
        shared.alarms = standing.alarms.clone();
        shared.counters.clone_from(counters);
        self.moved.notify_all();
        shared.wakes.iter().for_each(|wake| wake());
    }

    pub(crate) fn end(&self) {
        let shared = self.lock();
        self.ended.store(true, Ordering::Release);
        self.moved.notify_all();
        shared.wakes.iter().for_each(|wake| wake());
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Only plain assignments happen under it, so it is whole even after a panic elsewhere.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
