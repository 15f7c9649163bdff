//! Starting: finds the newest usable state, decides what is torn, damaged or whole, makes the tail durable before it is
//! believed, and brings the fold to the end. Reads two or three segments, however long the journal is.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::config::JournalConfig;
use super::cursor;
use super::error::{Damage, OpenError, PassedOver, StartReport, TornTail};
use super::format::{HeaderRead, JournalId, Salt, SegmentHeader};
use super::identity;
use super::index::{self, IndexBuilder};
use super::record::Fold;
use super::scan::Step;
use super::segment::{self, Segment};
use super::tail;
use super::window::Bytes;
use super::writer::{Active, Listed, Writer};
use crate::storage::{Storage, StoredFile, TEMPORARY};

/// Positions are ns of the wall clock or above; this is the year 2262.
const POSITION_MAX: u64 = i64::MAX as u64;

/// A boxed reason from the owner's restore.
pub(crate) type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Opens or makes the journal in `storage`, without its thread.
pub(crate) fn start<F: Fold>(
    config: JournalConfig,
    storage: Arc<dyn Storage>,
    now_ns: u64,
    restore: impl Fn(Option<&[u8]>) -> Result<F, Reason>,
) -> Result<(Writer<F>, StartReport), OpenError> {
    config.check()?;
    if now_ns > POSITION_MAX {
        return Err(OpenError::Position(now_ns));
    }
    storage
        .create_dir("")
        .and_then(|()| storage.create_dir(cursor::DIR))
        .map_err(io_error("make directories"))?;
    let known = identity::load(&*storage)?;
    clean(&*storage)?;
    let firsts = segment::list(&*storage).map_err(io_error("list segments"))?;
    let (Some(journal), Some(&newest)) = (known, firsts.last()) else {
        let journal = match known {
            Some(journal) => journal,
            None => identity::create(&*storage)?,
        };
        let fold = restore(None).map_err(|source| OpenError::Restore { segment: now_ns, source })?;
        return begin_new(config, storage, journal, fold, now_ns);
    };
    let mut start =
        Start { storage, config, journal, salt: journal.salt(), firsts, report: StartReport::default() };
    start.report.segments = start.firsts.len();
    for first in start.firsts.clone() {
        start.open(first)?; // refuses what is not ours before anything is changed
    }
    let found = start.find_checkpoint()?;
    let mut fold =
        restore(Some(&found.bytes)).map_err(|source| OpenError::Restore { segment: found.first, source })?;
    let tail = start.settle_tail(newest)?;
    let index = start.replay(&mut fold, found.first, tail.end)?;
    let follow = start.finish_tail(&found, newest, &tail)?;
    start.begin(fold, &found, newest, index, follow, now_ns)
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
    let what = what.into();
    move |source| OpenError::Io { what, source }
}

/// Removes what unfinished work left, and makes all names durable before any is believed.
fn clean(storage: &dyn Storage) -> Result<(), OpenError> {
    for name in storage.list("").map_err(io_error("list"))? {
        if name.ends_with(TEMPORARY) {
            storage.remove(&name).map_err(io_error(format!("remove {name}")))?;
        }
    }
    storage.sync_dir("").map_err(io_error("sync the directory"))
}

fn begin_new<F: Fold>(
    config: JournalConfig,
    storage: Arc<dyn Storage>,
    journal: JournalId,
    fold: F,
    now_ns: u64,
) -> Result<(Writer<F>, StartReport), OpenError> {
    let mut writer = Writer::new(storage, config, journal, fold, now_ns, now_ns);
    first_segment(&mut writer, now_ns)?;
    let lost_end = lost_end(&*writer.storage, journal, 0)?;
    Ok((writer, StartReport { new: true, segments: 1, end: now_ns, lost_end, ..StartReport::default() }))
}

