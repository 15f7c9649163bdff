//! `certified` claimed too much: a row it passed shows up (C5).
//!
//! What is older than the floor is known by rule; the rule is wrong where the account never showed anything so new. Such a
//! row is in no journal, whatever made `certified` pass it, and neither is what else happened since the newest event.

use std::time::Instant;

use super::{Machine, Record, Row, Stream};

impl<P> Machine<P> {
    /// A frame's rows, before they are taken: where `certified` overran one of them it falls back to the newest event, what
    /// lies between is a blind time (R2).
    pub(super) fn end_overrun(&mut self, stream: Stream, rows: &[Row], now: Instant) {
        let Some(first) = self.take_back(stream, rows) else { return };
        for stream in self.based_streams() {
            self.open_outage(stream, Some(first));
            self.await_history(stream, Some(self.settings.repair_hold), now);
            if let Some(gate) = self.feeds[stream].gate.as_mut() {
                gate.declared = true;
            }
        }
    }

    /// The same for a page; the read it belongs to goes on.
    pub(super) fn take_back(&mut self, stream: Stream, rows: &[Row]) -> Option<i64> {
        // What `certified` passed is published, what lies below the floor known by rule.
        let passed = self.ledger.stream(stream).certified.max(Some(self.ledger.floor().saturating_sub(1)))?;
        if planted!(self, KnownByRule) || rows.iter().all(|row| row.time > passed) {
            return None;
        }
        let states = || self.ledger.streams().map(|stream| self.ledger.stream(stream));
        let newest = states().filter_map(|state| state.newest.max(state.baseline)).max()?;
        let overrun = rows.iter().filter(|row| {
            newest < row.time
                && row.time <= passed
                && self.marks.get(row.key).is_none()
                && !self.is_before_start(stream, row.time)
        });
        let first = overrun.map(|row| row.time).min()?;
        self.counts.overruns += 1;
        for stream in self.based_streams() {
            let state = self.ledger.stream(stream);
            if state.certified > Some(newest) {
                let anchor = state.anchor;
                self.record(Record::Certified { stream, to: newest, anchor });
            }
            self.feeds[stream].previous = None;
            self.feeds[stream].want = true;
        }
        Some(first)
    }
}
