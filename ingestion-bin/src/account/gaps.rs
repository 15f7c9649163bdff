//! Gaps are opened, extended and ended here (G, X). Every change is a record; what is kept is the ledger's.

use std::time::Instant;

use dedup::FillKey;

use super::gap::{Gap, GapId, GapKind, GapState};
use super::{Machine, Market, Position, Record, Stream};

impl<P> Machine<P> {
    /// H1. A second break at the same place extends the first.
    pub(super) fn open_chain(
        &mut self,
        market: &Market,
        from: i64,
        expected: Position,
        to: i64,
        found: Position,
    ) -> GapId {
        let id = GapId { kind: GapKind::Chain, market: Some(market.clone()), from, expected: Some(expected) };
        // G1: what went out late before the break may be all that was missing.
        let explains = |size: &Position| expected.plus(*size) == found;
        let explained = Some(self.ledger.unplaced(market)).filter(explains);
        let inside = || Some(self.ledger.found_inside(market, from, to)).filter(explains);
        let explained = explained.or_else(inside).unwrap_or_default();
        // What the first break of an extended gap still lacks goes on lacking.
        let lacking = self.ledger.gap(&id).and_then(Gap::lacking);
        let filled = lacking.map_or(explained, |size| Position::default().minus(size));
        let gap =
            Gap { id: id.clone(), to, found: Some(found), filled, state: GapState::Opened, keys: Vec::new() };
        self.tries.remove(&id);
        self.put(gap);
        id
    }

    /// R2, R3.
    pub(super) fn declare_outage(&mut self, from: i64, to: i64) {
        self.declare_span(GapKind::Outage, from, to, GapState::Opened);
    }

    /// S: what history does not reach or cannot show.
    pub(super) fn declare_history(&mut self, from: i64, to: i64) {
        self.counts.history_gaps += 1;
        self.declare_span(GapKind::History, from, to, GapState::Unfillable);
    }

    /// What went out and will never reach a consumer: the runtime found it, here it is kept with the other gaps and told
    /// again in every epoch. `lost` is extended where a gap of its id is kept already, and said only when it is news.
    pub fn handle_lost(&mut self, lost: &Gap) {
        let to = self.ledger.gap(&lost.id).map_or(lost.to, |gap| gap.to.max(lost.to));
        let gap = Gap { to, ..lost.clone() };
        if self.ledger.gap(&gap.id) != Some(&gap) {
            self.put(gap);
        }
    }

    fn declare_span(&mut self, kind: GapKind, from: i64, to: i64, state: GapState) {
        let id = GapId { kind, market: None, from, expected: None };
        let to = self.ledger.gap(&id).map_or(to, |gap| gap.to.max(to));
        let gap = Gap { id, to, found: None, filled: Position::default(), state, keys: Vec::new() };
        if self.ledger.gap(&gap.id) != Some(&gap) {
            self.put(gap);
        }
    }

    /// K1: history decides; conflicts of one market and millisecond are one gap.
    pub(super) fn open_conflict(&mut self, market: Option<Market>, time: i64, key: FillKey) {
        self.add_conflict(market, time, key, GapState::Opened);
    }

    /// C2, H3: three complete reads lacked it.
    pub(super) fn settled_without(&mut self, market: Option<Market>, time: i64, key: FillKey) {
        self.add_conflict(market, time, key, GapState::Unfillable);
    }

    fn add_conflict(&mut self, market: Option<Market>, time: i64, key: FillKey, state: GapState) {
        let id = GapId { kind: GapKind::Conflict, market, from: time, expected: None };
        let mut gap = self.ledger.gap(&id).cloned().unwrap_or_else(|| Gap {
            id,
            to: time,
            found: None,
            filled: Position::default(),
            state,
            keys: Vec::new(),
        });
        let known = gap.keys.contains(&key);
        if known && gap.state == state {
            return;
        }
        if !known {
            gap.keys.push(key);
        }
        gap.state = state;
        self.put(gap);
    }

