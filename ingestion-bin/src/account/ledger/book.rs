//! One market in the ledger: where its chain and its signals stand, and what its breaks must add up to.
//!
//! **Invariant** (G1): since `began`, what the market's gaps lack together is what went out late beside them
//! (`unplaced`), once nothing is missing any more. Venue times in milliseconds. Changed by [`super::Ledger::apply`] alone.

use dedup::{Chain, FillKey};
use serde::{Deserialize, Serialize};

use super::super::record::Event;
use super::super::row::{Fate, Position};

#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    /// The market's number among the account's.
    pub(super) number: u32,
    pub(super) chain: Chain<Position>,
    /// The newest row that went out in its turn.
    pub(super) last: Option<FillKey>,
    /// Where the signals stand: the head, without what made none (B9).
    pub(super) said: Option<(i64, Position)>,
    /// Sizes that went out late and belong to no gap, less what repaired gaps lacked: breaks add up to late sizes over
    /// a market, whatever gap each of them was counted to.
    pub(super) unplaced: Position,
    /// Venue time at which the chain began: what is older never broke it.
    pub(super) began: Option<i64>,
    /// Venue time of the newest row before the head's millisecond, since the chain began.
    before: Option<i64>,
}

impl Book {
    pub(super) fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Another life of the account (X): consumers still hold where the signals stood (B9).
    pub(super) fn begin_anew(&mut self) {
        *self = Self { number: self.number, said: self.said, ..Self::default() };
    }

    /// A row went out in its turn. `never_ours`: baseline rows that nobody knows may lie before it.
    pub(super) fn advance<P>(&mut self, event: &Event<P>, never_ours: bool) {
        let head = self.chain.head();
        let (stood, stood_at) = (head.and_then(|head| head.position), head.map(|head| head.time));
        if let (Some(stood), Some(link), 0) = (stood, event.link, event.revision)
            && link.before != stood
            && (event.gap.is_none() || never_ours)
        {
            // B9, O5: no row that is ours explains this break.
            (self.began, self.before, self.unplaced) = (None, None, Position::default());
        }
        if self.began.is_some() {
            self.before = stood_at.filter(|&time| time < event.time).or(self.before);
        }
        self.began = self.began.or(Some(event.time));
        self.chain.advance(event.time, event.link);
        self.last = Some(event.key);
        if let (Fate::Signal, Some(link)) = (event.fate, event.link) {
            self.said = Some((event.time, link.after));
        }
    }

    /// H1: since when something may be missing that breaks the chain at its head before a row of time `to`. Where the
    /// head's millisecond can be walked in another order the break may lie before it: when it ends where it began, when
    /// a gap `ends` in it, when the row is of it.
    pub(super) fn linked_until(&self, to: i64, ends: impl Fn(i64) -> bool) -> Option<i64> {
        let head = self.chain.head()?;
        let several = head.walked.len() > 2;
        let turns = several && (head.walked.first() == head.walked.last() || ends(head.time));
        Some(self.before.filter(|_| turns || head.time == to).unwrap_or(head.time))
    }
}
