//! What was acknowledged, as checkpoints that wait to be read back. No I/O; `now` is the pump's clock.
//!
//! Of a partition everything acknowledged is remembered as the runs of its offsets, the newest [`RUNS_MAX`]: one run unless others write
//! there too. An acknowledgement inside of one says that what was there is gone; one in a hole is of a batch whose first answer was lost.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use tracing::warn;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::AuditPace;
use super::status::{AuditStatus, Difference, Differs};

/// Runs of offsets in one checkpoint, and remembered of a partition, at most: 4 KiB.
const RUNS_MAX: usize = 256;

/// So many looks in a row must show an end before what was acknowledged: a new leader may know of it a little later, and a broker that has
/// just started of a topic.
pub(super) const LOOKS: u32 = 10;

/// Differences that wait to be told, at most; more are counted only.
const TOLD_MAX: usize = 100;

/// One acknowledged record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kafka) struct Acknowledged {
    pub(in crate::kafka) partition: i32,
    /// Below 0 when the broker did not say it.
    pub(in crate::kafka) offset: i64,
    pub(in crate::kafka) hash: u64,
    pub(in crate::kafka) bytes: u64,
}

/// Of a record's content; a tombstone has one, too.
pub(in crate::kafka) fn hash_of(value: Option<&[u8]>) -> u64 {
    value.map_or_else(|| xxh3_64_with_seed(b"", 1), xxh3_64)
}

/// A hash over everything before, and over one more record at its offset.
pub(super) fn rolled(before: u64, offset: i64, hash: u64) -> u64 {
    let [a, b, c] = [before, offset.cast_unsigned(), hash].map(u64::to_le_bytes);
    xxh3_64(&[a, b, c].concat())
}

/// Records that are compared at once: their offsets, as first and last of runs, and the hash over all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) runs: Vec<(i64, i64)>,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) hash: u64,
}

impl Checkpoint {
    pub(super) fn first(&self) -> i64 {
        self.runs.first().map_or(0, |run| run.0)
    }

    pub(super) fn last(&self) -> i64 {
        self.runs.last().map_or(0, |run| run.1)
    }

    fn push(&mut self, record: &Acknowledged) {
        extend(&mut self.runs, record.offset);
        self.count += 1;
        self.bytes += record.bytes;
        self.hash = rolled(self.hash, record.offset, record.hash);
    }
}

/// What is to be found out of a partition in one round, and then what was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Part {
    /// To be read back, in order; what is left of them when the round is over was not read.
    pub(super) checkpoints: VecDeque<Checkpoint>,
    /// The newest acknowledged offset.
    pub(super) newest: i64,
    /// How often its end had gone back when this was asked.
    setbacks: u64,
    /// Where the partition ends now, where that is before what was acknowledged.
    pub(super) ends: Option<i64>,
    /// It was seen to end behind that.
    pub(super) is_whole: bool,
    pub(super) audited: u64,
    pub(super) not_auditable: u64,
    pub(super) foreign: u64,
    /// First and last offset, how many, how.
    pub(super) differences: Vec<(i64, i64, u64, Differs)>,
}

#[derive(Debug, Default)]
struct Partition {
    acknowledged: VecDeque<(i64, i64)>,
    open: Option<(Checkpoint, Instant)>,
    closed: VecDeque<Checkpoint>,
    /// Looks in a row that showed an end before what was acknowledged.
    looks: u32,
    /// How often its end went back.
    setbacks: u64,
}

#[derive(Debug)]
pub(super) struct Trail {
    pace: AuditPace,
    pub(super) may_compact: bool,
    partitions: BTreeMap<i32, Partition>,
    /// Checkpoints that wait, those that are being read too.
    waiting: usize,
    lag: u64,
    status: AuditStatus,
    untold: Vec<(i32, (i64, i64, u64, Differs))>,
}

