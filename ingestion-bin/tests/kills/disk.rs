//! What lies in a data directory: lines of a stream, and what the journal holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ingestion_bin::account::Stream;
use ingestion_bin::record::{self, Body, Change};
use messaging::journal::{Read, Reader};
use messaging::storage::DiskStorage;

/// Whole lines of a stream's files, in the order of their names.
pub(crate) fn lines(data: &Path, stream: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(data.join(stream)) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("text");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        lines.extend(whole.split('\n').filter(|line| !line.is_empty()).map(str::to_owned));
    }
    lines
}

/// Line feeds in a stream's files: cheap enough to be asked after every kill.
pub(crate) fn count(data: &Path, stream: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(data.join(stream)) else { return 0 };
    let files = entries.map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    files.map(|file| std::fs::read(file).expect("bytes").iter().filter(|byte| **byte == b'\n').count()).sum()
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) records: usize,
    /// Times of the baselines of each account and stream, in the order written.
    pub(crate) baselines: BTreeMap<(String, Stream), Vec<i64>>,
    /// Positions that cannot be read.
    pub(crate) damage: usize,
}

/// Reads the journal of a process that is gone.
pub(crate) fn journal(data: &Path) -> Contents {
    let storage = Arc::new(DiskStorage::new(data.join("journal")));
    let mut contents = Contents::default();
    // Killed before the journal had its identity: there is none yet.
    let Ok(mut reader) = Reader::open(storage, 0) else { return contents };
    loop {
        match reader.next().expect("the journal reads") {
            None => return contents,
            Some(Read::Gone { .. }) => {}
            Some(Read::Damage(_) | Read::PassedOver(_)) => contents.damage += 1,
            Some(Read::Record(record)) => {
                contents.records += 1;
                if let Some(Body::Account(body)) = record::decode(&record).expect("a record of this version")
                    && let Change::Baseline { stream, at, .. } = body.change
                {
                    let account = hyperliquid_client::wire::Address::from_bytes(body.stamp.account);
                    contents.baselines.entry((account.to_string(), stream)).or_default().push(at);
                }
            }
        }
    }
}
