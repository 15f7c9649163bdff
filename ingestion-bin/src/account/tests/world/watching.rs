//! What must hold at every moment, looked at while the world runs: bounds, pace of questions, coverage.

use super::super::super::{Coverage, Record, Stream};
use super::World;

/// The least pause between two reads of a stream, our milliseconds.
const PAUSE: i64 = 1_500;

impl World {
    /// I6: what a frame that was taken leaves behind is inside the caps.
    pub(super) fn check_bounds(&mut self, stream: Stream) {
        let Some(machine) = self.machine.as_ref().filter(|_| self.settings.held_cap < 1_000) else { return };
        if machine.ledger().streams().all(|followed| followed != stream) {
            return;
        }
        let summary = machine.summary();
        if summary.held > self.settings.held_cap || summary.keys > self.settings.key_cap {
            let detail = format!("{} rows held, {} keys at {}", summary.held, summary.keys, self.now);
            self.problems.push(("over-the-caps", detail));
        }
    }

    /// Where a long run is told to be bounded: the most keys at a time.
    pub(super) fn note_keys(&mut self) {
        if let Some(machine) = self.machine.as_ref().filter(|_| self.plan.pace.is_some()) {
            let most = self.counts.entry("most keys held".into()).or_default();
            *most = (*most).max(machine.summary().keys as u64);
        }
    }

    /// I10: what one account asks leaves the budget to others (S4).
    pub(super) fn check_pace(&mut self) {
        let Some(machine) = &self.machine else { return };
        let reads = machine.counts().reads;
        for _ in self.reads..reads {
            self.begun.push_back(self.now);
        }
        self.reads = reads;
        while self.begun.front().is_some_and(|&at| at <= self.now - PAUSE) {
            self.begun.pop_front();
        }
        if self.begun.len() > machine.ledger().streams().count() {
            self.problems.push(("hasty-reads", format!("{:?}", self.begun)));
        }
    }

    /// I9: who listens is said truly.
    pub(super) fn check_coverage(&mut self) {
        let Some(machine) = self.machine.as_ref().filter(|_| self.check_every_step && !self.removed) else {
            return;
        };
        let shown = |stream: Stream| {
            self.connections.iter().filter(|connection| connection.shown[stream as usize]).count()
        };
        let truth = match machine.ledger().streams().map(shown).min() {
            None | Some(0) => Coverage::Blind,
            Some(1) => Coverage::Single,
            Some(_) => Coverage::Full,
        };
        let said = machine.summary().coverage;
        if said != truth {
            self.problems.push(("coverage", format!("{said:?}, truly {truth:?}, at {}", self.now)));
        }
    }

    /// A gap that a new process tells again, right behind its epoch.
    pub(super) fn is_told_again(&self, record: &Record<u32>) -> bool {
        let fresh = self.journal.last().is_some_and(|last| matches!(last, Record::Epoch { .. }));
        fresh && self.epoch > 1 && matches!(record, Record::Gap(_))
    }
}
