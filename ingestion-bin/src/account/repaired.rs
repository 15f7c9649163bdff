//! Rows that come neither from a listener nor from history: repaired by hand (L).

use std::time::Instant;

use dedup::{Kind, Slot};

use super::baseline::held;
use super::mark::{Mark, State};
use super::twins::content;
use super::{Machine, Origin, Row, Stream};

/// What a row is to the machine that nobody has shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RowStand {
    /// It happened before the account, or its stream, was followed: no event.
    Before,
    /// This process knows its key: it is in the journal, or will be, or was refused.
    Known,
    /// History may still bring it.
    Young,
    /// Older than everything that is remembered: only the journal knows whether it is known.
    Old,
}

impl<P> Machine<P> {
    /// L1: where a row stands.
    #[must_use]
    pub fn stand_of(&self, stream: Stream, row: &Row) -> RowStand {
        if !self.ledger.streams().any(|followed| followed == stream) || self.is_before_start(stream, row.time)
        {
            return RowStand::Before;
        }
        match self.ledger.stream(stream).baseline {
            None => RowStand::Young,
            Some(baseline) if row.time <= baseline => RowStand::Before,
            Some(_) if self.marks.get(row.key).is_some() => RowStand::Known,
            Some(_) if row.time >= self.ledger.floor() => RowStand::Young,
            Some(_) => RowStand::Old,
        }
    }

    /// L2: takes an old row that is not in the journal, as the caller has found; any other is left alone. It takes its place by time and
    /// chain, as one that history brings, and no listener owes it.
    pub fn handle_repaired(&mut self, stream: Stream, row: &Row, payload: P, now: Instant) -> RowStand {
        let stand = self.stand_of(stream, row);
        if stand == RowStand::Old && !self.ledger.is_removed() && self.marks.len() < self.marks.cap() {
            let number = self.numbers.number(&row.market);
            let mut mark = Mark::new(row.digest, stream, number, State::Held, self.millis(now));
            mark.prove(stream, true);
            mark.show_in_history_first(stream);
            let _ = self.marks.insert_or_get(row.key, row.time, || mark);
            self.contents.insert(content(row.digest, row.time));
            let held = held(row.clone(), stream, Origin::Backfill, payload, now);
            let sequencer = self.held.entry(row.market.clone()).or_default();
            sequencer.place(row.time, stream.lane(), vec![Slot::New(held)], Kind::Page);
            self.settle(now);
            self.close_gaps();
        }
        stand
    }
}