/// What sinks had read behind `end`: that was durable once.
fn lost_end(storage: &dyn Storage, journal: JournalId, end: u64) -> Result<Option<(u64, u64)>, OpenError> {
    let read = cursor::foremost(storage, journal).map_err(io_error("read the cursors"))?;
    Ok((read > end).then_some((end, read)))
}

/// Makes a segment now or gives up: a start does not wait for a disk.
fn first_segment<F: Fold>(writer: &mut Writer<F>, now_ns: u64) -> Result<(), OpenError> {
    writer.roll(now_ns);
    match &writer.alarms().failing {
        None => Ok(()),
        Some(failing) => Err(OpenError::Io {
            what: "new segment".to_owned(),
            source: io::Error::other(failing.last_error.clone()),
        }),
    }
}

struct Start {
    storage: Arc<dyn Storage>,
    config: JournalConfig,
    journal: JournalId,
    salt: Salt,
    firsts: Vec<u64>,
    report: StartReport,
}

/// The end of the newest segment.
struct Tail {
    file: Box<dyn StoredFile>,
    /// Behind its last whole batch.
    cut_at: u64,
    /// The position there.
    end: u64,
}

/// The checkpoint the state is restored from.
struct Checkpoint {
    first: u64,
    bytes: Vec<u8>,
    /// Segments whose checkpoints were read and found good.
    good: Vec<u64>,
}

impl Start {
    fn open(&self, first: u64) -> Result<Segment, OpenError> {
        let segment = Segment::open(&*self.storage, first)
            .map_err(io_error(format!("open {}", segment::name(first))))?;
        match segment.header {
            HeaderRead::Newer(version) => Err(OpenError::Newer { file: segment::name(first), version }),
            HeaderRead::Good(header) if header.journal != self.journal => {
                Err(OpenError::Foreign { segment: first, found: header.journal, ours: self.journal })
            }
            HeaderRead::Good(_) | HeaderRead::Bad => Ok(segment),
        }
    }

    /// The newest good checkpoint, and whether the one before it is good too: deleting must know of two.
    fn find_checkpoint(&mut self) -> Result<Checkpoint, OpenError> {
        let mut found: Option<Checkpoint> = None;
        for first in self.firsts.clone().into_iter().rev() {
            let mut segment = self.open(first)?;
            let checkpoint = segment
                .checkpoint()
                .map_err(io_error(format!("read the checkpoint of {}", segment::name(first))))?;
            match (&mut found, checkpoint) {
                (None, Some(bytes)) => found = Some(Checkpoint { first, bytes, good: vec![first] }),
                (Some(found), Some(_)) => {
                    found.good.push(first);
                    break;
                }
                (Some(_), None) => {}
                (None, None) => self
                    .report
                    .passed_over
                    .push(PassedOver { segment: first, header: segment.header == HeaderRead::Bad }),
            }
        }
        found.ok_or(OpenError::NoCheckpoint { segments: self.firsts.len() })
    }

    /// Finds the torn end of the newest segment, writes what is good past the durable end again and makes it durable.
    fn settle_tail(&mut self, newest: u64) -> Result<Tail, OpenError> {
        let name = segment::name(newest);
        let segment = self.open(newest)?;
        let size = segment.size().map_err(io_error(format!("measure {name}")))?;
        let headless = segment.header == HeaderRead::Bad;
        let tail = tail::find(segment.scan(self.salt), newest, headless);
        let (tail_at, tail_from) = tail.map_err(io_error(format!("read {name}")))?;
        let file = self.storage.open(&name).map_err(io_error(format!("open {name}")))?;
        let mut tail = vec![0; usize::try_from(size.saturating_sub(tail_at)).unwrap_or(0)];
        let there = file.read_full_at(&mut tail, tail_at).map_err(io_error(format!("read {name}")))?;
        tail.truncate(there);
        let (good, position) = tail::whole_batches(&tail, tail_at, tail_from, self.salt);
        let cut_at = tail_at + good as u64;
        let cut = size.saturating_sub(cut_at);
        if cut > 0 {
            tracing::warn!(
                segment = newest,
                offset = cut_at,
                bytes = cut,
                position,
                "torn tail of the journal cut"
            );
            self.report.torn_tail = Some(TornTail { segment: newest, offset: cut_at, bytes: cut, position });
        }
        tail.truncate(good);
        #[cfg(test)]
        if self.config.sabotage == Some(super::config::Sabotage::TailNotRewritten) {
            tail.clear();
        }
        // After an earlier EIO these bytes may be readable and not on the disk, and an fsync alone would write nothing.
        file.write_all_at(&tail, tail_at).map_err(io_error(format!("write the tail of {name}")))?;
        file.sync_data().map_err(io_error(format!("fsync {name}")))?;
        self.report.rewritten = tail.len() as u64;
        Ok(Tail { file, cut_at, end: position })
    }

