//! Blind times: nobody listened, the process was down, or frames were refused (R).

use std::time::{Duration, Instant};

use super::feed::Gate;
use super::mark::Mark;
use super::{Machine, Origin, Output, Row, Shedding, Stream};

impl<P> Machine<P> {
    /// R3: a frame of this account was refused before it came here (the journal has no room). To be called for every
    /// one; the account heals by history after the next frame that is taken.
    pub fn handle_refused(&mut self, now: Instant) {
        self.counts.refused_frames += 1;
        if !self.ledger.is_removed() && self.dirty.replace(now).is_none() {
            for stream in self.based_streams() {
                self.feeds[stream].want = true;
                self.open_outage(stream, self.venue_time);
            }
        }
        self.settle(now);
    }

    /// R5: positions of the journal that may have held records of this account cannot be read any more. To be called
    /// once, right after [`Machine::new`]: everything since `certified` is in doubt, and no snapshot is believed to
    /// reach back to it before history was read.
    pub fn handle_damage(&mut self, now: Instant) {
        if self.ledger.is_removed() {
            return;
        }
        for stream in self.based_streams() {
            let state = self.ledger.stream(stream);
            let Some(from) = state.certified else { continue };
            let to = state.newest.max(self.venue_time).unwrap_or(from).max(from);
            self.counts.outages += 1;
            self.declare_outage(from, to);
            let feed = &mut self.feeds[stream];
            (feed.want, feed.distrusted) = (true, Some(now));
        }
        self.settle(now);
    }

    pub(super) fn end_refusing(&mut self, rows: &[Row], now: Instant) {
        if self.dirty.take().is_none() {
            return;
        }
        self.recycle_unshown();
        let until = self.believable(rows, now).next().max(self.venue_time);
        for stream in self.based_streams() {
            self.open_outage(stream, until);
            self.await_history(stream, Some(self.settings.repair_hold), now);
            if let Some(gate) = self.feeds[stream].gate.as_mut() {
                gate.declared = true;
            }
        }
    }

    /// R3: where no frame comes that could be taken, the snapshot is asked for again.
    pub(super) fn drive_refused(&mut self, now: Instant) {
        if self.retry_refused().is_some_and(|at| at <= now) {
            self.dirty = Some(now);
            self.recycle_unshown();
        }
    }

    pub(super) fn retry_refused(&self) -> Option<Instant> {
        let may_take = self.shedding != Shedding::Rows;
        self.dirty.filter(|_| may_take).map(|refused| refused + self.settings.recheck)
    }

    /// A refused snapshot does not come again by itself.
    fn recycle_unshown(&mut self) {
        for (number, listener) in self.listeners.iter_mut().enumerate() {
            let lacks = self.ledger.streams().any(|stream| listener.live_from[stream].is_none());
            if listener.up && lacks && !listener.leaving {
                listener.leaving = true;
                self.counts.recycles += 1;
                self.out.push_back(Output::Recycle { listener: number });
            }
        }
    }

    pub(super) fn based_streams(&self) -> Vec<Stream> {
        self.ledger.streams().filter(|&stream| self.ledger.stream(stream).baseline.is_some()).collect()
    }

    /// R1: whether what follows in this snapshot is complete: it reaches back to something known from before.
    pub(super) fn overlaps(&self, stream: Stream, rows: &[Row]) -> bool {
        let state = self.ledger.stream(stream);
        if self.feeds[stream].distrusted.is_some() {
            return false;
        }
        if rows.is_empty() {
            return state.newest.is_none();
        }
        let floor = if planted!(self, HeldKeysProve) { i64::MAX } else { self.ledger.floor() };
        rows.iter().any(|row| {
            let proves = |mark: &Mark| {
                (mark.is_proven(stream) && (mark.is_in_history() || !self.may_follow_a_held_row(row.time)))
                    || planted!(self, HeldKeysProve)
            };
            Some(row.time) <= state.baseline
                || Some(row.time) <= state.certified
                || row.time < floor
                || self.marks.get(row.key).is_some_and(proves)
        })
    }

    /// Rows that waited when the last process ended are gone with it; what it had received after them may be in the
    /// journal.
    fn may_follow_a_held_row(&self, time: i64) -> bool {
        let longest = i64::try_from(self.settings.repair_hold.as_millis()).unwrap_or(i64::MAX);
        self.journal_end.is_some_and(|end| end.saturating_sub(longest) < time && time <= end)
    }

    /// R4: rows go out that may belong behind some of a blind stream: its gap tells so before they do.
    pub(super) fn declare_blindness(&mut self) {
        for stream in self.based_streams() {
            if self.feeds[stream].blind && self.feeds[stream].passed_from.is_none() {
                self.feeds[stream].passed_from = self.newest_known(stream);
                self.open_outage(stream, self.venue_time);
            }
        }
    }

