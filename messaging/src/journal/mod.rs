//! The journal: local, append-only, checksummed, group-committed; the single truth of the process that owns it.
//!
//! Records go in by batches through a bounded queue ([`Appender`], never waits), one thread writes and syncs them, and
//! everything else follows with a [`Reader`] and a [`Cursor`]. A [`Fold`] keeps the state the records add up to; it is saved
//! in front of every segment, so a start reads two or three segments, however long the journal is.
//! The format and every rule are in `docs/journal-format.md`.
//!
//! What is promised: nothing durable is lost or cut; positions increase and are never used twice; order is kept; what
//! cannot be read is named. What failed on the disk is kept in memory and written again elsewhere; a failed fsync is never
//! retried and believed.
//! Not here: what records mean, who may write (one [`Journal`] per directory, by lock), compression.
//! Clocks: positions begin at the wall-clock ns the owner gives; durations are the writer thread's own; venue times are
//! labels.

mod batch;
mod config;
mod counters;
mod cursor;
mod error;
mod format;
mod identity;
mod index;
mod progress;
mod queue;
mod reader;
mod record;
mod scan;
mod segment;
mod start;
mod tail;
mod thread;
mod window;
mod writer;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub use batch::{BatchBuilder, BatchError};
pub use config::{ConfigError, Fsync, JournalConfig};
pub use counters::Counters;
pub use cursor::{Cursor, CursorError, CursorFile, Done, From, Origin, Stored};
pub use error::{Damage, OpenError, PassedOver, StartReport, TornTail};
pub use format::{JournalId, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_BODY_BYTES};
pub use index::{Query, label};
pub use progress::{Alarms, Failing, Pressure, Progress, Ticket, Waited};
pub use queue::{Appender, Refused};
pub use reader::{Limit, Read, ReadError, Reader};
pub use record::{Class, Fold, NO_TIME, NewRecord, Record};

use crate::storage::Storage;
use thread::Shared;

const LOCK: &str = "lock";

/// A journal that was opened.
#[derive(Debug)]
pub struct Opened<F> {
    /// The journal, its writer running.
    pub journal: Journal,
    /// The state at [`StartReport::end`], for the owner to go on from; the writer has its own.
    pub state: F,
    /// What the start found.
    pub report: StartReport,
}

/// An open journal. Dropping it writes and syncs what is queued, once; [`Journal::close`] also says whether that worked.
pub struct Journal {
    storage: Arc<dyn Storage>,
    id: JournalId,
    shared: Shared,
    cursors: Arc<cursor::Cursors>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("id", &self.id)
            .field("progress", &self.shared.progress)
            .finish_non_exhaustive()
    }
}

/// A close that ended before everything was durable.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("journal closed with {batches} batches not durable: {last_error}")]
pub struct NotDurable {
    /// Accepted batches that are not known to be on the disk.
    pub batches: u64,
    /// The last ticket that is durable.
    pub synced: Ticket,
    /// What the disk last said, or that it did not answer.
    pub last_error: String,
}