    /// Cuts the torn end off, unless a new segment has to follow at once: what was torn may hold the only mark that tells
    /// damage in this segment from a torn tail, so such a segment is ended by the next one instead. True when it must.
    fn finish_tail(&self, found: &Checkpoint, newest: u64, tail: &Tail) -> Result<bool, OpenError> {
        if found.first != newest || self.report.damage.iter().any(|damage| damage.segment == newest) {
            return Ok(true);
        }
        // Also when nothing is torn: an earlier start may have cut it and failed to make that durable.
        let cut = tail.file.truncate(tail.cut_at).and_then(|()| tail.file.sync_data());
        cut.map_err(io_error(format!("cut the tail of {}", segment::name(newest))))?;
        Ok(false)
    }

    /// Applies every good record from the checkpoint on, and names what cannot be read.
    fn replay<F: Fold>(&mut self, fold: &mut F, base: u64, end: u64) -> Result<IndexBuilder, OpenError> {
        let from = self.firsts.partition_point(|first| *first < base);
        let mut index = IndexBuilder::default();
        for at in from..self.firsts.len() {
            let Some(&first) = self.firsts.get(at) else { break };
            let next = self.firsts.get(at + 1).copied();
            let segment = self.open(first)?;
            self.report.segments_read += 1;
            let of_newest = next.is_none().then_some(&mut index);
            let replayed = self.replay_segment(fold, segment, next.unwrap_or(end), of_newest);
            replayed.map_err(io_error(format!("read {}", segment::name(first))))?;
        }
        self.report.end = end;
        Ok(index)
    }

    fn replay_segment<F: Fold>(
        &mut self,
        fold: &mut F,
        segment: Segment,
        stop: u64,
        mut index: Option<&mut IndexBuilder>,
    ) -> io::Result<()> {
        let first = segment.first;
        let mut scan = segment.scan(self.salt);
        while scan.end() < stop {
            let bad = match scan.next()? {
                Step::Record(record) if record.position >= stop => break,
                Step::Record(_) => {
                    let (offset, end_before) = scan.batch();
                    if let Some(record) = scan.current()? {
                        self.report.records += 1;
                        match &mut index {
                            Some(index) => {
                                index.add(offset, end_before, &record);
                                fold.apply_labelled(&record, &mut |label| index.add_label(label));
                            }
                            None => fold.apply(&record),
                        }
                    }
                    continue;
                }
                Step::Bad(bad) => {
                    Damage { from: bad.from, to: bad.to.min(stop), segment: first, offset: bad.offset }
                }
                Step::Broken => {
                    if scan.resync()? {
                        continue;
                    }
                    break;
                }
                Step::End => break,
            };
            self.damaged(fold, bad);
        }
        let (from, offset) = (scan.end(), scan.offset());
        if from < stop {
            self.damaged(fold, Damage { from, to: stop, segment: first, offset });
        }
        Ok(())
    }

    fn damaged<F: Fold>(&mut self, fold: &mut F, damage: Damage) {
        if damage.from < damage.to {
            tracing::error!(?damage, "part of the journal cannot be read");
            fold.damage(damage.from, damage.to);
            self.report.damage.push(damage);
        }
    }

