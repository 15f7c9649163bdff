//! The venue's account state against the chains (A): what no listener and no read has shown may still be seen in where an account stands.

use std::time::Instant;

use super::gap::{Gap, GapId, GapKind, GapState};
use super::{Machine, Market, Position, Record};

impl<P> Machine<P> {
    /// A1: where a market's chain stands and since when, while nothing is under way that may move it: every stream has its baseline, no
    /// row waits, no gap of it is open. Nothing where a state can neither bear it out nor contradict it.
    #[must_use]
    pub fn settled(&self, market: &Market) -> Option<(Position, i64)> {
        let head = self.ledger.head(market)?;
        let concerns = |gap: &Gap| gap.id.market.as_ref().is_none_or(|of| of == market);
        let open = self.ledger.gaps().iter().any(|gap| gap.is_asked_for() && concerns(gap));
        let waits = self.held.contains_key(market)
            || self.twins.iter().any(|twin| twin.item.row.market == *market)
            || self.ledger.streams().any(|of| self.feeds[of].gate.is_some() || self.feeds[of].blind)
            || self.dirty.is_some();
        let based = !self.ledger.is_removed() && self.ledger.certified().is_some();
        (based && !open && !waits).then_some((head.position?, head.time))
    }

    /// A2: the venue says that the account stands at `found`, at venue time `at`, and the chain has not been there: a `silent` gap from
    /// the chain's head to `at`, and every stream is read. The chain stays as it is.
    pub fn handle_contradicted(&mut self, market: &Market, found: Position, at: i64, now: Instant) {
        if let Some((expected, from)) = self.settled(market).filter(|(expected, _)| *expected != found) {
            let id =
                GapId { kind: GapKind::Silent, market: Some(market.clone()), from, expected: Some(expected) };
            let (filled, keys) = (Position::default(), Vec::new());
            let to = self.ledger.gap(&id).map_or(at, |gap| gap.to.max(at));
            self.tries.remove(&id);
            self.put(Gap { id, to, found: Some(found), filled, state: GapState::Opened, keys });
            for stream in self.based_streams() {
                self.feeds[stream].want = true;
            }
        }
        self.settle(now);
    }

    /// A3: the venue says again what the chain says: what it said meanwhile was wrong.
    pub fn handle_borne_out(&mut self, market: &Market, now: Instant) {
        let stands = self.ledger.head(market).and_then(|head| head.position);
        let ours = |gap: &&Gap| {
            let silent = gap.id.kind == GapKind::Silent && gap.id.market.as_ref() == Some(market);
            silent && gap.id.expected == stands
        };
        for gap in self.ledger.gaps().iter().filter(ours).cloned().collect::<Vec<_>>() {
            self.tries.remove(&gap.id);
            self.record(Record::Gap(Gap { state: GapState::Repaired, ..gap }));
        }
        self.settle(now);
    }

    /// A3: what lacks nothing any more is repaired. A chain that went on over the gap's end without a break has nothing missing there: the state was wrong.
    pub(super) fn end_silent(&mut self) {
        let kept = self.ledger.gaps();
        if kept.iter().all(|gap| gap.id.kind != GapKind::Silent) {
            return;
        }
        let breaks = |silent: &Gap| {
            kept.iter().any(|gap| {
                let chain = gap.id.kind == GapKind::Chain && gap.id.market == silent.id.market;
                chain && gap.id.from <= silent.to && silent.id.from <= gap.to
            })
        };
        let goes_on = |gap: &Gap| {
            let head = gap.id.market.as_ref().and_then(|market| self.ledger.head(market));
            head.is_some_and(|head| head.time > gap.to)
        };
        let is_over =
            |gap: &&Gap| gap.id.kind == GapKind::Silent && (gap.adds_up() || (goes_on(gap) && !breaks(gap)));
        let over = kept.iter().filter(is_over);
        for gap in over.cloned().collect::<Vec<_>>() {
            self.tries.remove(&gap.id);
            self.record(Record::Gap(Gap { state: GapState::Repaired, ..gap }));
        }
    }
}