impl Trail {
    pub(super) fn new(pace: AuditPace, may_compact: bool) -> Self {
        let (partitions, status, untold) = Default::default();
        Self { pace, may_compact, partitions, waiting: 0, lag: 0, status, untold }
    }

    pub(super) fn status(&self) -> AuditStatus {
        AuditStatus { lag: self.lag, ..self.status.clone() }
    }

    pub(super) fn acknowledged(&mut self, record: Acknowledged, now: Instant) {
        let Acknowledged { partition, offset, .. } = record;
        if offset < 0 {
            self.status.skipped += 1;
            return;
        }
        let of = self.partitions.entry(partition).or_default();
        let newest = of.acknowledged.back().map_or(-1, |run| run.1);
        if offset <= newest {
            let is_known = of.acknowledged.iter().any(|run| (run.0..=run.1).contains(&offset));
            if !is_known {
                self.status.skipped += 1;
                return;
            }
            self.went_back(partition, offset);
        }
        let of = self.partitions.entry(partition).or_default();
        extend_deque(&mut of.acknowledged, offset);
        self.lag += 1;
        let (open, _) = of.open.get_or_insert_with(|| (Checkpoint::default(), now));
        open.push(&record);
        if open.count >= self.pace.checkpoint_records || open.runs.len() >= RUNS_MAX {
            self.close(partition);
        }
    }

    /// What is to be found out of each partition in this round; of all of them when it `looks` at ends. Takes checkpoints while there
    /// are bytes `left`.
    pub(super) fn parts(&mut self, now: Instant, left: &mut u64, looks: bool) -> BTreeMap<i32, Part> {
        let interval = self.pace.checkpoint_interval;
        let is_due = |of: &Partition| {
            of.open.as_ref().is_some_and(|(_, since)| now.saturating_duration_since(*since) >= interval)
        };
        let due: Vec<i32> =
            self.partitions.iter().filter(|(_, of)| is_due(of)).map(|(number, _)| *number).collect();
        due.into_iter().for_each(|partition| self.close(partition));
        let mut parts = BTreeMap::new();
        for (number, of) in &mut self.partitions {
            let newest = of.acknowledged.back().map_or(-1, |run| run.1);
            let mut part = Part { newest, setbacks: of.setbacks, ..Part::default() };
            while let Some(next) = of.closed.pop_front_if(|_| *left > 0) {
                *left = left.saturating_sub(next.bytes);
                part.checkpoints.push_back(next);
            }
            if part.newest >= 0 && (looks || of.looks > 0 || !part.checkpoints.is_empty()) {
                parts.insert(*number, part);
            }
        }
        parts
    }

    /// What was found out of a partition.
    pub(super) fn give_back(&mut self, partition: i32, mut part: Part) {
        self.status.audited += part.audited;
        self.status.not_auditable += part.not_auditable;
        self.status.foreign += part.foreign;
        if self.partitions.get(&partition).is_some_and(|of| of.setbacks != part.setbacks) {
            // Its end went back meanwhile, and that was told: what is left of this belongs to what is gone.
            self.status.skipped += part.checkpoints.iter().map(|left| left.count).sum::<u64>();
            self.count();
            return;
        }
        for difference in part.differences.drain(..) {
            self.differs(partition, difference);
        }
        let of = self.partitions.entry(partition).or_default();
        while let Some(left) = part.checkpoints.pop_back() {
            of.closed.push_front(left);
        }
        of.looks = match part.ends {
            Some(_) => of.looks + 1,
            None if part.is_whole => 0,
            None => of.looks,
        };
        let is_sure = of.looks >= LOOKS;
        if let Some(ends) = part.ends.filter(|_| is_sure) {
            self.went_back(partition, ends);
        }
        self.count();
    }

