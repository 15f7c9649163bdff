//! Cursors: how far a sink is, kept in two checksummed slots that are overwritten in turn.
//!
//! A store survives a crash at any moment: the other slot still holds the one before. The file has its full size from
//! the start, so a full disk does not fail a store (on copy-on-write file systems it can; a failed store is "not
//! stored", to be tried again). No stored cursor passes `synced`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::format::JournalId;
use super::progress::Progress;
use super::queue::Queue;
use crate::storage::{Storage, StoredFile, replace};

const MAGIC: [u8; 4] = *b"CURS";
const VERSION: u32 = 1;
const SLOT: usize = 64;
/// In different sectors and pages: what takes one does not take the other.
const SLOT_DISTANCE: u64 = 4_096;
const FILE_BYTES: usize = 2 * SLOT_DISTANCE as usize;
pub(crate) const DIR: &str = "cursors";

/// Where a sink without a cursor begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum From {
    /// Behind the newest durable record.
    End,
    /// At the oldest record there is.
    Oldest,
}

/// How a cursor got its position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The file was not there: as asked by [`From`].
    New,
    /// As it was stored.
    Resumed,
    /// It was stored at this position, past the end: it is at the end now.
    Clamped(u64),
    /// It was of another journal, at this position: it is at the oldest record now, all of which it has not seen.
    OtherJournal(JournalId, u64),
    /// Neither slot was good: it is at the oldest record now; what it sends again has the same content.
    Damaged,
}

/// A cursor that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// Letters, digits, `_`, `.`, `-`; 1 to 128 of them.
    #[error("{0:?} is no cursor name")]
    Name(String),
    /// Two of one name would overwrite each other.
    #[error("cursor {0} is registered already")]
    Registered(String),
    /// The disk did not do what was asked.
    #[error("cursor {name}: {what} failed")]
    Io {
        /// Whose.
        name: String,
        /// The operation.
        what: &'static str,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

/// A position in a file that survives crashes; [`Cursor`] is one the journal knows of.
pub struct CursorFile {
    file: Box<dyn StoredFile>,
    journal: JournalId,
    /// The position with which it began.
    began: u64,
    sequence: u64,
    next_slot: u64,
    position: u64,
}

impl fmt::Debug for CursorFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CursorFile")
            .field("position", &self.position)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// What was in a cursor file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored {
    /// Of this journal.
    At(u64),
    /// Of another journal.
    Other(JournalId, u64),
    /// No slot is good.
    Damaged,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    sequence: u64,
    position: u64,
    journal: JournalId,
    began: u64,
}