impl Journal {
    /// Whether another process has the journal in `storage` open. Makes nothing, not even where there is none.
    pub fn is_in_use(storage: &dyn Storage) -> bool {
        let made = storage.list("").is_ok_and(|names| names.iter().any(|name| name == LOCK));
        made && storage.lock(LOCK).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Opens the journal in `storage`, or makes one, and starts its writer.
    ///
    /// `now_ns` is the wall clock in ns: positions of this run begin there or behind the last one, whichever is later.
    /// `restore` makes the state from a checkpoint, or a fresh one from `None`.
    ///
    /// # Errors
    /// [`OpenError`]. A damaged checkpoint or record is no error: the report names it.
    pub fn open<F, E>(
        config: JournalConfig,
        storage: Arc<dyn Storage>,
        now_ns: u64,
        restore: impl Fn(Option<&[u8]>) -> Result<F, E>,
    ) -> Result<Opened<F>, OpenError>
    where
        F: Fold,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        storage
            .create_dir("")
            .map_err(|source| OpenError::Io { what: "make the directory".to_owned(), source })?;
        let lock = storage.lock(LOCK).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                OpenError::InUse
            } else {
                OpenError::Io { what: "lock".to_owned(), source }
            }
        })?;
        let restore = |saved: Option<&[u8]>| restore(saved).map_err(Into::into);
        let (mut writer, report) = start::start(config.clone(), Arc::clone(&storage), now_ns, restore)?;
        let mut saved = Vec::new();
        let not_restored = |source| OpenError::Restore { segment: report.end, source };
        writer.fold.save(&mut saved).map_err(|error| not_restored(error.into()))?;
        let state = restore(Some(&saved)).map_err(not_restored)?;
        drop(saved);
        let shared = Shared { queue: Arc::new(queue::Queue::new(&config)), progress: Arc::default() };
        let _ = shared.queue.held(writer.held());
        writer.count();
        shared.progress.publish(writer.standing(), &writer.counters);
        let (id, cursors) = (writer.journal, Arc::clone(&writer.cursors));
        let for_thread = shared.clone();
        let spawned = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            // The directory is ours until the writer has ended, even if its owner gave up waiting.
            let _lock = lock;
            thread::run(writer, &config, for_thread, now_ns);
        });
        let thread = Some(spawned.map_err(OpenError::Thread)?);
        Ok(Opened { journal: Self { storage, id, shared, cursors, thread }, state, report })
    }

    /// The journal's identity.
    #[must_use]
    pub fn id(&self) -> JournalId {
        self.id
    }

    /// A way in, for any thread.
    #[must_use]
    pub fn appender(&self) -> Appender {
        Appender { queue: Arc::clone(&self.shared.queue), progress: Arc::clone(&self.shared.progress) }
    }

    /// How far it is, what it did, what is wrong.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.shared.progress)
    }

    /// A reader from `position` on; 0 is before everything and says what is [`Read::Gone`].
    #[must_use]
    pub fn reader(&self, position: u64, limit: Limit) -> Reader {
        let bound = reader::Bound::Owner(self.progress(), limit);
        Reader::new(Arc::clone(&self.storage), self.id, bound, position)
    }

    /// The position of the oldest record there can be.
    ///
    /// # Errors
    /// What the disk says.
    pub fn oldest(&self) -> io::Result<u64> {
        Ok(segment::list(&*self.storage)?.first().copied().unwrap_or_default())
    }

    /// Takes up the cursor of that name, or makes it where `from` says. When this returned it is durable and holds its
    /// segments. Register all before [`Journal::allow_deletion`].
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn register_cursor(&self, name: &str, from: From) -> Result<Cursor, CursorError> {
        let context =
            cursor::Context { storage: &*self.storage, journal: self.id, progress: &self.shared.progress };
        let (file, origin) = self.cursors.register(&context, name, from)?;
        Ok(Cursor {
            name: name.to_owned(),
            file,
            origin,
            cursors: Arc::clone(&self.cursors),
            progress: self.progress(),
            queue: Arc::clone(&self.shared.queue),
        })
    }

    /// Says that every sink's cursor is registered: from now on old segments may go.
    pub fn allow_deletion(&self) {
        self.cursors.complete();
        self.shared.queue.kick();
    }

    /// Takes no more batches, makes everything durable, and ends. On a failing disk it tries until `timeout`.
    ///
    /// # Errors
    /// [`NotDurable`]: what was accepted and may be lost.
    pub fn close(mut self, timeout: Duration) -> Result<(), NotDurable> {
        self.shared.queue.close();
        let last = self.shared.queue.tickets();
        let waited = self.shared.progress.wait_ended(timeout);
        self.shared.queue.abandon();
        if waited {
            self.join();
        } else {
            // The disk holds the thread; it ends by itself when the disk lets go.
            self.thread = None;
        }
        let synced = self.shared.progress.tickets_synced();
        if synced >= last {
            return Ok(());
        }
        let failing = self.shared.progress.alarms().failing;
        let last_error = failing
            .map_or_else(|| "the disk did not answer in time".to_owned(), |failing| failing.last_error);
        Err(NotDurable { batches: last.0 - synced.0, synced, last_error })
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread ended in a panic");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.shared.queue.abandon();
        self.join();
    }
}

/// Reads arbitrary bytes as a segment that begins at `first`: how many records are good, and what is not. For fuzzing.
#[doc(hidden)]
#[must_use]
pub fn fuzz_open(first: u64, bytes: &[u8]) -> (u64, Vec<Damage>) {
    let journal = start::journal_of(bytes).unwrap_or_else(JournalId::random);
    start::read_any(first, journal, bytes.to_vec())
}

#[cfg(test)]
mod tests;
