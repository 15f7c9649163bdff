//! Checkpoints of one partition beside what the partition holds, record by record in the order of offsets. No I/O.

use super::status::Differs;
use super::trail::{Part, rolled};

/// What is being compared in a partition.
#[derive(Debug)]
pub(super) struct Verify {
    part: Part,
    may_compact: bool,
    /// The next offset of ours, and in which run of the first checkpoint it lies.
    at: Option<(usize, i64)>,
    hash: u64,
    /// Runs of the first checkpoint that are not there.
    missing: Vec<(i64, i64)>,
}

impl Verify {
    /// Checkpoints that begin before `low`, where the partition begins now, are given up.
    pub(super) fn new(mut part: Part, low: i64, may_compact: bool) -> Self {
        while let Some(gone) = part.checkpoints.pop_front_if(|first| first.first() < low) {
            part.not_auditable += gone.count;
        }
        let mut verify = Self { part, may_compact, at: None, hash: 0, missing: Vec::new() };
        verify.begin();
        verify
    }

    /// The offset to read next; nothing when all is done.
    pub(super) fn wants(&self) -> Option<i64> {
        self.at.map(|(_, offset)| offset)
    }

    /// A record of the partition, each behind the one before.
    pub(super) fn take(&mut self, offset: i64, hash: u64) {
        while let Some((run, wanted)) = self.at {
            if offset < wanted {
                self.part.foreign += 1;
                return;
            }
            if offset == wanted {
                self.hash = rolled(self.hash, offset, hash);
                self.go_on(run, wanted);
                return;
            }
            self.pass(run, wanted, offset - 1);
        }
    }

    /// The partition ends before what is wanted next, although it ended behind it a moment ago: for whoever looks again.
    pub(super) fn ended(&mut self) {
        if let Some((_, wanted)) = self.at.take() {
            (self.part.ends, self.part.is_whole) = (Some(wanted), false);
        }
    }

    /// What was found out; checkpoints that were not read to their end are still in it.
    pub(super) fn done(self) -> Part {
        self.part
    }

    fn begin(&mut self) {
        (self.hash, self.missing) = (0, Vec::new());
        self.at = self.part.checkpoints.front().map(|first| (0, first.first()));
    }

    /// Offsets of this run, from `wanted` to `last` at most, are not there.
    fn pass(&mut self, run: usize, wanted: i64, last: i64) {
        let Some(end) = self.run(run).map(|run| run.1) else { return };
        let last = last.min(end);
        self.missing.push((wanted, last));
        self.go_on(run, last);
    }

    /// Behind `offset` of this run.
    fn go_on(&mut self, run: usize, offset: i64) {
        let is_over = self.run(run).is_none_or(|run| run.1 <= offset);
        let next =
            if is_over { self.run(run + 1).map(|next| (run + 1, next.0)) } else { Some((run, offset + 1)) };
        match next {
            Some(next) => self.at = Some(next),
            None => self.conclude(),
        }
    }

    fn run(&self, number: usize) -> Option<(i64, i64)> {
        self.part.checkpoints.front()?.runs.get(number).copied()
    }

    fn conclude(&mut self) {
        if let Some(checkpoint) = self.part.checkpoints.pop_front() {
            let gone: u64 = self.missing.iter().map(|run| (run.1 - run.0 + 1).unsigned_abs()).sum();
            let part = &mut self.part;
            if gone == 0 && self.hash == checkpoint.hash {
                part.audited += checkpoint.count;
            } else if gone == 0 {
                let doubt = (checkpoint.first(), checkpoint.last(), checkpoint.count, Differs::Changed);
                part.differences.push(doubt);
            } else if self.may_compact {
                // Of what is left nobody can say whether it is as it was: one hash is over all.
                part.not_auditable += checkpoint.count;
            } else {
                let differs =
                    |run: &(i64, i64)| (run.0, run.1, (run.1 - run.0 + 1).unsigned_abs(), Differs::Missing);
                part.differences.extend(self.missing.iter().map(differs));
                part.not_auditable += checkpoint.count - gone;
            }
        }
        self.begin();
    }
}
