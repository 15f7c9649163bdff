//! What the sink tests share: a journal of numbered records, the lines they make, and the truth read back from it.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test that panics is a test that fails"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use messaging::journal::{
    BatchBuilder, Class, Fold, Fsync, Journal, JournalConfig, Limit, NO_TIME, NewRecord, Read, Record, Ticket,
};
use messaging::sink::lines::{Begin, Lines};
use messaging::sink::{LineKey, Render};
use messaging::storage::Storage;

/// Records of this kind make a line, others do not.
pub(crate) const LINE: u8 = 1;
pub(crate) const SILENT: u8 = 2;
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The journal of these tests keeps no state.
pub(crate) struct NoState;

impl Fold for NoState {
    fn apply(&mut self, _: &Record<'_>) {}
    fn save(&self, _: &mut dyn std::io::Write) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn open_journal(storage: Arc<dyn Storage>, now_ns: u64, segment_bytes: u64) -> Journal {
    let config = JournalConfig {
        fsync: Fsync::Always,
        segment_bytes,
        max_bytes: 6 * segment_bytes,
        ..JournalConfig::default()
    };
    Journal::open(config, storage, now_ns, |_| Ok::<_, Infallible>(NoState)).unwrap().journal
}

/// Appends records of `(kind, number, padding)`; each number once in the life of a journal.
pub(crate) fn append(journal: &Journal, records: &[(u8, u64, usize)]) -> Ticket {
    let mut batch = BatchBuilder::new();
    for (kind, number, padding) in records {
        let mut body = number.to_le_bytes().to_vec();
        body.resize(8 + padding, b'.');
        batch
            .push(&NewRecord { kind: *kind, partition: 0, key: *number, time: NO_TIME, body: &body })
            .unwrap();
    }
    journal.appender().try_append(&mut batch, Class::Event).unwrap()
}

pub(crate) fn append_synced(journal: &Journal, records: &[(u8, u64, usize)]) {
    let ticket = append(journal, records);
    journal.progress().wait_synced(ticket, LONG);
    assert!(journal.progress().tickets_synced() >= ticket);
}

/// `{"id":7,"pad":"..."}`
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers;

pub(crate) fn line_of(number: u64, padding: usize) -> String {
    format!("{{\"id\":{number},\"pad\":\"{}\"}}", ".".repeat(padding))
}

pub(crate) fn number_of(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?.strip_prefix("{\"id\":")?;
    text.strip_suffix("\"}")?.split_once(',')?.0.parse().ok()
}

pub(crate) fn key(number: u64) -> LineKey {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    LineKey::of_id(id)
}

impl Render for Numbers {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        let (number, padding) = record.body.split_first_chunk::<8>()?;
        let number = u64::from_le_bytes(*number);
        line.extend_from_slice(line_of(number, padding.len()).as_bytes());
        (record.kind == LINE).then(|| key(number))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        number_of(line).map(key)
    }
}

/// Position and number of every durable record that makes a line, from `start` on.
pub(crate) fn truth(journal: &Journal, start: u64) -> Vec<(u64, u64)> {
    let mut reader = journal.reader(start, Limit::Synced);
    let mut found = Vec::new();
    while let Some(read) = reader.next().unwrap() {
        if let Read::Record(record) = read
            && record.kind == LINE
        {
            found.push((record.position, u64::from_le_bytes(record.body[..8].try_into().unwrap())));
        }
    }
    found
}

/// File, offset and number of every whole line; an error when one of them is none of ours.
pub(crate) fn read_stored(storage: Arc<dyn Storage>, dir: &str) -> Result<Vec<(u64, u64, u64)>, String> {
    let mut lines = Lines::open(storage, dir, Begin::Oldest).unwrap();
    let mut found = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        let number = number_of(line.bytes)
            .ok_or_else(|| format!("not a line: {:?}", String::from_utf8_lossy(line.bytes)))?;
        found.push((line.place.file, line.place.offset, number));
    }
    Ok(found)
}

pub(crate) fn stored(storage: Arc<dyn Storage>, dir: &str) -> Vec<(u64, u64, u64)> {
    read_stored(storage, dir).unwrap()
}

pub(crate) fn numbers(stored: &[(u64, u64, u64)]) -> Vec<u64> {
    stored.iter().map(|(_, _, number)| *number).collect()
}
