//! Durable delivery of opaque records: a local journal, sinks as cursors over it, files, dead letters.
//!
//! - [`storage`]: the few file operations everything here is built on, on a disk or in a memory that fails on demand.
//! - [`journal`]: append-only, checksummed, group-committed; the single truth of the process that owns it.
//! - [`sink`]: what follows the journal: files, a pipe.
//! - `kafka`: topics that follow it (feature `kafka`).
//!
//! What a record means is the caller's business: nothing here names a venue, an account or a signal.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use messaging::journal::{BatchBuilder, Class, Fold, Journal, JournalConfig, Limit, NewRecord, Read, Record};
//! use messaging::storage::FaultyStorage;
//!
//! /// The state kept beside the records: how many there were.
//! struct Count(u64);
//! impl Fold for Count {
//!     fn apply(&mut self, _: &Record<'_>) {
//!         self.0 += 1;
//!     }
//!     fn save(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
//!         out.write_all(&self.0.to_le_bytes())
//!     }
//! }
//! fn restore(saved: Option<&[u8]>) -> Result<Count, std::array::TryFromSliceError> {
//!     Ok(Count(saved.map_or(Ok(0), |bytes| bytes.try_into().map(u64::from_le_bytes))?))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = Arc::new(FaultyStorage::new(1)); // `DiskStorage` in earnest
//! let opened = Journal::open(JournalConfig::default(), disk.clone(), 1_000, restore)?;
//! let journal = opened.journal;
//! let mut batch = BatchBuilder::new();
//! batch.push(&NewRecord { kind: 1, partition: 0, key: 7, time: 1_700_000_000_000, body: b"a fill" })?;
//! let ticket = journal.appender().try_append(&mut batch, Class::Event)?;
//! journal.progress().wait_synced(ticket, Duration::from_secs(10));
//!
//! let mut reader = journal.reader(0, Limit::Synced);
//! let mut seen = Vec::new();
//! while let Some(read) = reader.next()? {
//!     if let Read::Record(record) = read {
//!         seen.push((record.position, record.body.to_vec()));
//!     }
//! }
//! assert_eq!(seen, [(1_000, b"a fill".to_vec())]);
//! journal.close(Duration::from_secs(10))?;
//!
//! disk.power_loss(); // what was synced survives it, and so does the state
//! let again = Journal::open(JournalConfig::default(), disk, 2_000, restore)?;
//! assert_eq!(again.state.0, 1);
//! # Ok(())
//! # }
//! ```

pub mod journal;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod sink;
pub mod storage;
