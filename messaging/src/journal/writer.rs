//! The writer's state, without its thread: numbers and writes groups, makes them durable, seals what failed and goes on
//! in a new segment. Never in two minds about what the disk has: `synced` moves only after an fsync that succeeded, and
//! the owner's fold is applied only then.
//!
//! `now_ns` is wall-clock ns, for the age of segments and for reports; no position comes from it here.

mod retention;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::config::JournalConfig;
#[cfg(test)]
use super::config::Sabotage;
use super::counters::Counters;
use super::cursor::Cursors;
use super::format::{JournalId, Salt, SegmentHeader, each_record, number, stamp};
use super::index::{self, IndexBuilder};
use super::progress::{Alarms, Failing, Standing};
use super::queue::Group;
use super::record::Fold;
use super::segment;
use crate::storage::{Storage, StoredFile};

/// Buffers above this are given back after use.
const KEEP_BUFFER: usize = 4 << 20;

/// A segment file of this journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) first: u64,
    pub(crate) bytes: u64,
    /// Of the index beside it; 0 while there is none.
    pub(crate) index_bytes: u64,
    pub(crate) created_ns: u64,
    /// Its checkpoint was read back, or was written and fsynced by this run.
    pub(crate) good_checkpoint: bool,
}

/// The segment being written.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) file: Box<dyn StoredFile>,
    pub(crate) header: SegmentHeader,
    pub(crate) batches_at: u64,
    pub(crate) end: u64,
    pub(crate) index: IndexBuilder,
}

/// A group that is not durable yet.
#[derive(Debug)]
struct Pending {
    group: Group,
    offset: u64,
    end: u64,
    written_ns: u64,
}

pub(crate) struct Writer<F> {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) config: JournalConfig,
    pub(crate) journal: JournalId,
    pub(crate) cursors: Arc<Cursors>,
    pub(crate) fold: F,
    pub(crate) segments: VecDeque<Listed>,
    active: Option<Active>,
    pending: VecDeque<Pending>,
    /// The position behind the last numbered record, and the one the next record gets.
    end: u64,
    next: u64,
    standing: Standing,
    pub(crate) counters: Counters,
    checkpoint_bytes: u64,
    spare: Vec<u8>,
}