impl Slot {
    fn encode(&self) -> [u8; SLOT] {
        let mut out = [0; SLOT];
        out[0..4].copy_from_slice(&MAGIC);
        out[4..8].copy_from_slice(&VERSION.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.position.to_le_bytes());
        out[24..40].copy_from_slice(self.journal.0.as_bytes());
        out[40..48].copy_from_slice(&self.began.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..64].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn parse(raw: &[u8; SLOT]) -> Option<Self> {
        let word = |at: usize| {
            raw.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        let good = raw[0..4] == MAGIC
            && raw[4..8] == VERSION.to_le_bytes()
            && raw[60..64] == crc32c::crc32c(&raw[..60]).to_le_bytes();
        let mut id = [0; 16];
        id.copy_from_slice(&raw[24..40]);
        let journal = JournalId(uuid::Uuid::from_bytes(id));
        good.then(|| Self { sequence: word(8), position: word(16), journal, began: word(40) })
    }

    /// The newest good slot of a file, and which it is.
    fn newest(file: &dyn StoredFile) -> io::Result<Option<(u64, Self)>> {
        let mut best: Option<(u64, Self)> = None;
        for number in 0..2 {
            let mut raw = [0; SLOT];
            file.read_full_at(&mut raw, number * SLOT_DISTANCE)?;
            if let Some(slot) = Self::parse(&raw)
                && best.is_none_or(|(_, other)| slot.sequence > other.sequence)
            {
                best = Some((number, slot));
            }
        }
        Ok(best)
    }
}

/// What a sink has done with the journal's records: everything from one position to another, that one not included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Done {
    /// Where its cursor began.
    pub from: u64,
    /// Where it stood when it was last stored.
    pub to: u64,
}

/// Looks at a cursor from outside. `None` where there is none of this journal that can be read.
pub(crate) fn look(storage: &dyn Storage, name: &str, journal: JournalId) -> io::Result<Option<Done>> {
    match storage.open_read(&path(name)).and_then(|file| Slot::newest(file.as_ref())) {
        Ok(found) => {
            let ours = found.filter(|(_, slot)| slot.journal == journal);
            Ok(ours.map(|(_, slot)| Done { from: slot.began, to: slot.position }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The position of the sink that is farthest in this journal.
pub(crate) fn foremost(storage: &dyn Storage, journal: JournalId) -> io::Result<u64> {
    let names = match storage.list(DIR) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names?,
    };
    let mut farthest = 0;
    for name in names.iter().filter_map(|name| name.strip_suffix(".cursor")) {
        farthest = look(storage, name, journal)?.map_or(farthest, |done| farthest.max(done.to));
    }
    Ok(farthest)
}

fn path(name: &str) -> String {
    format!("{DIR}/{name}.cursor")
}

impl CursorFile {
    /// Makes the file, durably: when this returned, the cursor exists.
    ///
    /// # Errors
    /// What the disk says.
    pub fn create(storage: &dyn Storage, path: &str, journal: JournalId, position: u64) -> io::Result<Self> {
        let slot = Slot { sequence: 1, position, journal, began: position };
        let mut bytes = vec![0; FILE_BYTES];
        if let Some(front) = bytes.first_chunk_mut::<SLOT>() {
            *front = slot.encode();
        }
        let file = replace(storage, path, &bytes)?;
        Ok(Self { file, journal, began: position, sequence: 1, next_slot: 1, position })
    }

    /// Opens the file and says what was in it; it counts only once it is stored again, because an earlier store may have
    /// failed in a way that left it readable and not durable.
    ///
    /// # Errors
    /// `NotFound`, or what the disk says.
    pub fn open(storage: &dyn Storage, path: &str, journal: JournalId) -> io::Result<(Self, Stored)> {
        let file = storage.open(path)?;
        let Some((number, slot)) = Slot::newest(file.as_ref())? else {
            let damaged = Self { file, journal, began: 0, sequence: 0, next_slot: 0, position: 0 };
            return Ok((damaged, Stored::Damaged));
        };
        let stored = if slot.journal == journal {
            Stored::At(slot.position)
        } else {
            Stored::Other(slot.journal, slot.position)
        };
        let Slot { sequence, position, began, .. } = slot;
        Ok((Self { file, journal, began, sequence, next_slot: 1 - number, position }, stored))
    }

    /// Overwrites the older slot and makes it durable. After an error the position is what it was before.
    ///
    /// # Errors
    /// What the disk says.
    pub fn store(&mut self, position: u64) -> io::Result<()> {
        let (journal, began) = (self.journal, self.began);
        let slot = Slot { sequence: self.sequence + 1, position, journal, began };
        self.file.write_all_at(&slot.encode(), self.next_slot * SLOT_DISTANCE)?;
        self.file.sync_data()?;
        (self.sequence, self.next_slot, self.position) = (slot.sequence, 1 - self.next_slot, position);
        Ok(())
    }

    /// The position last stored or found.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// The registered cursors, as stored. Nothing is deleted before their owner said that all are here.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    stored: BTreeMap<String, u64>,
    complete: bool,
}

impl Cursors {
    /// The lowest stored cursor; `None` while more may be registered.
    pub(crate) fn deletable_before(&self) -> Option<u64> {
        let table = self.lock();
        table.complete.then(|| table.stored.values().copied().min().unwrap_or(u64::MAX))
    }

    /// The name of the cursor that is lowest.
    pub(crate) fn slowest(&self) -> Option<String> {
        self.lock().stored.iter().min_by_key(|(_, position)| **position).map(|(name, _)| name.clone())
    }

    pub(crate) fn complete(&self) {
        self.lock().complete = true;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // A map and a flag, each changed by one call: whole even after a panic elsewhere.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(
        &self,
        context: &Context<'_>,
        name: &str,
        from: From,
    ) -> Result<(CursorFile, Origin), CursorError> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > 128 || !name.bytes().all(named) {
            return Err(CursorError::Name(name.to_owned()));
        }
        // Held over the disk's work: no segment goes while a new cursor is about to hold it.
        let mut table = self.lock();
        if table.stored.contains_key(name) {
            return Err(CursorError::Registered(name.to_owned()));
        }
        let failed = |what| move |source| CursorError::Io { name: name.to_owned(), what, source };
        let path = path(name);
        let (oldest, synced) =
            (context.oldest().map_err(failed("list segments"))?, context.progress.synced());
        let (file, origin) = match CursorFile::open(context.storage, &path, context.journal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let position = if from == From::End { synced } else { oldest };
                let file = CursorFile::create(context.storage, &path, context.journal, position)
                    .map_err(failed("create"))?;
                (file, Origin::New)
            }
            Err(error) => return Err(failed("open")(error)),
            Ok((mut file, stored)) => {
                let (position, origin) = match stored {
                    Stored::At(position) if position > synced => (synced, Origin::Clamped(position)),
                    Stored::At(position) => (position, Origin::Resumed),
                    Stored::Other(other, position) => (oldest, Origin::OtherJournal(other, position)),
                    Stored::Damaged => (oldest, Origin::Damaged),
                };
                if !matches!(stored, Stored::At(_)) {
                    file.began = position;
                }
                file.store(position).map_err(failed("store"))?;
                (file, origin)
            }
        };
        table.stored.insert(name.to_owned(), file.position());
        Ok((file, origin))
    }
}

/// What registering needs to know of the journal.
pub(crate) struct Context<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) journal: JournalId,
    pub(crate) progress: &'a Progress,
}

impl Context<'_> {
    fn oldest(&self) -> io::Result<u64> {
        Ok(super::segment::list(self.storage)?.first().copied().unwrap_or_default())
    }
}

/// A sink's cursor. While it exists, and after, until [`Cursor::retire`], no segment at or behind it is deleted.
#[derive(Debug)]
pub struct Cursor {
    pub(crate) name: String,
    pub(crate) file: CursorFile,
    pub(crate) origin: Origin,
    pub(crate) cursors: Arc<Cursors>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) queue: Arc<Queue>,
}

impl Cursor {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it got its first position in this run.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The position as it is stored: everything below it is done.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.file.position()
    }

    /// Stores that everything below `position` is done, at most up to `synced`, and gives back what was stored. When that
    /// is less than asked, store again once [`Progress::synced`] moved. Never moves back.
    ///
    /// # Errors
    /// What the disk says; the cursor is then where it was, and storing again is right.
    pub fn store(&mut self, position: u64) -> io::Result<u64> {
        let position = position.min(self.progress.synced());
        if position > self.file.position() {
            self.file.store(position)?;
            self.cursors.lock().stored.insert(self.name.clone(), position);
            self.queue.kick();
        }
        Ok(self.file.position())
    }

    /// The sink was removed: the file stays, but it holds no segment any more. One that returns goes on from it, and is
    /// told by the reader what has gone.
    pub fn retire(self) {
        self.cursors.lock().stored.remove(&self.name);
        self.queue.kick();
    }
}
