//! One seed's day: records, steps of the pump, faults, deaths; then everything is healed and drained.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use messaging::journal::{From, Journal, Origin};
use messaging::sink::{FileSink, FileSinkConfig, Next, Pump, PumpConfig, Sink};
use messaging::storage::{FaultRates, FaultyStorage, IoFault, Seed, Storage};

use crate::Judged;
use crate::bug::{Acked, Bug, Forgetful};
use crate::rig::{Lie, Rig};
use crate::sink_support::{LINE, Numbers, SILENT, append, append_synced, open_journal};

pub(super) const ROTATE: u64 = 600;

pub(super) struct Day {
    pub(super) seed: Seed,
    pub(super) bug: Bug,
    pub(super) journal_disk: FaultyStorage,
    pub(super) rig: Rig,
    pub(super) max_bytes: u64,
    pub(super) clock_ns: u64,
    pub(super) now: Instant,
    pub(super) next_number: u64,
    pub(super) journal: Option<Journal>,
    pub(super) pump: Option<Pump<Acked>>,
    /// Where the sink began.
    pub(super) start: Option<u64>,
    pub(super) deleted: bool,
    /// The stored cursor when it was last looked at.
    pub(super) stored: u64,
    pub(super) coverage: BTreeMap<&'static str, u64>,
}

impl Day {
    #[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
    pub(super) fn new(number: u64, bug: Bug) -> Self {
        let mut seed = Seed(number);
        let journal_disk = FaultyStorage::new(seed.draw());
        let lie = if let Bug::Lying(lie) = bug { lie } else { Lie::None };
        let rig = Rig::new(FaultyStorage::new(seed.draw()), lie);
        let clock_ns = 1_000_000;
        let journal = open_journal(Arc::new(journal_disk.clone()), clock_ns, 1 << 20);
        let max_bytes = if seed.chance(300) { 3 * ROTATE } else { u64::MAX };
        Self {
            seed,
            bug,
            journal_disk,
            rig,
            max_bytes,
            clock_ns,
            now: Instant::now(),
            next_number: 1,
            journal: Some(journal),
            pump: None,
            start: None,
            deleted: false,
            stored: 0,
            coverage: BTreeMap::new(),
        }
    }

    pub(super) fn run(&mut self) -> Judged {
        for _ in 0..60 + self.seed.below(60) {
            match self.seed.below(100) {
                0..30 => {
                    let records = self.records();
                    append_synced(self.journal(), &records);
                }
                30..78 => self.step()?,
                78..86 => self.fault(),
                86..90 => self.die(false),
                90..94 => self.die(true),
                _ => {
                    self.rig.die_after(self.seed.below(30));
                    while !self.rig.is_dead() {
                        let records = self.records();
                        append_synced(self.journal(), &records);
                        self.step()?;
                    }
                    self.step()?;
                    let power = self.seed.chance(300);
                    self.die(power);
                }
            }
        }
        self.heal_and_drain()?;
        self.judge()
    }

    pub(super) fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("only taken while another is opened")
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    pub(super) fn records(&mut self) -> Vec<(u8, u64, usize)> {
        let mut records = Vec::new();
        for _ in 0..=self.seed.below(8) {
            let padding = if self.seed.chance(20) { 2_000 } else { self.seed.below(150) };
            let kind = if self.seed.chance(300) { SILENT } else { LINE };
            records.push((kind, self.next_number, usize::try_from(padding).unwrap()));
            self.next_number += 1;
        }
        records
    }

    /// Opens the sink; a disk that fails or a fuse that burns makes it fail, then it is tried again later.
    pub(super) fn open_sink(&mut self) -> Judged {
        let forget = Arc::new(AtomicBool::new(self.bug == Bug::NoMemory));
        let render = Forgetful { numbers: Numbers, forget: Arc::clone(&forget) };
        let config = FileSinkConfig {
            rotate_bytes: ROTATE,
            max_bytes: self.max_bytes,
            ..FileSinkConfig::new("lines")
        };
        let Ok(sink) = FileSink::open(Arc::new(self.rig.clone()), config, render) else {
            self.saw("open failed");
            return Ok(());
        };
        forget.store(false, Ordering::SeqCst);
        let tally = sink.tally();
        self.deleted |= tally.deleted_files > 0;
        if tally.cut_bytes > 0 {
            self.saw("cut");
        }
        let from = if self.seed.chance(500) { From::End } else { From::Oldest };
        let cursor = self.journal().register_cursor("lines", from).map_err(|error| error.to_string())?;
        match cursor.origin() {
            Origin::New => self.start = Some(cursor.position()),
            Origin::Resumed => self.saw("resumed"),
            Origin::Clamped(_) | Origin::OtherJournal(..) | Origin::Damaged => {
                return Err(format!("the stored cursor was past the durable end: {:?}", cursor.origin()));
            }
        }
        let pace = PumpConfig {
            batch_records: 1 + self.seed.index(6),
            batch_bytes: 400,
            cursor_records: 1 + self.seed.below(20),
            cursor_interval: Duration::from_millis(1 + self.seed.below(200)),
            ..PumpConfig::default()
        };
        self.stored = cursor.position();
        let sink = Acked { sink, early: self.bug == Bug::EarlyAck, calls: 0 };
        self.pump = Some(Pump::new(sink, self.journal(), cursor, Box::new(()), pace));
        self.no_line_without_record()
    }

