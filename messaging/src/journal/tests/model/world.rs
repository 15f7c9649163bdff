//! A journal without its thread, its disk, its sinks, and the list of what was submitted; one seed is one schedule of
//! writes, syncs, faults, kills and starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Verdict;
use super::chain::{Chain, Seen};
use crate::journal::config::Sabotage;
use crate::journal::cursor::Cursor;
use crate::journal::progress::Progress;
use crate::journal::queue::{Group, Queue};
use crate::journal::reader::Reader;
use crate::journal::writer::Writer;
use crate::journal::{BatchBuilder, JournalConfig, NewRecord, segment};
use crate::storage::{FaultRates, FaultyStorage, IoFault, Seed, Storage};

pub(super) struct Sink {
    pub(super) reader: Reader,
    pub(super) cursor: Cursor,
    pub(super) done: usize,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) disk: bool,
    pub(super) power: bool,
    pub(super) flips: bool,
}

pub(super) struct World {
    pub(super) seed: Seed,
    pub(super) disk: FaultyStorage,
    pub(super) config: JournalConfig,
    pub(super) faults: Faults,
    pub(super) now: u64,
    pub(super) writer: Option<Writer<Chain>>,
    pub(super) progress: Arc<Progress>,
    pub(super) queue: Arc<Queue>,
    /// All that should be readable, then what was submitted and is not synced.
    pub(super) list: Vec<(u64, u64)>,
    pub(super) synced: usize,
    pub(super) appended: usize,
    /// Whether unsynced bytes may be gone: a power loss, or pages dropped after a failed fsync.
    pub(super) lossy: bool,
    pub(super) ever: BTreeMap<u64, u64>,
    pub(super) fold: Vec<Seen>,
    pub(super) next: u64,
    pub(super) ids: u64,
    pub(super) sinks: Vec<Sink>,
    pub(super) stored: Vec<u64>,
    pub(super) restarts: u64,
    pub(super) coverage: BTreeMap<&'static str, u64>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults, sabotage: Option<Sabotage>) -> Self {
        let mut rng = Seed(seed);
        let segment_bytes = 200 + rng.below(2_000);
        let config = JournalConfig {
            segment_bytes,
            max_bytes: segment_bytes * (4 + rng.below(12)),
            sabotage,
            ..JournalConfig::default()
        };
        let queue = Arc::new(Queue::new(&config));
        Self {
            disk: FaultyStorage::new(rng.draw()),
            seed: rng,
            queue,
            config,
            faults,
            now: 1_000_000,
            writer: None,
            progress: Arc::default(),
            list: Vec::new(),
            synced: 0,
            appended: 0,
            lossy: false,
            ever: BTreeMap::new(),
            fold: Vec::new(),
            next: 0,
            ids: 0,
            sinks: Vec::new(),
            stored: vec![0; 2],
            restarts: 0,
            coverage: BTreeMap::new(),
        }
    }

    pub(super) fn cover(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    pub(super) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.disk.clone())
    }

    pub(super) fn run(&mut self, steps: u64) -> Verdict {
        for _ in 0..steps {
            self.now += self.seed.below(1_000_000);
            if self.writer.is_none() {
                self.start()?;
            } else {
                self.step()?;
            }
        }
        self.disk.heal();
        self.disk.set_capacity(None);
        if self.writer.is_none() {
            self.start()?;
        }
        for _ in 0..3 {
            self.recover()?;
            self.sync()?;
        }
        judge!(
            self.synced == self.list.len(),
            "healed, yet {} of {} are synced",
            self.synced,
            self.list.len()
        );
        self.read_sinks()?;
        for sink in &self.sinks {
            judge!(sink.done == self.list.len(), "a sink read {} of {}", sink.done, self.list.len());
        }
        self.kill();
        self.disk.power_loss();
        self.start()
    }

    pub(super) fn step(&mut self) -> Verdict {
        match self.seed.below(100) {
            0..=34 => self.write(),
            35..=54 => self.sync(),
            55..=66 => self.recover(),
            67..=78 => self.read_sinks(),
            79..=83 => self.tidy(),
            84..=86 => self.look_from_outside(),
            87..=93 if self.faults.disk => {
                self.cover("fault");
                match self.seed.below(9) {
                    0 => self.disk.fail_syncs(1, IoFault::Device),
                    1 => self.disk.fail_writes(1, IoFault::Device),
                    2 => self.disk.fail_writes(2, IoFault::Full),
                    3 => self.disk.fail_names(1, IoFault::Device),
                    4 => {
                        self.disk.set_rates(FaultRates { write: 50, short_write: 200, sync: 100, names: 50 });
                    }
                    5 => self.disk.set_capacity(Some(
                        self.config.max_bytes / 3 + self.seed.below(self.config.max_bytes),
                    )),
                    6 => {
                        self.disk.evict();
                        self.lossy = true;
                    }
                    _ => {
                        self.disk.heal();
                        self.disk.set_capacity(None);
                    }
                }
                Ok(())
            }
            94..=95 if self.faults.power => {
                self.cover("power loss");
                self.kill();
                self.disk.power_loss();
                self.lossy = true;
                Ok(())
            }
            96..=97 => {
                self.cover("kill");
                self.kill();
                Ok(())
            }
            98 if self.faults.flips => {
                self.sync()?;
                self.kill();
                self.flip();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn kill(&mut self) {
        self.writer = None;
        self.stored = self.sinks.iter().map(|sink| sink.cursor.position()).collect();
        self.sinks.clear();
        self.disk.kill();
    }

    pub(super) fn kill_keeping(&mut self) {
        self.writer = None;
        for (stored, sink) in self.stored.iter_mut().zip(&self.sinks) {
            *stored = sink.cursor.position();
        }
        self.sinks.clear();
        self.disk.kill();
    }

    pub(super) fn flip(&mut self) {
        let firsts = segment::list(&self.disk).unwrap();
        let name = segment::name(firsts[self.seed.index(firsts.len())]);
        let size = self.disk.size_of(&name).unwrap();
        self.disk.flip(&name, self.seed.below(size), u8::try_from(self.seed.below(8)).unwrap());
        self.cover("flip");
    }

    pub(super) fn write(&mut self) -> Verdict {
        let now = self.now;
        let Some(writer) = self.writer.as_mut().filter(|writer| !writer.failing()) else { return Ok(()) };
        let mut group = Group::default();
        for _ in 0..=self.seed.below(3) {
            let mut batch = BatchBuilder::new();
            for _ in 0..=self.seed.below(4) {
                self.ids += 1;
                let mut body = self.ids.to_le_bytes().to_vec();
                body.resize(8 + self.seed.index(60), b'B');
                batch
                    .push(&NewRecord { kind: 1, partition: 2, key: self.ids % 5, time: 7, body: &body })
                    .unwrap();
                judge!(
                    self.ever.insert(self.next, self.ids).is_none(),
                    "position {} was used before",
                    self.next
                );
                self.list.push((self.next, self.ids));
                self.next += 1;
            }
            group.bytes.extend_from_slice(batch.encoded());
            group.batches += 1;
        }
        group.ticket = self.ids;
        writer.write(group, now);
        self.publish()
    }

    pub(super) fn sync(&mut self) -> Verdict {
        let now = self.now;
        if let Some(writer) = &mut self.writer {
            writer.sync(now, || 5);
        }
        self.publish()
    }

    pub(super) fn recover(&mut self) -> Verdict {
        let now = self.now;
        if let Some(writer) = self.writer.as_mut().filter(|writer| writer.failing()) {
            writer.recover(now);
            self.cover("recover");
        }
        self.publish()
    }

    pub(super) fn tidy(&mut self) -> Verdict {
        let now = self.now;
        let stored = self.sinks.iter().map(|sink| sink.cursor.position()).min().unwrap_or(0);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.cursors.complete();
        let before = writer.segments.len();
        writer.tidy(0, 0, now);
        let (oldest, left) = (writer.segments[0].first, writer.segments.len());
        if left < before {
            judge!(oldest <= stored, "segments up to {oldest} deleted, a cursor is at {stored}");
            judge!(left >= 2, "{left} segments left");
            self.cover("delete");
        }
        self.publish()
    }
}
