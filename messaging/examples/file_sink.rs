//! Greetings go into a journal, a file sink makes lines of them, a reader follows the files.
//!
//! `cargo run -p messaging --example file_sink [DIRECTORY]`: run it again with the same directory and it goes on behind
//! the last line; kill it at any moment and no line is missing or doubled. Without one, a temporary directory is used.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use messaging::journal::{
    BatchBuilder, Class, Fold, From, Journal, JournalConfig, NO_TIME, NewRecord, Record,
};
use messaging::sink::lines::{Begin, Lines};
use messaging::sink::{FileSink, FileSinkConfig, LineKey, Pump, PumpConfig, Render, SinkThread};
use messaging::storage::DiskStorage;

const PATIENCE: Duration = Duration::from_secs(10);

/// How many greetings there were, so that each gets a number of its own.
struct Count(u64);

impl Fold for Count {
    fn apply(&mut self, _: &Record<'_>) {
        self.0 += 1;
    }
    fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0.to_le_bytes())
    }
}

/// A record's key is the greeting's number; the line shows it, so a line can be recognised.
struct Greetings;

fn line_key(number: u64) -> LineKey {
    LineKey { seq: number, ..LineKey::default() }
}

impl Render for Greetings {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        let text = String::from_utf8_lossy(record.body);
        line.extend_from_slice(format!(r#"{{"number":{},"text":"{text}"}}"#, record.key).as_bytes());
        Some(line_key(record.key))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        let text = std::str::from_utf8(line).ok()?.strip_prefix(r#"{"number":"#)?;
        text.split_once(',')?.0.parse().ok().map(line_key)
    }
}

#[expect(clippy::disallowed_methods, reason = "a program's root reads the clock")]
fn now_ns() -> Result<u64, Box<dyn Error>> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let root = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let disk = Arc::new(DiskStorage::new(&root));

    let restore = |saved: Option<&[u8]>| {
        let count = saved.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        Ok::<_, Infallible>(Count(count))
    };
    let journal_disk = Arc::new(DiskStorage::new(root.join("journal")));
    let opened = Journal::open(JournalConfig::default(), journal_disk, now_ns()?, restore)?;
    let journal = opened.journal;

    let sink = FileSink::open(disk.clone(), FileSinkConfig::new("greetings"), Greetings)?;
    let cursor = journal.register_cursor("greetings", From::Oldest)?;
    journal.allow_deletion();
    let pump = Pump::new(sink, &journal, cursor, Box::new(()), PumpConfig::default());
    let thread = SinkThread::spawn("greetings", pump)?;

    let mut batch = BatchBuilder::new();
    for number in opened.state.0 + 1..=opened.state.0 + 3 {
        let body = format!("hello no. {number}");
        batch.push(&NewRecord {
            kind: 1,
            partition: 0,
            key: number,
            time: NO_TIME,
            body: body.as_bytes(),
        })?;
    }
    journal.appender().try_append(&mut batch, Class::Event)?;
    journal.close(PATIENCE)?;
    let watch = thread.watch().clone();
    let ended = thread.stop(PATIENCE);

    let mut out = io::stdout().lock();
    let mut lines = Lines::open(disk, "greetings", Begin::Oldest)?;
    while let Some(line) = lines.next_line()? {
        out.write_all(line.bytes)?;
        writeln!(out)?;
    }
    let status = watch.status();
    writeln!(
        out,
        "{ended:?}: {} new lines, {} bytes in {} file(s)",
        status.tally.lines, status.tally.stored_bytes, status.tally.files
    )?;
    Ok(())
}