    pub(super) fn step(&mut self) -> Judged {
        self.now += Duration::from_millis(self.seed.below(60));
        let Some(pump) = &mut self.pump else { return self.open_sink() };
        let next = pump.step(self.now, false);
        let status = pump.watch().status();
        if next == Next::Ended {
            return Err(format!("the sink gave up: {status:?}"));
        }
        let moved = std::mem::replace(&mut self.stored, status.stored) != status.stored;
        if status.stored > self.journal().progress().synced() || moved && status.stored > status.delivered {
            return Err(format!("the cursor is ahead: {status:?}"));
        }
        self.deleted |= status.tally.deleted_files > 0;
        if status.tally.repeats > 0 {
            self.saw("repeat recognised");
        }
        if status.failing.is_some() {
            self.saw("failing");
        }
        Ok(())
    }

    /// Ends the process, and perhaps the power with it.
    pub(super) fn die(&mut self, power: bool) {
        if self.seed.chance(500) {
            let records = self.records();
            append(self.journal(), &records);
        }
        self.rig.live();
        if power {
            self.saw("power loss");
            self.journal_disk.power_loss();
            self.rig.disk.power_loss();
        } else {
            self.saw("kill");
            self.journal_disk.kill();
            self.rig.disk.kill();
        }
        if self.seed.chance(200) {
            self.rig.disk.evict();
        }
        self.pump = None;
        if self.bug == Bug::None && self.seed.chance(200) {
            self.damage_newest_file();
        }
        self.clock_ns += 1 + self.seed.below(1_000_000);
        // Its handles are dead: ending it writes nothing.
        drop(self.journal.take());
        self.journal = Some(open_journal(Arc::new(self.journal_disk.clone()), self.clock_ns, 1 << 20));
    }

    /// The disk loses what it had promised: the end of the newest file is torn or zeros, below the cursor too.
    pub(super) fn damage_newest_file(&mut self) {
        let files = self.rig.disk.list("lines").unwrap_or_default();
        let Some(newest) = files.into_iter().filter(|name| name.ends_with(".ndjson")).max() else { return };
        let file = self.rig.disk.open(&format!("lines/{newest}")).unwrap();
        let size = file.size().unwrap();
        let at = self.seed.below(size);
        let mut last = [0];
        file.read_full_at(&mut last, at.saturating_sub(1)).unwrap();
        if at == 0 || last == *b"\n" {
            return; // A cut between two lines cannot be seen.
        }
        self.saw("newest file damaged");
        // Damage is on the disk itself: no error of ours may keep it from getting there.
        self.rig.disk.heal();
        self.rig.disk.set_capacity(None);
        let zeros = self.seed.chance(500);
        let attempt = if zeros { file.write_all_at(&[0], at) } else { file.truncate(at) };
        attempt.and_then(|()| file.sync_data()).unwrap();
    }

    pub(super) fn fault(&mut self) {
        let times = 1 + u32::try_from(self.seed.below(4)).unwrap();
        let fault = if self.seed.chance(500) { IoFault::Device } else { IoFault::Full };
        let disk = self.rig.disk.clone();
        match self.seed.below(7) {
            0 => disk.fail_writes(times, fault),
            1 => disk.fail_syncs(times, fault),
            2 => disk.fail_names(times, fault),
            3 => disk.set_capacity(Some(self.seed.below(6_000))),
            4 => disk.set_rates(FaultRates { write: 100, short_write: 300, sync: 100, names: 100 }),
            5 => disk.set_capacity(None),
            _ => disk.heal(),
        }
    }

    pub(super) fn heal_and_drain(&mut self) -> Judged {
        self.rig.disk.heal();
        self.rig.disk.set_capacity(None);
        for _ in 0..100_000 {
            self.now += Duration::from_millis(500);
            match &mut self.pump {
                None => self.open_sink()?,
                Some(pump) => match pump.step(self.now, true) {
                    Next::Drained => {
                        let status = pump.watch().status();
                        self.deleted |= status.tally.deleted_files > 0;
                        let end = self.journal().progress().synced();
                        return if status.stored == end {
                            Ok(())
                        } else {
                            Err(format!("drained at {status:?}, not {end}"))
                        };
                    }
                    Next::Ended => return Err(format!("gave up: {:?}", pump.watch().status())),
                    Next::Now | Next::At(_) | Next::Idle(_) => {}
                },
            }
        }
        Err("never drained".to_owned())
    }
}
