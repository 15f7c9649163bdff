//! What was sent again, a line of JSON for each, durable before the next one goes: `redriven.ndjson` in the data directory.
//!
//! Only appended to. A line in the making when the machine died is cut by the next writer: that letter may go twice, with the same id.
//! One writer at a time (`redriven.lock`); anybody reads. Time: `redrivenAt` is the wall clock, unix ms, a label.

use std::collections::HashMap;
use std::io;

use messaging::storage::{Storage, StorageLock, StoredFile, read_small};
use serde::{Deserialize, Serialize};
use signal_domain::Uuid;

const FILE: &str = "redriven.ndjson";
const LOCK: &str = "redriven.lock";

/// More than a million lines.
const BYTES_MAX: usize = 256 << 20;

/// One letter whose record was sent again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redriven {
    /// The letter's.
    pub id: Uuid,
    /// When it was acknowledged, wall clock, unix ms.
    pub redriven_at: u64,
    /// Where to.
    pub topic: String,
    /// Where it is there.
    pub partition: i32,
    /// Its number there.
    pub offset: i64,
}

/// Why there is no ledger, or no line more in it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk.
    #[error("cannot {operation} {FILE}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// A line that is none of ours.
    #[error("{FILE}, line {line}, is none of ours")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Another redrive is at work.
    #[error("another redrive works in this data directory ({LOCK})")]
    InUse,
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> LedgerError {
    move |source| LedgerError::Io { operation, source }
}

/// What was sent again so far: of each letter and topic the newest time.
#[derive(Clone, Debug, Default)]
pub struct Redrives {
    of: HashMap<Uuid, Vec<Redriven>>,
}

impl Redrives {
    /// Reads the ledger below `storage`; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// [`LedgerError`].
    pub fn read(storage: &dyn Storage) -> Result<Self, LedgerError> {
        Ok(Self::read_whole(storage)?.0)
    }

    /// The same, and where its whole lines end.
    fn read_whole(storage: &dyn Storage) -> Result<(Self, u64), LedgerError> {
        let bytes = match read_small(storage, FILE, BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(failed("read"))?,
        };
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = bytes.get(..end).unwrap_or_default();
        let mut redrives = Self::default();
        for (line, text) in (1..).zip(whole.split_inclusive(|byte| *byte == b'\n')) {
            let redriven = serde_json::from_slice(text);
            redrives.add(redriven.map_err(|source| LedgerError::Line { line, source })?);
        }
        Ok((redrives, end as u64))
    }

    fn add(&mut self, redriven: Redriven) {
        let known = self.of.entry(redriven.id).or_default();
        known.retain(|known| known.topic != redriven.topic);
        known.push(redriven);
    }

    /// Whether the record of this letter was sent to that topic again.
    #[must_use]
    pub fn has(&self, letter: Uuid, topic: &str) -> bool {
        self.of.get(&letter).is_some_and(|known| known.iter().any(|redriven| redriven.topic == topic))
    }

    /// Whether anything was sent to that topic again.
    #[must_use]
    pub fn any(&self, topic: &str) -> bool {
        self.of.values().flatten().any(|redriven| redriven.topic == topic)
    }

    /// Where the record of this letter was sent last.
    #[must_use]
    pub fn newest(&self, letter: Uuid) -> Option<&Redriven> {
        self.of.get(&letter)?.last()
    }
}

impl FromIterator<Redriven> for Redrives {
    fn from_iter<I: IntoIterator<Item = Redriven>>(redriven: I) -> Self {
        let mut redrives = Self::default();
        redriven.into_iter().for_each(|redriven| redrives.add(redriven));
        redrives
    }
}

/// The ledger, to be written by this process alone.
#[derive(Debug)]
pub struct Ledger {
    redrives: Redrives,
    file: Box<dyn StoredFile>,
    end: u64,
    _lock: Box<dyn StorageLock>,
}