    /// Differences that nobody was told of yet; notes why the last round read nothing.
    pub(super) fn settle(&mut self, stream: &str, topic: &str, error: Option<String>) -> Vec<Difference> {
        self.status.failures += u64::from(error.is_some());
        if let (Some(error), None) = (&error, &self.status.error) {
            warn!(stream, topic, error, "what was acknowledged cannot be read back now: tried again");
        }
        self.status.error = error;
        let untold = std::mem::take(&mut self.untold);
        let told = |(partition, (first, last, records, differs))| Difference {
            stream: stream.to_owned(),
            topic: topic.to_owned(),
            partition,
            offsets: (first, last),
            records,
            differs,
        };
        let differences: Vec<Difference> = untold.into_iter().map(told).collect();
        if let Some(newest) = differences.last() {
            self.status.difference = Some(newest.to_string());
        }
        differences
    }

    /// The partition ended at `end`, and everything acknowledged from there on is gone.
    fn went_back(&mut self, partition: i32, end: i64) {
        let Some(of) = self.partitions.get_mut(&partition) else { return };
        (of.looks, of.setbacks) = (0, of.setbacks + 1);
        let mut lost: Option<(i64, i64, u64)> = None;
        while let Some(run) = of.acknowledged.pop_back_if(|run| run.1 >= end) {
            let first = run.0.max(end);
            let (_, last, records) = lost.unwrap_or((first, run.1, 0));
            lost = Some((first, last, records + (run.1 - first + 1).unsigned_abs()));
            if run.0 < end {
                of.acknowledged.push_back((run.0, end - 1));
            }
        }
        // A checkpoint that is partly gone cannot be compared.
        let mut skipped = 0;
        let open = of.open.take_if(|(open, _)| open.last() >= end).map(|(open, _)| open);
        let mut gone: Vec<Checkpoint> = open.into_iter().collect();
        while let Some(checkpoint) = of.closed.pop_back_if(|checkpoint| checkpoint.last() >= end) {
            gone.push(checkpoint);
        }
        for run in gone.iter().flat_map(|checkpoint| &checkpoint.runs).filter(|run| run.0 < end) {
            skipped += (run.1.min(end - 1) - run.0 + 1).unsigned_abs();
        }
        self.status.skipped += skipped;
        if let Some((first, last, records)) = lost {
            self.differs(partition, (first, last, records, Differs::EndWentBack));
        }
        self.count();
    }

    fn differs(&mut self, partition: i32, difference: (i64, i64, u64, Differs)) {
        self.status.differing += difference.2;
        if self.untold.len() < TOLD_MAX {
            self.untold.push((partition, difference));
        }
    }

    /// An open checkpoint waits from now on, or is skipped where too many do.
    fn close(&mut self, partition: i32) {
        let Some(of) = self.partitions.get_mut(&partition) else { return };
        let Some((checkpoint, _)) = of.open.take() else { return };
        if self.waiting < self.pace.checkpoints_max {
            self.waiting += 1;
            of.closed.push_back(checkpoint);
        } else {
            self.status.skipped += checkpoint.count;
            self.lag -= checkpoint.count;
        }
    }

    fn count(&mut self) {
        let open = |of: &Partition| of.open.as_ref().map_or(0, |(open, _)| open.count);
        let closed = |of: &Partition| of.closed.iter().map(|closed| closed.count).sum::<u64>();
        self.lag = self.partitions.values().map(|of| open(of) + closed(of)).sum();
        self.waiting = self.partitions.values().map(|of| of.closed.len()).sum();
    }
}

fn extend(runs: &mut Vec<(i64, i64)>, offset: i64) {
    match runs.last_mut() {
        Some(run) if run.1 + 1 == offset => run.1 = offset,
        _ => runs.push((offset, offset)),
    }
}

fn extend_deque(runs: &mut VecDeque<(i64, i64)>, offset: i64) {
    match runs.back_mut() {
        Some(run) if run.1 + 1 == offset => run.1 = offset,
        _ => runs.push_back((offset, offset)),
    }
    if runs.len() > RUNS_MAX {
        runs.pop_front();
    }
}
