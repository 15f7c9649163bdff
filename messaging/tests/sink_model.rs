//! Seeded bad days of a file sink over a real journal: kills at any storage operation, power loss of both disks, full
//! and failing disks, rotation, retention. The judge knows only the journal and the files.
//!
//! `SINK_SEEDS=from..to cargo test -p messaging --test sink_model` runs other seeds; a failing one prints its number.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test that panics is a test that fails"
)]

#[path = "sink_support/rig.rs"]
mod rig;
mod sink_support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use messaging::journal::{From, Journal, Origin, Record};
use messaging::sink::{
    FileSink, FileSinkConfig, LineKey, Next, Pump, PumpConfig, Render, Sink, SinkError, Tally,
};
use messaging::storage::{FaultRates, FaultyStorage, IoFault, Seed, Storage};

use rig::{Lie, Rig};
use sink_support::{LINE, Numbers, SILENT, append, append_synced, numbers, open_journal, read_stored, truth};

const ROTATE: u64 = 600;

/// Bugs planted to see whether the judge finds them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Bug {
    #[default]
    None,
    /// The storage lies, as for a sink that never asked.
    Lying(Lie),
    /// The sink says delivered, and writes one call later.
    EarlyAck,
    /// The lines found at a start are not remembered.
    NoMemory,
}

/// Forgets what it is shown while it is told to.
struct Forgetful {
    numbers: Numbers,
    forget: Arc<AtomicBool>,
}

impl Render for Forgetful {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.numbers.render(record, line)
    }
    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        if self.forget.load(Ordering::SeqCst) { None } else { self.numbers.key_of_line(line) }
    }
}

struct Acked {
    sink: FileSink<Forgetful>,
    early: bool,
    calls: u64,
}

impl Sink for Acked {
    fn resume(&mut self, origin: Origin, position: u64, end: u64) -> u64 {
        self.sink.resume(origin, position, end)
    }
    fn accept(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.sink.accept(record)
    }
    fn waiting_bytes(&self) -> usize {
        if self.early { 0 } else { self.sink.waiting_bytes() }
    }
    fn flush(&mut self) -> Result<(), SinkError> {
        self.calls += 1;
        if self.early && self.calls % 2 == 1 { Ok(()) } else { self.sink.flush() }
    }
    fn tally(&self) -> Tally {
        self.sink.tally()
    }
}

struct Day {
    seed: Seed,
    bug: Bug,
    journal_disk: FaultyStorage,
    rig: Rig,
    max_bytes: u64,
    clock_ns: u64,
    now: Instant,
    next_number: u64,
    journal: Option<Journal>,
    pump: Option<Pump<Acked>>,
    /// Where the sink began.
    start: Option<u64>,
    deleted: bool,
    /// The stored cursor when it was last looked at.
    stored: u64,
    coverage: BTreeMap<&'static str, u64>,
}

type Judged = Result<(), String>;

impl Day {
    #[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
    fn new(number: u64, bug: Bug) -> Self {
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

    fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("only taken while another is opened")
    }