impl<F: Fold> Writer<F> {
    /// A writer of a journal that has no segment yet. What is before `end` counts as durable; the next record gets `next`.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        config: JournalConfig,
        journal: JournalId,
        fold: F,
        end: u64,
        next: u64,
    ) -> Self {
        Self {
            storage,
            config,
            journal,
            cursors: Arc::default(),
            fold,
            segments: VecDeque::new(),
            active: None,
            pending: VecDeque::new(),
            end,
            next,
            standing: Standing { appended: end, synced: end, ..Standing::default() },
            counters: Counters::default(),
            checkpoint_bytes: 0,
            spare: Vec::new(),
        }
    }

    /// Takes over the files a start found; `active` is the newest of them, where it can be written on.
    pub(crate) fn go_on(&mut self, segments: VecDeque<Listed>, active: Option<Active>) {
        self.checkpoint_bytes = active.as_ref().map_or(0, |active| active.header.checkpoint_bytes);
        (self.segments, self.active) = (segments, active);
    }

    fn salt(&self) -> Salt {
        self.journal.salt()
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether the disk fails; then only [`Writer::recover`] helps.
    pub(crate) fn failing(&self) -> bool {
        self.standing.alarms.failing.is_some()
    }

    /// The buffer for the queue to fill next.
    pub(crate) fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// When the oldest write that is not durable was made.
    pub(crate) fn oldest_unsynced_ns(&self) -> Option<u64> {
        self.pending.front().map(|pending| pending.written_ns)
    }

    /// Gives the group its positions and writes it behind the last one. It is kept until it is durable, so this cannot
    /// lose it; whether the disk took it is for [`Writer::failing`] to say.
    pub(crate) fn write(&mut self, mut group: Group, now_ns: u64) {
        if self.active.as_ref().is_some_and(|active| self.over_size(active, group.bytes.len() as u64)) {
            self.roll(now_ns);
        }
        self.end = number(&mut group.bytes, self.end, self.next, self.salt());
        self.next = self.end;
        let mut pending = Pending { group, offset: 0, end: self.end, written_ns: now_ns };
        let written = self.append(&mut pending);
        self.pending.push_back(pending);
        match written {
            None => {}
            Some(Ok(())) => self.appended(),
            Some(Err(error)) => self.fail("write", &error, now_ns),
        }
    }

    fn append(&mut self, pending: &mut Pending) -> Option<io::Result<()>> {
        let (salt, mark) = (self.salt(), self.standing.synced);
        let active = self.active.as_mut()?;
        stamp(&mut pending.group.bytes, active.end, mark, salt);
        pending.offset = active.end;
        let written = active.file.write_all_at(&pending.group.bytes, active.end);
        if written.is_ok() {
            active.end += pending.group.bytes.len() as u64;
            self.counters.writes += 1;
            self.counters.bytes += pending.group.bytes.len() as u64;
            self.counters.batches += pending.group.batches;
            if let Some(listed) = self.segments.back_mut() {
                listed.bytes = active.end;
            }
        }
        Some(written)
    }

    fn appended(&mut self) {
        if let Some(last) = self.pending.back() {
            self.standing.appended = last.end;
            self.standing.tickets_appended = last.group.ticket;
        }
    }

    /// Makes everything written durable. `took_ns` tells how long the disk needed.
    pub(crate) fn sync(&mut self, now_ns: u64, took_ns: impl FnOnce() -> u64) {
        if self.pending.is_empty() || self.failing() {
            return;
        }
        let Some(active) = &self.active else { return };
        #[cfg_attr(not(test), expect(unused_mut, reason = "only a sabotaged writer tries twice"))]
        let mut synced = active.file.sync_data();
        #[cfg(test)]
        if self.config.sabotage == Some(Sabotage::TrustRetriedFsync) && synced.is_err() {
            synced = active.file.sync_data();
        }
        match synced {
            Ok(()) => {
                self.counters.fsynced(took_ns());
                self.settle();
            }
            Err(error) => self.fail("fsync", &error, now_ns),
        }
    }

    /// All that was pending is durable: the fold may have it.
    fn settle(&mut self) {
        for Pending { group, offset, end, .. } in self.pending.drain(..) {
            let (fold, mut index) = (&mut self.fold, self.active.as_mut().map(|active| &mut active.index));
            each_record(&group.bytes, |inside, end_before, record| match &mut index {
                Some(index) => {
                    index.add(offset + inside as u64, end_before, record);
                    fold.apply_labelled(record, &mut |label| index.add_label(label));
                }
                None => fold.apply(record),
            });
            self.standing.synced = end;
            self.standing.tickets_synced = group.ticket;
            if self.spare.capacity() < group.bytes.capacity() && group.bytes.capacity() <= KEEP_BUFFER {
                self.spare = group.bytes;
                self.spare.clear();
            }
        }
    }

    /// Seals the segment: nothing is written to it or synced any more.
    fn fail(&mut self, what: &str, error: &io::Error, now_ns: u64) {
        self.active = None;
        self.counters.failures += 1;
        let last_error = format!("{what}: {error}");
        let failing = &mut self.standing.alarms.failing;
        if worth_telling(failing.as_ref(), &last_error) {
            let (failures, attempts) =
                (self.counters.failures, failing.as_ref().map_or(0, |failing| failing.attempts));
            let synced = self.standing.synced;
            tracing::error!(what, %error, synced, failures, attempts, "the journal's disk failed: segment sealed, records kept");
        }
        match failing {
            Some(failing) => failing.last_error = last_error,
            None => *failing = Some(Failing { since_ns: now_ns, attempts: 0, last_error }),
        }
    }

    /// Ends the segment and begins the next one. A failure leaves the writer failing.
    pub(crate) fn roll(&mut self, now_ns: u64) {
        self.sync(now_ns, || 0);
        if self.failing() {
            return;
        }
        self.write_index();
        if let Err(error) = self.new_segment(now_ns) {
            self.fail("new segment", &error, now_ns);
        }
    }

    /// One attempt to go on in a new segment.
    pub(crate) fn recover(&mut self, now_ns: u64) {
        self.counters.retries += 1;
        if let Some(failing) = &mut self.standing.alarms.failing {
            failing.attempts += 1;
        }
        match self.new_segment(now_ns) {
            Ok(()) => {
                let attempts = self.standing.alarms.failing.take().map(|failing| failing.attempts);
                tracing::info!(
                    synced = self.standing.synced,
                    attempts,
                    "the journal goes on in a new segment"
                );
            }
            Err(error) => self.fail("new segment", &error, now_ns),
        }
    }

    /// Makes a segment that begins at `synced` and holds everything since, durable as a whole.
    fn new_segment(&mut self, now_ns: u64) -> io::Result<()> {
        let first = self.standing.synced;
        #[cfg(test)]
        self.sabotage_checkpoint();
        let header = SegmentHeader { journal: self.journal, checkpoint_bytes: 0, first, created_ns: now_ns };
        #[cfg(test)]
        if self.config.sabotage == Some(Sabotage::NameFirst) {
            segment::make(&*self.storage, header, &self.fold, &mut std::iter::empty())?;
        }
        let mut groups = self.pending.iter_mut().map(|pending| &mut pending.group.bytes);
        let made = segment::make(&*self.storage, header, &self.fold, &mut groups)?;
        let mut offset = made.batches_at;
        for pending in &mut self.pending {
            pending.offset = offset;
            offset += pending.group.bytes.len() as u64;
        }
        if self.segments.back().is_some_and(|last| last.first == first) {
            // It took the name of one that held nothing durable.
            self.segments.pop_back();
        }
        let (bytes, created_ns) = (made.end, now_ns);
        self.segments.push_back(Listed { first, bytes, index_bytes: 0, created_ns, good_checkpoint: true });
        self.checkpoint_bytes = made.header.checkpoint_bytes;
        self.counters.segments_made += 1;
        self.active = Some(Active {
            file: made.file,
            header: made.header,
            batches_at: made.batches_at,
            end: made.end,
            index: IndexBuilder::default(),
        });
        self.appended();
        self.settle();
        Ok(())
    }

    /// Best effort: a reader without an index reads everything.
    fn write_index(&mut self) {
        let Some(active) = &self.active else { return };
        let bytes = active.index.encode(&active.header, active.end, self.end);
        let written = self
            .storage
            .create(&index::name(active.header.first))
            .and_then(|file| file.write_all_at(&bytes, 0));
        match written {
            Ok(()) => {
                if let Some(listed) = self.segments.back_mut() {
                    listed.index_bytes = bytes.len() as u64;
                }
            }
            Err(error) => {
                tracing::warn!(%error, segment = active.header.first, "no index was written");
                self.counters.housekeeping_failures += 1;
            }
        }
    }

    /// Brings the numbers up to date.
    pub(crate) fn count(&mut self) -> &Counters {
        let held = self.held();
        self.counters.segments = self.segments.len() as u64;
        self.counters.disk_bytes = held.disk_bytes;
        self.counters.unsynced_bytes = held.unsynced_bytes as u64;
        &self.counters
    }

    pub(crate) fn alarms(&self) -> &Alarms {
        &self.standing.alarms
    }

    #[cfg(test)]
    fn sabotage_checkpoint(&mut self) {
        if self.config.sabotage == Some(Sabotage::CheckpointAhead) {
            for pending in &self.pending {
                each_record(&pending.group.bytes, |_, _, record| self.fold.apply(record));
            }
        }
    }
}

/// The first failure and another error are news; after that every doubling of the attempts.
fn worth_telling(failing: Option<&Failing>, error: &str) -> bool {
    const QUIET_FROM: u64 = 16;
    failing.is_none_or(|failing| {
        failing.attempts.is_power_of_two() && failing.attempts >= QUIET_FROM
            || failing.attempts < QUIET_FROM && failing.last_error != error
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_stays_full_is_told_again_more_and_more_rarely() {
        let mut failing = None;
        let mut told = Vec::new();
        for attempts in 0..100_000 {
            let error = if attempts == 0 { "write: full" } else { "new segment: full" };
            if worth_telling(failing.as_ref(), error) {
                told.push(attempts);
            }
            failing = Some(Failing { since_ns: 0, attempts: attempts + 1, last_error: error.to_owned() });
        }
        assert_eq!(told[..4], [0, 1, 16, 32]);
        assert_eq!(told.len(), 15);
    }
}