impl Ledger {
    /// Opens or makes it, and keeps others from writing.
    ///
    /// # Errors
    ///
    /// [`LedgerError`].
    pub fn open(storage: &dyn Storage) -> Result<Self, LedgerError> {
        let lock = storage.lock(LOCK).map_err(|source| {
            let is_held = source.kind() == io::ErrorKind::WouldBlock;
            if is_held { LedgerError::InUse } else { LedgerError::Io { operation: "lock", source } }
        })?;
        let (redrives, end) = Redrives::read_whole(storage)?;
        let file = match storage.open(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => storage.create(FILE),
            opened => opened,
        };
        let file = file.map_err(failed("open"))?;
        file.truncate(end).and_then(|()| file.sync_data()).map_err(failed("cut a torn line of"))?;
        storage.sync_dir("").map_err(failed("make"))?;
        Ok(Self { redrives, file, end, _lock: lock })
    }

    /// What went so far.
    #[must_use]
    pub fn redrives(&self) -> &Redrives {
        &self.redrives
    }

    /// Adds a line; durable when it returns.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; the line may be there or not.
    pub fn note(&mut self, redriven: Redriven) -> Result<(), LedgerError> {
        let written = serde_json::to_vec(&redriven).map_err(io::Error::other);
        let mut line = written.map_err(failed("write"))?;
        line.push(b'\n');
        let written = self.file.write_all_at(&line, self.end).and_then(|()| self.file.sync_data());
        written.map_err(failed("write"))?;
        self.end += line.len() as u64;
        self.redrives.add(redriven);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use messaging::storage::{FaultyStorage, IoFault};

    use super::*;

    fn redriven(id: u128, offset: i64) -> Redriven {
        let id = Uuid::from_u128(id);
        Redriven { id, redriven_at: 1_790_000_000_123, topic: "t".to_owned(), partition: 4, offset }
    }

    #[test]
    fn what_was_noted_survives_a_power_loss() {
        for seed in 0..50 {
            let disk = FaultyStorage::new(seed);
            let mut ledger = Ledger::open(&disk).unwrap();
            ledger.note(redriven(1, 7)).unwrap();
            ledger.note(redriven(1, 8)).unwrap();
            drop(ledger);
            disk.power_loss();
            let redrives = Redrives::read(&disk).unwrap();
            assert_eq!(redrives.newest(Uuid::from_u128(1)), Some(&redriven(1, 8)));
            assert!(redrives.has(Uuid::from_u128(1), "t") && !redrives.has(Uuid::from_u128(1), "u"));
            assert!(!redrives.has(Uuid::from_u128(2), "t"));
        }
    }

    #[test]
    fn a_torn_line_is_none_and_the_next_one_takes_its_place() {
        let disk = FaultyStorage::new(1);
        let mut ledger = Ledger::open(&disk).unwrap();
        ledger.note(redriven(1, 7)).unwrap();
        let end = ledger.end;
        ledger.file.write_all_at(b"{\"id\":", end).unwrap();
        drop(ledger);
        assert!(Redrives::read(&disk).unwrap().has(Uuid::from_u128(1), "t"));
        Ledger::open(&disk).unwrap().note(redriven(2, 8)).unwrap();
        let redrives = Redrives::read(&disk).unwrap();
        assert_eq!(redrives.newest(Uuid::from_u128(2)), Some(&redriven(2, 8)));
    }

    #[test]
    fn a_line_of_somebody_else_is_named() {
        let disk = FaultyStorage::new(1);
        let mut ledger = Ledger::open(&disk).unwrap();
        ledger.note(redriven(1, 7)).unwrap();
        ledger.file.write_all_at(b"hello\n", ledger.end).unwrap();
        let told = Redrives::read(&disk).unwrap_err().to_string();
        assert_eq!(told, "redriven.ndjson, line 2, is none of ours");
    }

    #[test]
    fn one_writes_at_a_time() {
        let disk = FaultyStorage::new(1);
        let ledger = Ledger::open(&disk).unwrap();
        assert!(matches!(Ledger::open(&disk), Err(LedgerError::InUse)));
        drop(ledger);
        assert!(Ledger::open(&disk).is_ok());
    }

    #[test]
    fn a_line_that_is_not_durable_is_an_error() {
        let disk = FaultyStorage::new(1);
        let mut ledger = Ledger::open(&disk).unwrap();
        disk.fail_syncs(1, IoFault::Device);
        let told = ledger.note(redriven(1, 7)).unwrap_err().to_string();
        assert_eq!(told, "cannot write redriven.ndjson");
        assert!(!ledger.redrives().has(Uuid::from_u128(1), "t"));
    }
}
