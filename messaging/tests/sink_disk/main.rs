//! File sinks on a real disk: files, directories in trouble, threads. Here: the place the parts share, and a clock of their own.

#![expect(clippy::unwrap_used, reason = "a helper of a test that panics is a test that fails")]

mod directory;
mod files;
#[path = "../sink_support/mod.rs"]
mod sink_support;
mod thread;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use messaging::journal::{From, Journal};
use messaging::sink::{FileSink, FileSinkConfig, Next, Pump, PumpConfig, Sink};
use messaging::storage::{DiskStorage, Storage};

use sink_support::{LINE, Numbers, SILENT, numbers, open_journal, stored};

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn disk(&self) -> Arc<dyn Storage> {
        Arc::new(DiskStorage::new(self.root.path()))
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("signals")
    }

    fn journal(&self, now_ns: u64) -> Journal {
        open_journal(Arc::new(DiskStorage::new(self.root.path().join("journal"))), now_ns, 1 << 20)
    }

    fn sink(&self, rotate_bytes: u64, max_bytes: u64) -> FileSink<Numbers> {
        Self::sink_on(self.disk(), rotate_bytes, max_bytes)
    }

    fn sink_on(disk: Arc<dyn Storage>, rotate_bytes: u64, max_bytes: u64) -> FileSink<Numbers> {
        let config = FileSinkConfig { rotate_bytes, max_bytes, ..FileSinkConfig::new("signals") };
        FileSink::open(disk, config, Numbers).unwrap()
    }

    fn pump(&self, journal: &Journal, rotate_bytes: u64) -> Pump<FileSink<Numbers>> {
        self.pump_on(self.disk(), journal, rotate_bytes)
    }

    fn pump_on(
        &self,
        disk: Arc<dyn Storage>,
        journal: &Journal,
        rotate_bytes: u64,
    ) -> Pump<FileSink<Numbers>> {
        let cursor = journal.register_cursor("signals-file", From::Oldest).unwrap();
        Pump::new(
            Self::sink_on(disk, rotate_bytes, u64::MAX),
            journal,
            cursor,
            Box::new(()),
            PumpConfig::default(),
        )
    }

    fn numbers(&self) -> Vec<u64> {
        numbers(&stored(self.disk(), "signals"))
    }
}

fn lines(from: u64, to: u64) -> Vec<(u8, u64, usize)> {
    (from..to).map(|number| (if number % 5 == 0 { SILENT } else { LINE }, number, 20)).collect()
}

fn wanted(to: u64) -> Vec<u64> {
    (1..to).filter(|number| number % 5 != 0).collect()
}

#[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
fn start() -> Instant {
    Instant::now()
}

/// Steps through the pauses, on a clock of its own, until there is nothing to do or it fails.
fn run<K: Sink>(pump: &mut Pump<K>, now: &mut Instant) -> Next {
    loop {
        let next = pump.step(*now, false);
        match next {
            Next::At(at) if pump.watch().status().failing.is_none() => *now = at,
            Next::Now => {}
            Next::At(_) | Next::Idle(_) | Next::Drained | Next::Ended => return next,
        }
    }
}

fn drain<K: Sink>(pump: &mut Pump<K>, now: &mut Instant) {
    for _ in 0..1_000 {
        *now += Duration::from_secs(2);
        if pump.step(*now, true) == Next::Drained {
            return;
        }
    }
    panic!("not drained: {:?}", pump.watch().status());
}