    fn saw(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    fn records(&mut self) -> Vec<(u8, u64, usize)> {
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
    fn open_sink(&mut self) -> Judged {
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

    fn step(&mut self) -> Judged {
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
    fn die(&mut self, power: bool) {
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
    fn damage_newest_file(&mut self) {
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

    fn fault(&mut self) {
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

    fn run(&mut self) -> Judged {
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

    fn heal_and_drain(&mut self) -> Judged {
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

    /// What is in the files is in the journal, also after power loss.
    fn no_line_without_record(&self) -> Judged {
        let known: Vec<u64> = truth(self.journal(), 0).into_iter().map(|(_, number)| number).collect();
        let lines = read_stored(Arc::new(self.rig.disk.clone()), "lines")?;
        match numbers(&lines).into_iter().find(|number| known.binary_search(number).is_err()) {
            Some(number) => Err(format!("line {number} has no durable record")),
            None => Ok(()),
        }
    }

    fn judge(&self) -> Judged {
        let expected = truth(self.journal(), self.start.unwrap_or(0));
        let lines = read_stored(Arc::new(self.rig.disk.clone()), "lines")?;
        let found = numbers(&lines);
        let wanted: Vec<u64> = expected.iter().map(|(_, number)| *number).collect();
        let kept = if self.deleted { wanted.len().saturating_sub(found.len()) } else { 0 };
        if found != wanted[kept..] {
            return Err(difference(&found, &wanted[kept..]));
        }
        let positions: BTreeMap<u64, u64> =
            expected.into_iter().map(|(position, number)| (number, position)).collect();
        let mut sizes: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (file, offset, number) in &lines {
            if *offset == 0 && positions.get(number) != Some(file) {
                return Err(format!("file {file} begins with the line of {:?}", positions.get(number)));
            }
            let size = self.rig.disk.size_of(&format!("lines/{file:020}.ndjson")).unwrap();
            let entry = sizes.entry(*file).or_insert((size, 0));
            entry.1 += 1;
        }
        if let Some((file, size)) = sizes.iter().find(|(_, (bytes, count))| *bytes > ROTATE && *count > 1) {
            return Err(format!("file {file} is over its size: {size:?}"));
        }
        let total: u64 = sizes.values().map(|(bytes, _)| bytes).sum();
        let newest = sizes.last_key_value().map_or(0, |(_, (bytes, _))| *bytes);
        if total > self.max_bytes.max(newest) {
            return Err(format!("{total} bytes stored, {} allowed", self.max_bytes));
        }
        if self.deleted && total + ROTATE.max(2_100) < self.max_bytes {
            return Err(format!("only {total} bytes kept of {}", self.max_bytes));
        }
        Ok(())
    }
}

/// What is missing, double or out of order, in a few words.
fn difference(found: &[u64], wanted: &[u64]) -> String {
    let missing: Vec<_> = wanted.iter().filter(|number| !found.contains(number)).collect();
    let surplus: Vec<_> = found.iter().filter(|number| !wanted.contains(number)).collect();
    let mut seen = BTreeSet::new();
    let double: Vec<_> = found.iter().filter(|number| !seen.insert(**number)).collect();
    let back: Vec<_> = found.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
    format!("missing {missing:?}, surplus {surplus:?}, double {double:?}, out of order {back:?}")
}

#[expect(clippy::disallowed_methods, reason = "which seeds to run is asked from outside")]
fn seeds(default: Range<u64>) -> Range<u64> {
    let asked = std::env::var("SINK_SEEDS").ok();
    let asked = asked.as_deref().and_then(|range| range.split_once(".."));
    asked.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?)).unwrap_or(default)
}

#[test]
fn on_any_bad_day_the_files_hold_exactly_the_lines_of_the_journal() {
    let mut coverage: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds(0..400) {
        let mut day = Day::new(seed, Bug::None);
        if let Err(why) = day.run() {
            panic!("seed {seed}: {why}");
        }
        for (what, times) in day.coverage {
            *coverage.entry(what).or_default() += times;
        }
        *coverage.entry(if day.deleted { "retention" } else { "nothing deleted" }).or_default() += 1;
    }
    println!("{coverage:?}");
    for what in [
        "cut",
        "newest file damaged",
        "failing",
        "kill",
        "open failed",
        "power loss",
        "repeat recognised",
        "resumed",
        "retention",
    ] {
        assert!(coverage.contains_key(what), "no day met: {what}");
    }
}

#[test]
fn the_judge_finds_planted_bugs() {
    let bugs =
        [Bug::Lying(Lie::Sync), Bug::Lying(Lie::Names), Bug::Lying(Lie::Cut), Bug::EarlyAck, Bug::NoMemory];
    for bug in bugs {
        let caught = (0..200).find_map(|seed| Day::new(seed, bug).run().err().map(|why| (seed, why)));
        let Some((seed, why)) = caught else { panic!("{bug:?} was not found in 200 days") };
        println!("{bug:?}: seed {seed}: {}", why.chars().take(120).collect::<String>());
    }
}
