//! What breaks of a chain must add up to, and what they do (G, H1, O5): which gap a row found late explains, and which
//! gaps lack nothing any more. Derived from the records alone.

use std::collections::BTreeMap;

use dedup::FillKey;

use super::super::gap::{Gap, GapId, GapKind, GapState};
use super::super::row::{Fate, Market, Position};
use super::Ledger;

impl Ledger {
    /// O5: whether a chain that stood there may be broken by what never was ours: baseline rows of a stream that is known
    /// only since later.
    pub(in crate::account) fn is_before_known(&self, time: i64) -> bool {
        let states = || self.streams().map(|stream| &self.streams[stream]);
        states().all(|state| state.baseline.is_none_or(|baseline| time <= baseline))
            && states().any(|state| state.since.is_none_or(|since| time < since))
    }

    /// H1: since when something may be missing that breaks the chain at its head before a row of time `to`.
    pub(in crate::account) fn linked_until(&self, market: &Market, to: i64) -> Option<i64> {
        let ends = |time| {
            let chains = self.gaps.iter().filter(|gap| gap.id.kind == GapKind::Chain && gap.to == time);
            { chains }.any(|gap| gap.id.market.as_ref() == Some(market))
        };
        self.books.get(market)?.linked_until(to, ends)
    }

    /// G1: what was found late may have been counted to a neighbour. None of a market's ended gaps lacks anything where
    /// they lack together what went out late beside them; none of those that overlap (they meet in a millisecond whose
    /// order is not known, H1), where these lack nothing together.
    pub(in crate::account) fn balanced(
        &self,
        certified: i64,
        is_looked_at: impl Fn(&Gap) -> bool,
    ) -> Vec<GapId> {
        let mut markets: BTreeMap<&Market, Vec<(&Gap, Position)>> = BTreeMap::new();
        let chains = self.gaps.iter().filter(|gap| gap.id.kind == GapKind::Chain);
        for gap in chains.filter(|gap| gap.to <= certified || is_looked_at(gap)) {
            if let (Some(market), Some(lacking)) = (&gap.id.market, gap.lacking()) {
                markets.entry(market).or_default().push((gap, lacking));
            }
        }
        let sum =
            |gaps: &[(&Gap, Position)]| gaps.iter().fold(Position::default(), |sum, gap| sum.plus(gap.1));
        let mut balanced = Vec::new();
        for (market, mut gaps) in markets {
            gaps.sort_by_key(|(gap, _)| gap.id.from);
            let mut meeting: Vec<Vec<(&Gap, Position)>> = Vec::new();
            let mut reach = i64::MIN;
            for &(gap, lacking) in &gaps {
                match meeting.last_mut().filter(|_| gap.id.from < reach) {
                    Some(group) => group.push((gap, lacking)),
                    None => meeting.push(vec![(gap, lacking)]),
                }
                reach = reach.max(gap.to);
            }
            gaps.retain(|(gap, _)| gap.to <= certified && self.began(market) <= Some(gap.id.from));
            let whole = Some(gaps).filter(|gaps| sum(gaps) == self.unplaced(market));
            let even = meeting.into_iter().filter(|group| sum(group) == Position::default()).chain(whole);
            balanced.extend(even.flatten().map(|(gap, _)| gap.id.clone()));
        }
        balanced
    }

    pub(super) fn apply_gap(&mut self, gap: &Gap) {
        // Told again after an epoch, it is the same.
        if gap.id.kind == GapKind::Chain && gap.state == GapState::Opened && self.gap(&gap.id) != Some(gap) {
            let lacked = self.gap(&gap.id).and_then(Gap::lacking).unwrap_or_default();
            self.announced = Some((gap.id.clone(), lacked));
        }
        if gap.id.kind == GapKind::Conflict {
            self.apply_conflict(gap);
        }
        if gap.state == GapState::Repaired {
            let book = gap.id.market.as_ref().and_then(|market| self.books.get_mut(market));
            if let Some(book) = book.filter(|book| book.began <= Some(gap.id.from)) {
                book.unplaced = book.unplaced.minus(gap.lacking().unwrap_or_default());
            }
            self.gaps.retain(|kept| kept.id != gap.id);
        } else if let Some(kept) = self.gaps.iter_mut().find(|kept| kept.id == gap.id) {
            if gap.id.kind == GapKind::History && kept.to < gap.to {
                self.switched_off.take_if(|from| *from == gap.id.from);
            }
            *kept = gap.clone();
        } else {
            self.gaps.push(gap.clone());
            let book = gap.id.market.as_ref().and_then(|market| self.books.get_mut(market));
            if let Some(book) = book.filter(|_| gap.id.kind == GapKind::Chain && gap.adds_up()) {
                book.unplaced = book.unplaced.minus(gap.filled);
            }
        }
        if gap.id.kind == GapKind::Conflict && gap.state == GapState::Unfillable {
            gap.keys.iter().for_each(|&key| self.disown_newest(key));
        }
        self.forget_settled();
    }

    /// G3: a break whose event was lost with the journal's tail was none.
    pub(super) fn take_back_announced(&mut self) {
        let Some((id, lacked)) = self.announced.take() else { return };
        let Some(gap) = self.gaps.iter_mut().find(|gap| gap.id == id) else { return };
        let (Some(lacking), Some(found), Some(expected)) = (gap.lacking(), gap.found, id.expected) else {
            return;
        };
        let more = lacking.minus(lacked);
        gap.filled = gap.filled.plus(more);
        // The rest of it was explained by what had gone out late before.
        if let Some(book) = id.market.and_then(|market| self.books.get_mut(&market)) {
            book.unplaced = book.unplaced.plus(found.minus(expected).minus(more));
        }
    }

