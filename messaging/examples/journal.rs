//! Writes records to a journal on disk, stops, starts again, and says how long each took.
//!
//! `cargo run --release -p messaging --example journal -- [RECORDS] [BODY_BYTES] [DIRECTORY]`
//! (1,000 records of 600 bytes in a fresh directory under the system's temporary one, unless told otherwise)

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example talks to its reader and measures time"
)]

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use messaging::journal::{
    BatchBuilder, BatchError, Class, Fold, Journal, JournalConfig, Limit, NewRecord, Query, Read, Record,
    Refused,
};
use messaging::storage::DiskStorage;

/// What the records add up to: how many, and of how many bytes.
struct Totals {
    records: u64,
    bytes: u64,
}

impl Fold for Totals {
    fn apply(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.bytes += record.body.len() as u64;
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(&self.records.to_le_bytes())?;
        out.write_all(&self.bytes.to_le_bytes())
    }
}

fn restore(saved: Option<&[u8]>) -> Result<Totals, Box<dyn Error + Send + Sync>> {
    let Some((records, bytes)) =
        saved.map(|saved| saved.split_at_checked(8).ok_or("checkpoint is too short")).transpose()?
    else {
        return Ok(Totals { records: 0, bytes: 0 });
    };
    Ok(Totals {
        records: u64::from_le_bytes(records.try_into()?),
        bytes: u64::from_le_bytes(bytes.try_into()?),
    })
}

fn now_ns() -> Result<u64, Box<dyn Error>> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let records: u64 = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let body_bytes: usize = arguments.next().map_or(Ok(600), |text| text.parse())?;
    let fresh = std::env::temp_dir().join(format!("journal-example-{}", std::process::id()));
    let given = arguments.next();
    let directory = given.as_ref().map_or_else(|| fresh.clone(), Into::into);

    let storage = Arc::new(DiskStorage::new(&directory));
    let opened = Journal::open(JournalConfig::default(), storage.clone(), now_ns()?, restore)?;
    println!("opened {} at position {}", directory.display(), opened.report.end);

    let began = Instant::now();
    write(&opened.journal, records, &vec![b'x'; body_bytes])?;
    let progress = opened.journal.progress();
    opened.journal.close(Duration::from_secs(60))?;
    let counters = progress.counters();
    println!(
        "wrote {records} records of {body_bytes} bytes in {:?}; {} fsyncs, {} segments",
        began.elapsed(),
        counters.fsyncs,
        counters.segments
    );

    let began = Instant::now();
    let opened = Journal::open(JournalConfig::default(), storage, now_ns()?, restore)?;
    println!(
        "started again in {:?}: {} of {} segments read, the state knows {} records of {} bytes",
        began.elapsed(),
        opened.report.segments_read,
        opened.report.segments,
        opened.state.records,
        opened.state.bytes,
    );

    let began = Instant::now();
    let mut reader = opened
        .journal
        .reader(opened.journal.oldest()?, Limit::Synced)
        .select(Query { keys: vec![7], ..Query::default() });
    let mut found = 0;
    while let Some(read) = reader.next()? {
        found += u64::from(matches!(read, Read::Record(_)));
    }
    println!("found {found} records of key 7 in {:?}, {} bytes read", began.elapsed(), reader.bytes_read());
    opened.journal.close(Duration::from_secs(60))?;
    if given.is_none() {
        std::fs::remove_dir_all(fresh)?;
    }
    Ok(())
}

/// Appends in batches of up to 256, a tenth of the records under each of ten keys, waiting for the disk where the queue is full.
fn write(journal: &Journal, records: u64, body: &[u8]) -> Result<(), Box<dyn Error>> {
    let (appender, progress) = (journal.appender(), journal.progress());
    let mut batch = BatchBuilder::new();
    let mut number = 0;
    while number < records || !batch.is_empty() {
        while number < records && batch.len() < 256 {
            let time = i64::try_from(number)?;
            match batch.push(&NewRecord { kind: 1, partition: 0, key: number * 10 / records, time, body }) {
                Ok(()) => number += 1,
                Err(BatchError::Full { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        match appender.try_append(&mut batch, Class::Event) {
            Ok(_) => {}
            Err(Refused::QueueFull) => {
                progress.wait_synced_past(progress.synced(), Duration::from_secs(1));
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(())
}