    /// G2: history showed a key in conflict.
    pub(super) fn settle_conflict(&mut self, key: FillKey) {
        let Some(gap) = self.ledger.gaps().iter().find(|gap| gap.keys.contains(&key)) else { return };
        let mut gap = gap.clone();
        gap.keys.retain(|&other| other != key);
        if gap.keys.is_empty() {
            gap.state = GapState::Repaired;
        }
        self.record(Record::Gap(gap));
    }

    /// O4: a row of the head's millisecond that begins where an open gap of it does.
    pub(super) fn fits_open_gap(&self, market: &Market, time: i64, found: Position) -> bool {
        self.ledger.gaps().iter().any(|gap| {
            gap.id.kind == GapKind::Chain
                && gap.id.market.as_ref() == Some(market)
                && gap.to == time
                && !gap.adds_up()
                && gap.id.expected.is_some_and(|expected| expected.plus(gap.filled) == found)
        })
    }

    /// Spans declared as `history`.
    pub(super) fn unreadable(&self) -> Vec<(i64, i64)> {
        let history = self.ledger.gaps().iter().filter(|gap| gap.id.kind == GapKind::History);
        history.map(|gap| (gap.id.from, gap.to)).collect()
    }

    /// G1, G2: what `certified` and the rows found since say about every gap.
    pub(super) fn close_gaps(&mut self) {
        let Some(certified) = self.ledger.certified().filter(|_| !planted!(self, NothingEnds)) else {
            return;
        };
        let spans = self.unreadable();
        let balanced = self.ledger.balanced(certified, |gap| self.is_looked_at(gap));
        let horizon = self.horizon();
        for gap in self.ledger.gaps().to_vec() {
            let overlaps = spans.iter().any(|&(from, to)| gap.id.from <= to && from <= gap.to);
            let state = match (gap.id.kind, gap.state) {
                (_, GapState::Repaired) | (GapKind::History | GapKind::Shed, _) => continue,
                // Read over, and no answer showed its keys: none will.
                (GapKind::Conflict, GapState::Opened) if certified >= gap.to => GapState::Unfillable,
                (GapKind::Conflict, _) => continue,
                (GapKind::Chain, GapState::Opened) if planted!(self, RepairedBySum) && gap.adds_up() => {
                    GapState::Repaired
                }
                (GapKind::Chain, _) if certified < gap.to && self.waits_inside(&gap) => continue,
                (GapKind::Chain, GapState::Opened) if certified < gap.to && self.is_looked_at(&gap) => {
                    // One that ends ahead of the venue's clock covers what is to come.
                    let ended = horizon.is_none_or(|horizon| gap.to <= horizon);
                    let even = ended && (gap.adds_up() || balanced.contains(&gap.id));
                    if even { GapState::Repaired } else { GapState::Unfillable }
                }
                _ if certified < gap.to => continue,
                (GapKind::Chain, _) if gap.adds_up() || balanced.contains(&gap.id) => GapState::Repaired,
                (GapKind::Chain, GapState::Opened)
                    if !overlaps && self.ledger.is_before_known(gap.id.from) =>
                {
                    GapState::Repaired
                }
                (GapKind::Silent, _) if gap.adds_up() => GapState::Repaired,
                (GapKind::Outage, GapState::Opened) if !overlaps => GapState::Repaired,
                (_, GapState::Unfillable) => continue,
                (GapKind::Chain | GapKind::Silent | GapKind::Outage, GapState::Opened) => {
                    GapState::Unfillable
                }
            };
            self.tries.remove(&gap.id);
            self.record(Record::Gap(Gap { state, ..gap }));
        }
    }