    /// G3: what the chain did not walk in its turn (found late, corrected, or taken back) explains a break: the one that it
    /// goes on in from what was found there (`before`), else one it lies in, else one it closes, else none in particular.
    /// Derived from the records alone.
    pub(super) fn explain(
        &mut self,
        market: &Market,
        time: i64,
        before: Option<Position>,
        size: Position,
        ours: bool,
    ) {
        let began = self.began(market);
        let ours = ours && began < Some(time);
        let chains = self
            .gaps
            .iter()
            .enumerate()
            .filter(|(_, gap)| gap.id.kind == GapKind::Chain && gap.id.market.as_ref() == Some(market));
        let (even, open): (Vec<_>, Vec<_>) = chains.partition(|(_, gap)| gap.adds_up());
        let find = |fits: &dyn Fn(&Gap) -> bool| open.iter().find(|(_, gap)| fits(gap)).map(|&(at, _)| at);
        let reached = |gap: &Gap| gap.id.expected.map(|expected| expected.plus(gap.filled));
        let goes_on = |gap: &Gap| gap.covers(time) && before.is_some() && reached(gap) == before;
        // What closed it lies elsewhere, for nothing inside of it was walked yet; the open one that it meets would get what it
        // truly lacks.
        let meets = |gap: &Gap| find(&|open| open.id.from < gap.to && gap.id.from < open.to).is_some();
        let misled = |gap: &Gap| {
            let begins = before.is_some() && gap.id.expected == before;
            ours && gap.covers(time) && begins && began <= Some(gap.id.from) && meets(gap)
        };
        let closes = |gap: &Gap| gap.lacking() == Some(size);
        let misled = even.iter().find(|(_, gap)| misled(gap)).map(|&(at, _)| at);
        let at = find(&goes_on).or(misled);
        let at = at.or_else(|| find(&|gap| gap.covers(time) && closes(gap)));
        let at = at.or_else(|| find(&|gap| gap.covers(time)));
        // A row missed earlier may have let the chain link by chance before it broke: it counts where it closes it.
        let at = at.or_else(|| find(&|gap| ours && time <= gap.id.from && closes(gap)));
        let book = self.books.get_mut(market);
        match (at.and_then(|at| self.gaps.get_mut(at)), book) {
            (Some(gap), Some(book)) if gap.adds_up() => {
                book.unplaced = book.unplaced.plus(std::mem::replace(&mut gap.filled, size));
            }
            (Some(gap), _) => gap.filled = gap.filled.plus(size),
            (None, Some(book)) if ours => book.unplaced = book.unplaced.plus(size),
            (None, _) => {}
        }
    }

    /// A3: what came out since inside the time of a `silent` gap is what it lacked.
    pub(super) fn fill_silent(&mut self, market: &Market, time: i64, size: Position) {
        for gap in &mut self.gaps {
            if gap.id.kind == GapKind::Silent && gap.id.market.as_ref() == Some(market) && gap.covers(time) {
                gap.filled = gap.filled.plus(size);
            }
        }
    }

    /// C2: an event that was none explains a break by what it did not do, and the other way round when it is one
    /// after all.
    fn apply_conflict(&mut self, gap: &Gap) {
        let settled = |gap: &Gap| -> Vec<FillKey> {
            if gap.state == GapState::Unfillable { gap.keys.clone() } else { Vec::new() }
        };
        let before = self.gap(&gap.id).map(settled).unwrap_or_default();
        let after = settled(gap);
        let gone = after.iter().filter(|key| !before.contains(key)).map(|&key| (key, true));
        let back = before.iter().filter(|key| !after.contains(key)).map(|&key| (key, false));
        for (key, gone) in gone.chain(back).collect::<Vec<_>>() {
            let Some(known) = self.keys.get(key).copied() else {
                // No event: it was refused, and nobody was told what it said.
                if gone {
                    self.settle(key);
                }
                continue;
            };
            if known.fate == Fate::Baseline {
                continue;
            }
            let Some(market) = self.market_of(&known).cloned() else { continue };
            let size = known.size.position();
            let size = if gone { Position::default().minus(size) } else { size };
            self.explain(&market, gap.id.from, None, size, true);
        }
    }

    /// Since when a market's chain and what went out late beside it must add up.
    fn began(&self, market: &Market) -> Option<i64> {
        self.books.get(market)?.began
    }

    /// G1: what the events between two times of a market come to, whatever their turn.
    pub(in crate::account) fn found_inside(&self, market: &Market, from: i64, to: i64) -> Position {
        let number = self.books.get(market).map(|book| book.number);
        let inside = self.keys.iter().filter(|(_, time, known)| {
            Some(known.market) == number && from < *time && *time < to && known.fate != Fate::Baseline
        });
        inside.fold(Position::default(), |sum, (_, _, known)| sum.plus(known.size.position()))
    }

    /// Sizes that went out late in a market and belong to no gap.
    pub(in crate::account) fn unplaced(&self, market: &Market) -> Position {
        self.books.get(market).map_or_else(Position::default, |book| book.unplaced)
    }
}