    /// R1, R2: what a fresh snapshot ends or begins.
    pub(super) fn end_blindness(&mut self, stream: Stream, overlaps: bool, rows: &[Row], now: Instant) {
        self.feeds[stream].blind = false;
        if let Some(from) = self.feeds[stream].passed_from.take() {
            let newest = self.believable(rows, now).max().max(self.venue_time);
            self.declare_outage(from, newest.unwrap_or(from).max(from));
        }
        if overlaps {
            // A start in the past waits for its read, whatever a snapshot shows.
            if self.feeds[stream].gate.as_ref().is_some_and(|gate| gate.deadline.is_some()) {
                self.feeds[stream].gate = None;
            }
            return;
        }
        let first = self.believable(rows, now).next();
        self.open_outage(stream, first);
        self.await_history(stream, Some(self.settings.repair_hold), now);
        if let Some(gate) = self.feeds[stream].gate.as_mut() {
            gate.declared = true;
        }
    }

    /// Live rows of the account wait for a read of this stream begun from now on, at most `longest`.
    pub(super) fn await_history(&mut self, stream: Stream, longest: Option<Duration>, now: Instant) {
        let pause = self.settings.pause();
        let feed = &mut self.feeds[stream];
        feed.blind = false;
        feed.passed_from = None;
        feed.want = true;
        if feed.gate.is_none() {
            feed.gate = Some(Gate { since: now, deadline: longest.map(|wait| now + wait), declared: false });
            // A read that began before proves nothing about what was missed since, and would delay the one that does.
            // A long one goes on: begun anew at every break it would never end.
            if feed.read.as_ref().is_none_or(|read| now < read.began + pause) {
                feed.read = None;
                feed.asked = None;
                feed.not_before = feed.not_before.filter(|_| feed.anchor_missed > 0);
            } else if feed.failures > 0 && feed.asked.is_none() {
                // Nobody answered, most likely because the venue was away for history as it was for the listeners: what
                // waits now must not wait as long as that took to be noticed.
                let soon = now + self.settings.retry.first;
                (feed.not_before, feed.failures) = (feed.not_before.map(|at| at.min(soon)), 0);
            }
        }
    }

    pub(super) fn expire_gates(&mut self, now: Instant) {
        for stream in Stream::ALL {
            let Some(gate) =
                self.feeds[stream].gate.take_if(|gate| gate.deadline.is_some_and(|end| end <= now))
            else {
                continue;
            };
            self.counts.gates_expired += 1;
            if !gate.declared {
                self.open_outage(stream, self.first_waiting(stream).or(self.venue_time));
            }
        }
    }

    /// R2: a read ended the wait; history may lag, so rows that waited without a snapshot open their gap all the same.
    pub(super) fn end_gate(&mut self, stream: Stream, began: Instant) {
        match self.feeds[stream].gate.take_if(|gate| gate.since <= began) {
            Some(gate) if !gate.declared => {
                if let Some(first) = self.first_waiting(stream) {
                    self.open_outage(stream, Some(first));
                }
            }
            Some(_) => {}
            None => self.feeds[stream].want |= self.feeds[stream].gate.is_some(),
        }
    }

    /// Venue time of the first live row of this stream that waits.
    fn first_waiting(&self, stream: Stream) -> Option<i64> {
        let rows = self.held.values().flat_map(dedup::Sequencer::rows);
        let live = rows.filter(|row| row.lane == stream.lane() && row.item.origin != Origin::Backfill);
        let live = live.filter(|row| !self.lacks_witness(row));
        live.map(|row| row.time).min()
    }

    /// Venue time of the newest row of this stream that is accounted for.
    pub(super) fn newest_known(&self, stream: Stream) -> Option<i64> {
        let state = self.ledger.stream(stream);
        let horizon = self.horizon().unwrap_or(i64::MAX);
        state.newest.filter(|&newest| newest <= horizon).max(state.certified)
    }

    pub(super) fn open_outage(&mut self, stream: Stream, until: Option<i64>) {
        let Some(newest) = self.newest_known(stream) else { return };
        // Before any venue time is known the newest event may be one with a wrong time: what is shown now is older then.
        let is_doubtful =
            self.horizon().is_none() && self.newest_shown(stream).is_some_and(|shown| shown < newest);
        let state = self.ledger.stream(stream);
        let from = state.certified.max(state.baseline).filter(|_| is_doubtful).unwrap_or(newest);
        self.counts.outages += 1;
        self.declare_outage(from, until.unwrap_or(from).max(from));
    }
}
