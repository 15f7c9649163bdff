//! What is held back of an account while a sink is far behind (D). Rows are taken, ordered, linked and kept as ever; from the
//! newest event on they make no signal. One `shed` gap says so; it opens with the first of them and ends with the shedding.
//!
//! Not here: when the journal is that full, and whose turn it is (the runtime decides).

use std::time::Instant;

use super::gap::{Gap, GapId, GapKind, GapState};
use super::record::Record;
use super::row::{Fate, Market, Position, Row};
use super::{Held, Machine};

/// How much of an account is held back.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Shedding {
    /// Nothing.
    #[default]
    Off,
    /// Its signals; its rows are kept.
    Signals,
    /// Its rows, too: frames are refused as if there were no room (R3), history brings them later.
    Rows,
}

impl<P> Machine<P> {
    /// D1: so much is held back from now on. To be called after [`Machine::new`], too, where it is more than nothing: a gap
    /// that the last process left open goes on then, and ends otherwise.
    pub fn handle_shedding(&mut self, shedding: Shedding, now: Instant) {
        self.shedding = shedding;
        if shedding == Shedding::Off && !self.ledger.is_removed() {
            self.end_shedding();
        }
        self.settle(now);
    }

    /// How much is held back.
    #[must_use]
    pub fn shedding(&self) -> Shedding {
        self.shedding
    }

    /// D1, D2: whether this row makes no signal although it would. What happened at or before the gap's begin goes out as ever.
    pub(super) fn sheds(&self, row: &Row) -> bool {
        let since = || self.ledger.shed_gap().map_or_else(|| self.newest_event(), |gap| gap.id.from);
        self.shedding != Shedding::Off && row.fate == Fate::Signal && row.time > since()
    }

    /// D1: the gap that tells of this row and all that follow.
    pub(super) fn open_shed(&mut self, time: i64) {
        if self.ledger.shed_gap().is_some() || planted!(self, SilentShed) {
            return;
        }
        let id = GapId { kind: GapKind::Shed, market: None, from: self.newest_event(), expected: None };
        // G4: one that begins there already goes on.
        let (to, filled) = match self.ledger.gap(&id) {
            Some(gap) => (gap.to.max(time), gap.filled),
            None => (time, Position::default()),
        };
        self.put(Gap { id, to, found: None, filled, state: GapState::Opened, keys: Vec::new() });
    }

    /// D3: what is certified is published or declared: the gap says how far it reaches by now.
    pub(super) fn tell_shed(&mut self) {
        if let Some(gap) = self.ledger.shed_gap().filter(|gap| Some(gap.to) > self.shed_told).cloned() {
            self.record(Record::Gap(gap));
        }
    }

    /// D4: the gap that tells what was shed of a market between its last signal and this row; nothing where nothing was.
    pub(super) fn shed_before(&self, market: &Market, row: &Held<P>) -> Option<GapId> {
        let shed = self.ledger.gaps().iter().rev().filter(|gap| gap.id.kind == GapKind::Shed);
        if row.item.row.fate != Fate::Signal || planted!(self, UnnamedShed) {
            return None;
        }
        let said = self.ledger.said(market);
        let since = said.map(|(time, _)| time);
        let mut between = shed.filter(|gap| gap.id.from < row.time && since <= Some(gap.to)).peekable();
        between.peek()?;
        let stands = self.ledger.head(market).map(|head| head.time).filter(|&time| since < Some(time));
        let moved = said.zip(row.link).is_some_and(|((_, expected), link)| expected != link.before);
        let holds_head = |gap: &&Gap| stands.is_some_and(|time| gap.id.from < time && time <= gap.to);
        between.find(|gap| moved || holds_head(gap)).map(|gap| gap.id.clone())
    }

    /// What a shed gap ends as: what was held back never goes out. One that a kill left without its row tells of nothing.
    pub(super) fn shed_ends(gap: &Gap) -> GapState {
        if gap.filled == Position::default() { GapState::Repaired } else { GapState::Unfillable }
    }

    fn end_shedding(&mut self) {
        if let Some(gap) = self.ledger.shed_gap().cloned() {
            self.record(Record::Gap(Gap { state: Self::shed_ends(&gap), ..gap }));
        }
    }

    /// Venue time of the newest event, but for one that is ahead of the venue's clock.
    fn newest_event(&self) -> i64 {
        let known = self.ledger.streams().filter_map(|stream| self.newest_known(stream));
        known.max().unwrap_or(i64::MIN)
    }
}
