//! What lies in a data directory: lines of a stream, and what the journal holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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

/// Line feeds in a stream's files, counted again only where a file has another size: cheap enough to be asked after every kill.
#[derive(Debug, Default)]
pub(crate) struct Counted(BTreeMap<PathBuf, (u64, usize)>);

impl Counted {
    pub(crate) fn count(&mut self, data: &Path, stream: &str) -> usize {
        let Ok(entries) = std::fs::read_dir(data.join(stream)) else { return 0 };
        let files = entries.map(|entry| entry.expect("an entry").path());
        for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "ndjson")) {
            let size = file.metadata().expect("a file").len();
            if self.0.get(&file).is_none_or(|(counted, _)| *counted != size) {
                let lines =
                    std::fs::read(&file).expect("bytes").iter().filter(|byte| **byte == b'\n').count();
                self.0.insert(file, (size, lines));
            }
        }
        self.0.values().map(|(_, lines)| lines).sum()
    }
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) records: usize,
    /// Times of the baselines of each account and stream, in the order written.
    pub(crate) baselines: BTreeMap<(String, Stream), Vec<i64>>,
    /// Positions that cannot be read.
    pub(crate) damage: usize,
    /// Behind the last record read.
    end: u64,
}

/// Reads the journal of a process that is gone.
pub(crate) fn journal(data: &Path) -> Contents {
    let mut contents = Contents::default();
    contents.read_on(data);
    contents
}

impl Contents {
    /// Reads what came since.
    pub(crate) fn read_on(&mut self, data: &Path) {
        let storage = Arc::new(DiskStorage::new(data.join("journal")));
        // Killed before the journal had its identity: there is none yet.
        let Ok(mut reader) = Reader::open(storage, self.end) else { return };
        loop {
            match reader.next().expect("the journal reads") {
                None => return,
                Some(Read::Gone { .. }) => {}
                Some(Read::Damage(_) | Read::PassedOver(_)) => self.damage += 1,
                Some(Read::Record(record)) => {
                    (self.records, self.end) = (self.records + 1, record.position + 1);
                    if let Some(Body::Account(body)) =
                        record::decode(&record).expect("a record of this version")
                        && let Change::Baseline { stream, at, .. } = body.change
                    {
                        let account = hyperliquid_client::wire::Address::from_bytes(body.stamp.account);
                        self.baselines.entry((account.to_string(), stream)).or_default().push(at);
                    }
                }
            }
        }
    }
}