    fn begin<F: Fold>(
        mut self,
        fold: F,
        found: &Checkpoint,
        newest: u64,
        index: IndexBuilder,
        follow: bool,
        now_ns: u64,
    ) -> Result<(Writer<F>, StartReport), OpenError> {
        let segments = self.list_files(&found.good)?;
        let end = self.report.end;
        self.report.lost_end = lost_end(&*self.storage, self.journal, end)?;
        let next = end.max(now_ns);
        #[cfg(test)]
        let next = if self.config.sabotage == Some(super::config::Sabotage::NoLeap) { end } else { next };
        if next > POSITION_MAX {
            return Err(OpenError::Position(next));
        }
        let active = self.active(newest, index)?;
        let damage = self.report.damage.len() + self.report.passed_over.len();
        let torn_bytes = self.report.torn_tail.map_or(0, |torn| torn.bytes);
        let mut writer = Writer::new(self.storage, self.config, self.journal, fold, end, next);
        writer.go_on(segments, active);
        (writer.counters.damage, writer.counters.torn_bytes) = (damage as u64, torn_bytes);
        if follow {
            first_segment(&mut writer, now_ns)?;
        }
        Ok((writer, self.report))
    }

    fn list_files(&self, good: &[u64]) -> Result<VecDeque<Listed>, OpenError> {
        let mut segments = VecDeque::new();
        for &first in &self.firsts {
            let segment = self.open(first)?;
            let bytes = segment.size().map_err(io_error(format!("measure {}", segment::name(first))))?;
            let created_ns = segment.ours(self.journal).map_or(first, |header| header.created_ns);
            let index = self.storage.open_read(&index::name(first)).and_then(|file| file.size());
            let (index_bytes, good_checkpoint) = (index.unwrap_or(0), good.contains(&first));
            segments.push_back(Listed { first, bytes, index_bytes, created_ns, good_checkpoint });
        }
        Ok(segments)
    }

    /// The newest segment, to be written on.
    fn active(&self, newest: u64, index: IndexBuilder) -> Result<Option<Active>, OpenError> {
        let segment = self.open(newest)?;
        let Some(header) = segment.ours(self.journal) else { return Ok(None) };
        let name = segment::name(newest);
        let file = self.storage.open(&name).map_err(io_error(format!("open {name}")))?;
        let end = file.size().map_err(io_error(format!("measure {name}")))?;
        Ok(Some(Active { file, batches_at: header.batches_at().min(end), header, end, index }))
    }
}

/// Reads any bytes as a segment. For fuzzing: it must say something about everything and never panic.
pub(crate) fn read_any(first: u64, journal: JournalId, bytes: Vec<u8>) -> (u64, Vec<Damage>) {
    let (mut records, mut damage) = (0, Vec::new());
    let Ok(mut segment) = Segment::read(first, Box::new(Bytes { bytes, base: 0 })) else {
        return (records, damage);
    };
    let _ = segment.checkpoint();
    let mut scan = segment.scan(journal.salt());
    loop {
        let broken = match scan.next() {
            Ok(Step::Record(_)) => {
                records += 1;
                false
            }
            Ok(Step::Bad(bad)) => {
                damage.push(Damage { from: bad.from, to: bad.to, segment: first, offset: bad.offset });
                false
            }
            Ok(Step::Broken) => true,
            Ok(Step::End) | Err(_) => return (records, damage),
        };
        if broken && !scan.resync().unwrap_or(false) {
            return (records, damage);
        }
    }
}

/// The journal a segment says it is of.
pub(crate) fn journal_of(bytes: &[u8]) -> Option<JournalId> {
    match SegmentHeader::parse(bytes) {
        HeaderRead::Good(header) => Some(header.journal),
        HeaderRead::Newer(_) | HeaderRead::Bad => None,
    }
}
