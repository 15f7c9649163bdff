//! Thousands of seeded bad days, judged against a list. The writer runs without its thread, so a schedule is its seed.
//!
//! Judged after every step and every start: what was synced is there, in order, once; nothing was invented; positions
//! are never used twice; what was not synced is there up to some batch and no further; the fold is the fold of what can
//! be read; a sink's reader sees the same as a start does; what a flipped bit took is named, and nothing else is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::journal::config::Sabotage;
use crate::journal::cursor::{Context, Cursor, From};
use crate::journal::progress::Progress;
use crate::journal::queue::{Group, Queue};
use crate::journal::reader::{Bound, Limit, Read, Reader};
use crate::journal::writer::Writer;
use crate::journal::*;
use crate::storage::{FaultRates, FaultyStorage, IoFault, Seed, Storage};

/// A fold that notices any difference in content, order or place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Chain(u64);

impl Chain {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

impl Fold for Chain {
    fn apply(&mut self, record: &Record<'_>) {
        self.mix(record.position);
        self.mix(id_of(record));
    }
    fn damage(&mut self, from: u64, to: u64) {
        self.mix(u64::MAX - from);
        self.mix(to);
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

fn restore(saved: Option<&[u8]>) -> Result<Chain, start::Reason> {
    Ok(Chain(saved.map_or(Ok(0), |bytes| bytes.try_into().map(u64::from_le_bytes))?))
}

fn id_of(record: &Record<'_>) -> u64 {
    u64::from_le_bytes(record.body[..8].try_into().unwrap())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Record(u64, u64),
    Damage(u64, u64),
}

struct Sink {
    reader: Reader,
    cursor: Cursor,
    done: usize,
}

#[derive(Clone, Copy, Default)]
struct Faults {
    disk: bool,
    power: bool,
    flips: bool,
}

struct World {
    seed: Seed,
    disk: FaultyStorage,
    config: JournalConfig,
    faults: Faults,
    now: u64,
    writer: Option<Writer<Chain>>,
    progress: Arc<Progress>,
    queue: Arc<Queue>,
    /// All that should be readable, then what was submitted and is not synced.
    list: Vec<(u64, u64)>,
    synced: usize,
    appended: usize,
    /// Whether unsynced bytes may be gone: a power loss, or pages dropped after a failed fsync.
    lossy: bool,
    ever: BTreeMap<u64, u64>,
    fold: Vec<Seen>,
    next: u64,
    ids: u64,
    sinks: Vec<Sink>,
    stored: Vec<u64>,
    restarts: u64,
    coverage: BTreeMap<&'static str, u64>,
}

type Verdict = Result<(), String>;

macro_rules! judge {
    ($holds:expr, $($text:tt)*) => { if !$holds { return Err(format!($($text)*)); } };
}

impl World {
    fn new(seed: u64, faults: Faults, sabotage: Option<Sabotage>) -> Self {
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

    fn cover(&mut self, what: &'static str) {
        *self.coverage.entry(what).or_default() += 1;
    }

    fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.disk.clone())
    }

    fn run(&mut self, steps: u64) -> Verdict {
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

    fn step(&mut self) -> Verdict {
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

    fn kill(&mut self) {
        self.writer = None;
        self.stored = self.sinks.iter().map(|sink| sink.cursor.position()).collect();
        self.sinks.clear();
        self.disk.kill();
    }

    fn flip(&mut self) {
        let firsts = segment::list(&self.disk).unwrap();
        let name = segment::name(firsts[self.seed.index(firsts.len())]);
        let size = self.disk.size_of(&name).unwrap();
        self.disk.flip(&name, self.seed.below(size), u8::try_from(self.seed.below(8)).unwrap());
        self.cover("flip");
    }

    fn write(&mut self) -> Verdict {
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

    fn sync(&mut self) -> Verdict {
        let now = self.now;
        if let Some(writer) = &mut self.writer {
            writer.sync(now, || 5);
        }
        self.publish()
    }

    fn recover(&mut self) -> Verdict {
        let now = self.now;
        if let Some(writer) = self.writer.as_mut().filter(|writer| writer.failing()) {
            writer.recover(now);
            self.cover("recover");
        }
        self.publish()
    }

    fn tidy(&mut self) -> Verdict {
        let now = self.now;
        let stored = self.sinks.iter().map(|sink| sink.cursor.position()).min().unwrap_or(0);
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.cursors.complete();
        let before = writer.segments.len();
        writer.tidy(0, now);
        let (oldest, left) = (writer.segments[0].first, writer.segments.len());
        if left < before {
            judge!(oldest <= stored, "segments up to {oldest} deleted, a cursor is at {stored}");
            judge!(left >= 2, "{left} segments left");
            self.cover("delete");
        }
        self.publish()
    }

    /// Takes over what the writer says, and checks it against the list.
    fn publish(&mut self) -> Verdict {
        let Some(writer) = &self.writer else { return Ok(()) };
        let standing = writer.standing();
        self.progress.publish(standing, &writer.counters);
        judge!(standing.synced <= standing.appended, "synced is past appended");
        let behind = |position: u64| self.list.partition_point(|(at, _)| *at < position);
        let (synced, appended) = (behind(standing.synced), behind(standing.appended));
        judge!(synced >= self.synced && appended >= self.appended, "the writer went back");
        let chain = &writer.fold;
        self.fold.extend(self.list[self.synced..synced].iter().map(|(at, id)| Seen::Record(*at, *id)));
        (self.synced, self.appended) = (synced, appended);
        judge!(*chain == fold_of(&self.fold), "the fold is not at synced");
        Ok(())
    }

    fn read_sinks(&mut self) -> Verdict {
        for sink in &mut self.sinks {
            loop {
                let synced = self.progress.readable();
                match sink.reader.next().map_err(|error| format!("sink: {error}"))? {
                    None => break,
                    Some(Read::Damage(_)) if self.faults.flips => {}
                    Some(Read::Record(record)) => {
                        let seen = (record.position, id_of(&record));
                        let expected = self.list.get(sink.done);
                        judge!(expected == Some(&seen), "a sink read {seen:?}, expected {expected:?}");
                        judge!(record.position < synced, "read past the limit");
                        sink.done += 1;
                    }
                    Some(other) => judge!(false, "a sink met {other:?}"),
                }
            }
            if self.seed.chance(700) {
                // A failed store is "not stored".
                let _ = sink.cursor.store(sink.reader.position());
            }
        }
        Ok(())
    }

    /// Another process reads from the oldest record on: a prefix, at least what is synced.
    fn look_from_outside(&mut self) -> Verdict {
        let mut seen = self.read_all()?;
        if self.faults.flips {
            // Named when the journal was started; what it hid is not in the list any more.
            seen.retain(|seen| matches!(seen, Seen::Record(..)));
        }
        judge!(seen.iter().all(|seen| matches!(seen, Seen::Record(..))), "damage without a flip: {seen:?}");
        let oldest = segment::list(&self.disk).unwrap()[0];
        let from = self.list.partition_point(|(at, _)| *at < oldest);
        let expected = &self.list[from..];
        judge!(
            seen.len() <= expected.len() && seen.len() + from >= self.synced,
            "{} read, {} synced",
            seen.len() + from,
            self.synced
        );
        for (seen, (at, id)) in seen.iter().zip(expected) {
            judge!(*seen == Seen::Record(*at, *id), "outside {seen:?}, expected {at} {id}");
        }
        Ok(())
    }

    fn read_all(&self) -> Result<Vec<Seen>, String> {
        let journal = identity::require(&self.disk).map_err(|error| error.to_string())?;
        let mut reader = Reader::new(self.storage(), journal, Bound::Good, 0);
        let mut seen = Vec::new();
        while let Some(read) = reader.next().map_err(|error| error.to_string())? {
            match read {
                Read::Record(record) => seen.push(Seen::Record(record.position, id_of(&record))),
                Read::Damage(damage) => seen.push(Seen::Damage(damage.from, damage.to)),
                Read::Gone { from, .. } => judge_gone(from)?,
            }
        }
        Ok(seen)
    }

    fn start(&mut self) -> Verdict {
        let started = start::start(self.config.clone(), self.storage(), self.now, restore);
        let (writer, report) = match started {
            Ok(started) => started,
            Err(OpenError::NoCheckpoint { segments }) if self.faults.flips && segments <= 2 => {
                return self.give_up();
            }
            Err(OpenError::Io { .. }) if self.faults.disk => {
                // The disk still fails: the process ends and is started again.
                self.disk.kill();
                if self.seed.chance(300) {
                    self.disk.heal();
                    self.disk.set_capacity(None);
                }
                return Ok(());
            }
            Err(error) => return Err(format!("start: {error} {error:?}")),
        };
        self.restarts += 1;
        let seen = self.read_all()?;
        let oldest = writer.segments[0].first;
        self.compare(&seen, oldest, &report)?;
        self.next = report.end.max(self.now);
        if self.config.sabotage == Some(Sabotage::NoLeap) {
            self.next = report.end;
        }
        judge!(writer.standing().synced == report.end, "the writer begins elsewhere");
        self.writer = Some(writer);
        self.progress = Arc::default();
        self.publish()?;
        self.sinks_again(report.end)
    }

    fn give_up(&mut self) -> Verdict {
        self.cover("no checkpoint left");
        *self = Self {
            coverage: std::mem::take(&mut self.coverage),
            ..Self::new(self.seed.draw(), self.faults, self.config.sabotage)
        };
        Ok(())
    }

    /// What can be read after a start, against the list; then the list is what can be read.
    fn compare(&mut self, seen: &[Seen], oldest: u64, report: &StartReport) -> Verdict {
        let from = self.list.partition_point(|(at, _)| *at < oldest);
        let named = |at: u64| {
            seen.iter().any(|seen| matches!(seen, Seen::Damage(from, to) if (*from..*to).contains(&at)))
        };
        let records: Vec<(u64, u64)> = seen
            .iter()
            .filter_map(|seen| if let Seen::Record(at, id) = seen { Some((*at, *id)) } else { None })
            .collect();
        let mut read = records.iter().copied().peekable();
        let (mut kept, mut missing) = (self.list[..from].to_vec(), Vec::new());
        for (number, record) in self.list.iter().enumerate().skip(from) {
            if read.next_if_eq(record).is_some() {
                kept.push(*record);
            } else if named(record.0) {
                self.coverage.entry("damaged record").and_modify(|times| *times += 1).or_insert(1);
            } else {
                missing.push((number, *record));
            }
        }
        judge!(read.peek().is_none(), "invented or out of order: {:?} of {records:?}", read.peek());
        if !report.passed_over.is_empty() {
            self.cover("passed over");
        }
        if report.torn_tail.is_some() {
            self.cover("torn tail");
        }
        let torn = report.torn_tail.map_or(u64::MAX, |torn| torn.position);
        for (number, record) in &missing {
            judge!(
                *number >= self.synced || (self.faults.flips && record.0 >= torn),
                "{record:?} was synced and is gone: {report:?}"
            );
            judge!(
                *number >= self.appended || self.lossy || self.faults.flips,
                "{record:?} was appended and is gone: {report:?}"
            );
        }
        if let Some((first, _)) = missing.first() {
            judge!(missing.len() == self.list.len() - first, "a hole in what was not synced: {missing:?}");
        }
        judge!(
            self.faults.flips || report.damage.is_empty() && report.passed_over.is_empty(),
            "damage without a flip: {report:?}"
        );
        let said: Vec<(u64, u64)> = report.damage.iter().map(|damage| (damage.from, damage.to)).collect();
        let base = self.base(report);
        let read_damage: Vec<(u64, u64)> = seen
            .iter()
            .filter_map(|seen| if let Seen::Damage(from, to) = seen { Some((*from, *to)) } else { None })
            .collect();
        let behind: Vec<(u64, u64)> = read_damage.into_iter().filter(|(from, _)| *from >= base).collect();
        judge!(said == behind, "a start names {said:?}, a reader {behind:?}");
        self.fold.retain(|seen| matches!(seen, Seen::Record(at, _) | Seen::Damage(at, _) if *at < base));
        self.fold.extend(
            seen.iter()
                .filter(|seen| matches!(seen, Seen::Record(at, _) | Seen::Damage(at, _) if *at >= base)),
        );
        (self.synced, self.appended, self.lossy) = (kept.len(), kept.len(), false);
        self.list = kept;
        Ok(())
    }

    /// The segment a start's state came from: the newest that was not passed over, before a new one was made.
    fn base(&self, report: &StartReport) -> u64 {
        if report.new {
            return 0;
        }
        let firsts = segment::list(&self.disk).unwrap();
        let passed = |first: &u64| report.passed_over.iter().any(|over| over.segment == *first);
        let followed = !report.passed_over.is_empty() || !report.damage.is_empty();
        let made_now = |first: &u64| followed && *first == report.end;
        firsts.into_iter().rfind(|first| !passed(first) && !made_now(first)).unwrap_or(0)
    }

    fn sinks_again(&mut self, end: u64) -> Verdict {
        let Some(writer) = &self.writer else { return Ok(()) };
        for (number, limit) in [Limit::Synced, Limit::Appended].into_iter().enumerate() {
            let storage = self.storage();
            let context = Context { storage: &*storage, journal: writer.journal, progress: &self.progress };
            let name = format!("sink{number}");
            let registered = writer.cursors.register(&context, &name, From::Oldest);
            let (file, origin) = match registered {
                Ok(registered) => registered,
                Err(error) if self.faults.disk => {
                    // Its disk fails: the service would not start.
                    let _ = error;
                    self.kill_keeping();
                    return Ok(());
                }
                Err(error) => return Err(format!("cursor: {error:?}")),
            };
            let position = file.position();
            judge!(
                position >= self.stored[number].min(end),
                "cursor {position} is before what was stored: {} {origin:?}",
                self.stored[number]
            );
            let done = self.list.partition_point(|(at, _)| *at < position);
            let cursor = Cursor {
                name,
                file,
                origin,
                cursors: Arc::clone(&writer.cursors),
                progress: Arc::clone(&self.progress),
                queue: Arc::clone(&self.queue),
            };
            let reader = Reader::new(
                self.storage(),
                writer.journal,
                Bound::Owner(Arc::clone(&self.progress), limit),
                position,
            );
            self.sinks.push(Sink { reader, cursor, done });
        }
        Ok(())
    }

    fn kill_keeping(&mut self) {
        self.writer = None;
        for (stored, sink) in self.stored.iter_mut().zip(&self.sinks) {
            *stored = sink.cursor.position();
        }
        self.sinks.clear();
        self.disk.kill();
    }
}

fn judge_gone(from: u64) -> Verdict {
    judge!(from == 0, "gone from {from}");
    Ok(())
}

fn fold_of(seen: &[Seen]) -> Chain {
    let mut chain = Chain::default();
    for seen in seen {
        match *seen {
            Seen::Record(at, id) => {
                chain.mix(at);
                chain.mix(id);
            }
            Seen::Damage(from, to) => chain.damage(from, to),
        }
    }
    chain
}

fn schedules(
    seeds: std::ops::Range<u64>,
    steps: u64,
    faults: Faults,
    sabotage: Option<Sabotage>,
) -> (Vec<String>, BTreeMap<&'static str, u64>) {
    let (mut failed, mut coverage) = (Vec::new(), BTreeMap::new());
    for seed in seeds {
        let mut world = World::new(seed, faults, sabotage);
        if let Err(why) = world.run(steps) {
            failed.push(format!("seed {seed}: {why}"));
        }
        for (what, times) in world.coverage {
            *coverage.entry(what).or_default() += times;
        }
    }
    (failed, coverage)
}

const ALL: Faults = Faults { disk: true, power: true, flips: false };

fn assert_all_hold(seeds: u64, faults: Faults, must_cover: &[&str]) {
    let (failed, coverage) = schedules(0..seeds, 150, faults, None);
    assert!(
        failed.is_empty(),
        "{} of {seeds} schedules failed, the first:\n{}",
        failed.len(),
        failed[..failed.len().min(3)].join("\n")
    );
    for what in must_cover {
        assert!(coverage.get(what).is_some_and(|times| *times >= 20), "{what} hardly happened: {coverage:?}");
    }
}

#[test]
fn a_process_that_is_killed_loses_nothing_it_appended() {
    assert_all_hold(2_000, Faults::default(), &["kill", "delete"]);
}

#[test]
fn nothing_synced_is_lost_to_power_and_failing_disks() {
    assert_all_hold(6_000, ALL, &["kill", "power loss", "fault", "recover", "delete", "torn tail"]);
}

#[test]
fn a_flipped_bit_is_named_and_the_rest_is_readable() {
    assert_all_hold(
        2_000,
        Faults { flips: true, ..Faults::default() },
        &["flip", "damaged record", "passed over", "torn tail"],
    );
}

#[test]
fn the_judge_sees_every_planted_bug() {
    for sabotage in [
        Sabotage::TrustRetriedFsync,
        Sabotage::CheckpointAhead,
        Sabotage::NameFirst,
        Sabotage::TailNotRewritten,
        Sabotage::NoLeap,
    ] {
        let (failed, _) = schedules(0..1_500, 150, ALL, Some(sabotage));
        assert!(!failed.is_empty(), "{sabotage:?} went unnoticed");
    }
}
