//! What a listener delivers.

use std::time::Instant;

use super::feed::Kept;
use super::intake::Source;
use super::{Intake, Machine, Row, Shedding, Showing, Stream};

impl<P> Machine<P> {
    /// One frame of one stream: its rows in the venue's order. `make` builds the payload of a row by its index and is
    /// called for rows that are new (or contradict what is known) only, at most once each.
    pub fn handle_frame(
        &mut self,
        listener: usize,
        stream: Stream,
        snapshot: bool,
        rows: &[Row],
        mut make: impl FnMut(usize) -> P,
        now: Instant,
    ) -> Intake {
        self.showing = Showing::default();
        if self.ledger.is_removed() || !self.ledger.streams().any(|followed| followed == stream) {
            return Intake::Taken;
        }
        if self.is_full(rows.len()) || self.shedding == Shedding::Rows {
            self.handle_refused(now);
            return Intake::Refused;
        }
        self.end_refusing(rows, now);
        if !self.keeps_back(listener, stream, snapshot, rows, &mut make, now) {
            self.take_frame(listener, stream, snapshot, rows, &mut make, now);
        }
        self.settle(now);
        Intake::Taken
    }

    /// What the last frame was beside what other listeners had shown before it.
    #[must_use]
    pub fn showing(&self) -> Showing {
        self.showing
    }

    pub(super) fn take_frame(
        &mut self,
        listener: usize,
        stream: Stream,
        snapshot: bool,
        rows: &[Row],
        make: &mut dyn FnMut(usize) -> P,
        now: Instant,
    ) {
        let newest = self.believable(rows, now).max();
        if snapshot {
            self.begin_live(listener, stream, newest);
        }
        let state = self.listener(listener);
        state.passed[stream] = newest.or(state.passed[stream]);
        if self.ledger.stream(stream).baseline.is_none()
            || (snapshot && planted!(self, EverySnapshotIsBaseline))
        {
            if snapshot {
                self.first_snapshot(listener, stream, rows, make, now);
            } else {
                self.feeds[stream].before.push(Kept::new(listener, rows, make));
                self.hear_before_baseline(stream, rows, now);
            }
            return;
        }
        self.end_overrun(stream, rows, now);
        if snapshot {
            let overlaps = self.overlaps(stream, rows);
            self.end_blindness(stream, overlaps, rows, now);
            let _ = self.intake(Source::Snapshot(listener), stream, rows, make, overlaps, now);
            self.feeds[stream].want = true;
            return;
        }
        if self.feeds[stream].blind && !rows.is_empty() {
            // R2: rows before the snapshot: nobody knows yet what came before them.
            self.await_history(stream, Some(self.settings.repair_hold), now);
        }
        let proven = self.feeds[stream].gate.is_none();
        let _ = self.intake(Source::Live(listener), stream, rows, make, proven, now);
    }

    /// §5: no room for more rows. History is not refused: it is what makes room.
    fn is_full(&self, rows: usize) -> bool {
        if planted!(self, NoBounds) {
            return false;
        }
        self.held_rows() + rows > self.settings.held_cap || self.marks.len() + rows > self.settings.key_cap
    }
}
