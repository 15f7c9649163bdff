//! The journal as its owner sees it: on a real disk, with its thread, and on a disk that fails. Here: what the parts share.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

mod cursors;
mod format;
mod fullness;
mod reading;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use messaging::journal::{
    BatchBuilder, Class, Fold, Journal, JournalConfig, NewRecord, Opened, Read, Reader, Record, Refused,
    Ticket, Waited,
};
use messaging::storage::Storage;

const LONG: Duration = Duration::from_secs(60);

/// The sum of all first bytes, and how many.
#[derive(Debug, Default, Eq, PartialEq)]
struct Sum {
    records: u64,
    sum: u64,
}

impl Fold for Sum {
    fn apply(&mut self, record: &Record<'_>) {
        assert_ne!(record.body, b"panic", "asked for by the test");
        self.records += 1;
        self.sum += u64::from(record.body.first().copied().unwrap_or(0));
    }

    fn save(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.records.to_le_bytes())?;
        out.write_all(&self.sum.to_le_bytes())
    }
}

fn restore(saved: Option<&[u8]>) -> Result<Sum, String> {
    let Some(saved) = saved else { return Ok(Sum::default()) };
    let words: [u8; 16] = saved.try_into().map_err(|_| format!("{} bytes", saved.len()))?;
    let word = |at: usize| u64::from_le_bytes(words[at..at + 8].try_into().unwrap());
    Ok(Sum { records: word(0), sum: word(8) })
}

fn open(storage: Arc<dyn Storage>, config: &JournalConfig, now_ns: u64) -> Opened<Sum> {
    Journal::open(config.clone(), storage, now_ns, restore).unwrap()
}

fn small() -> JournalConfig {
    JournalConfig { segment_bytes: 4_000, max_bytes: 40_000, ..JournalConfig::default() }
}

fn record(number: u64, body: &[u8]) -> NewRecord<'_> {
    NewRecord { kind: (number % 3) as u8, partition: 1, key: number % 10, time: number as i64, body }
}

fn append(journal: &Journal, number: u64, body: &[u8]) -> Ticket {
    let mut batch = BatchBuilder::new();
    batch.push(&record(number, body)).unwrap();
    loop {
        match journal.appender().try_append(&mut batch, Class::Event) {
            Ok(ticket) => return ticket,
            Err(Refused::QueueFull) => {
                journal.progress().wait_synced_past(journal.progress().synced(), LONG);
            }
            Err(refused) => panic!("{refused}"),
        }
    }
}

fn append_durably(journal: &Journal, number: u64, body: &[u8]) {
    let ticket = append(journal, number, body);
    assert_eq!(journal.progress().wait_synced(ticket, LONG), Waited::Reached);
}

fn times(reader: &mut Reader) -> Vec<i64> {
    let mut seen = Vec::new();
    while let Some(read) = reader.next().unwrap() {
        match read {
            Read::Record(record) => seen.push(record.time),
            Read::Gone { from: 0, .. } => {}
            other @ (Read::Damage(_) | Read::PassedOver(_) | Read::Gone { .. }) => panic!("{other:?}"),
        }
    }
    seen
}