    /// X: the account is no longer followed. `until` is the venue time at which listening ends, as the runtime knows it
    /// (a label of the declared gap). Nothing comes out after this call's outputs.
    pub fn handle_removed(&mut self, until: i64, now: Instant) {
        if self.ledger.is_removed() {
            return;
        }
        let held = self.held.values().flat_map(dedup::Sequencer::rows);
        let held = held.filter(|row| !self.lacks_witness(row)).map(|row| row.time);
        let newest = held.chain(self.twins.iter().map(|row| row.time)).chain(self.doubted_times()).max();
        for gap in self.ledger.gaps().to_vec() {
            if gap.state == GapState::Opened {
                let shed = gap.id.kind == GapKind::Shed;
                let state = if shed { Self::shed_ends(&gap) } else { GapState::Unfillable };
                self.record(Record::Gap(Gap { state, ..gap }));
            }
        }
        let unproven = self.ledger.streams().filter_map(|stream| self.ledger.unproven_since(stream)).min();
        let since = unproven.or(self.orphaned.filter(|_| !self.ledger.has_begun()));
        if let Some(from) = since.filter(|_| !planted!(self, SilentRemoval)) {
            let to = Some(until).max(newest).max(self.venue_time).unwrap_or(until);
            // What is declared up to here already is not declared once more.
            if to > from || unproven.is_some() {
                self.declare_history(from, to.max(from));
            }
        }
        self.record(Record::Removed);
        self.held.clear();
        self.twins.clear();
        self.ahead.clear();
        self.doubted.clear();
        let _ = now;
    }

    /// X: a stream is switched off: what of it is not certified never will be. At once as far as the journal reaches, then up to
    /// a venue time after the switch: the first ones known may be those of rows that are older.
    pub(super) fn declare_switched_off(&mut self, now: Instant) {
        let Some(from) = self.ledger.switched_off() else { return };
        let is_told = self.unreadable().iter().any(|&(begin, _)| begin == from);
        let is_off = self.ledger.streams().all(|stream| stream != Stream::Twap);
        let is_past = is_off && self.venue_time.is_some() && now >= self.born + self.settings.recheck * 2;
        if is_past || !is_told {
            let to = self.journal_end.max(self.venue_time).max(Some(from));
            self.declare_history(from, to.unwrap_or(from));
        }
    }

    /// A new or changed gap, inside the bound (§5).
    pub(super) fn put(&mut self, gap: Gap) {
        self.record(Record::Gap(gap));
        while self.ledger.gaps().len() > self.settings.gap_cap.max(2) {
            self.join_oldest();
        }
    }

    /// The oldest two of one kind and market become one; with none to join, the oldest is given up first.
    fn join_oldest(&mut self) {
        let gaps = self.ledger.gaps();
        let closed: Vec<&Gap> = gaps.iter().filter(|gap| gap.state == GapState::Unfillable).collect();
        let pair = closed.iter().enumerate().find_map(|(at, one)| {
            let alike = |two: &&&Gap| two.id.kind == one.id.kind && two.id.market == one.id.market;
            closed.iter().skip(at + 1).find(alike).map(|two| ((*one).clone(), (*two).clone()))
        });
        let any = || match closed.as_slice() {
            [one, two, ..] => Some(((*one).clone(), (*two).clone())),
            _ => None,
        };
        if let Some((one, two)) = pair.or_else(any) {
            let id = GapId {
                kind: if one.id.kind == two.id.kind { one.id.kind } else { GapKind::History },
                market: one.id.market.clone().filter(|market| two.id.market.as_ref() == Some(market)),
                from: one.id.from.min(two.id.from),
                expected: None,
            };
            let to = one.to.max(two.to);
            let mut keys = one.keys;
            keys.extend(two.keys);
            let shed = id.kind == GapKind::Shed;
            let filled = if shed { one.filled.plus(two.filled) } else { Position::default() };
            let joined = Gap { id: id.clone(), to, found: None, filled, state: GapState::Unfillable, keys };
            self.record(Record::Gap(joined));
            for gap in [one.id, two.id] {
                if gap != id {
                    self.record(Record::Absorbed { gap });
                }
            }
        } else if let Some(oldest) = gaps.iter().find(|gap| gap.state == GapState::Opened).cloned() {
            self.record(Record::Gap(Gap { state: GapState::Unfillable, ..oldest }));
        }
    }
}

/// Whether a venue time lies in one of these spans, ends included.
pub(super) fn lies_in(spans: &[(i64, i64)], time: i64) -> bool {
    spans.iter().any(|&(from, to)| from <= time && time <= to)
}
