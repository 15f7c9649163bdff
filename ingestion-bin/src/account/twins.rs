//! The same fill under two ids: one of them is wrong, and only history knows which (H3).

use std::time::Instant;

use dedup::{Digest, FillKey, Kind, Slot, Window};

use super::gaps::lies_in;
use super::mark::{Mark, Number, State};
use super::record::Refusal;
use super::{Gap, Held, Machine, Record};

impl<P> Machine<P> {
    /// The newest key of this content, where one is known.
    pub(super) fn alike(&self, digest: Digest, time: i64) -> Option<FillKey> {
        self.contents.contains(&content(digest, time)).then(|| newest_of(&self.marks, digest, time))?
    }

    /// From such a key on, all of its content in a market, the newest first.
    pub(super) fn all_alike(
        &self,
        newest: Option<FillKey>,
        market: Number,
    ) -> impl Iterator<Item = (FillKey, &Mark)> {
        let with_mark = |key| Some((key, self.marks.get(key)?));
        let all =
            std::iter::successors(newest.and_then(with_mark), move |(_, mark)| with_mark(mark.alike()?));
        all.filter(move |(_, mark)| mark.market == market)
    }

    pub(super) fn resolve_twins(&mut self, now: Instant) {
        if self.twins.is_empty() {
            return;
        }
        let unreadable = self.unreadable();
        for twin in std::mem::take(&mut self.twins) {
            let (in_history, alike) =
                self.marks.get(twin.key).map_or((false, None), |mark| (mark.is_in_history(), mark.alike()));
            if !in_history {
                if lies_in(&unreadable, twin.time) {
                    // What a listener showed stands: it is the only witness left.
                    self.release_twin(twin);
                } else if now >= twin.item.since + self.settings.twin_hold {
                    self.refuse_twin(twin);
                } else {
                    self.twins.push(twin);
                }
                continue;
            }
            let patient = now < self.patience(&twin);
            match self.doubtful(alike, &twin) {
                Some(Doubt::Open) if !patient => self.release_twin(twin),
                Some(Doubt::Open) => self.twins.push(twin),
                Some(Doubt::Wrong(key)) => self.emit(twin, true, None, 0, Some(key)),
                None => self.release_twin(twin),
            }
        }
    }

    /// Both ids are real, or history cannot tell: the row takes its place in the order.
    fn release_twin(&mut self, twin: Held<P>) {
        let passed = self.ledger.head(&twin.item.row.market).is_some_and(|head| {
            let links = twin.link.is_some_and(|link| head.position == Some(link.before));
            head.time > twin.time || (head.time == twin.time && !links)
        });
        if passed {
            self.emit(twin, true, None, 0, None);
            return;
        }
        if let Some(mark) = self.marks.get_mut(twin.key) {
            mark.state = State::Held;
        }
        let (time, lane) = (twin.time, twin.lane);
        let rows = self.held.entry(twin.item.row.market.clone()).or_default();
        rows.place(time, lane, vec![Slot::New(twin)], Kind::Live);
    }

    /// The key of the same content that went out before it and that history does not show.
    fn doubtful(&self, alike: Option<FillKey>, twin: &Held<P>) -> Option<Doubt> {
        let market = self.numbers.get(&twin.item.row.market)?;
        let mut unshown = self.all_alike(alike, market).filter(|(_, mark)| !mark.is_in_history());
        unshown.find_map(|(key, mark)| match mark.state {
            State::Out | State::Held => Some(Doubt::Open),
            State::Excluded => Some(Doubt::Wrong(key)),
            State::Twin | State::Baseline | State::Dropped => None,
        })
    }

    /// Whether a row that history shows waits inside of a gap to be told from another.
    pub(super) fn waits_inside(&self, gap: &Gap) -> bool {
        self.twins.iter().any(|twin| {
            let in_history = || self.marks.get(twin.key).is_some_and(Mark::is_in_history);
            gap.id.market.as_ref() == Some(&twin.item.row.market) && gap.covers(twin.time) && in_history()
        })
    }

    /// History does not know it: no signal, a conflict that says so.
    pub(super) fn refuse_twin(&mut self, twin: Held<P>) {
        if let Some(mark) = self.marks.get_mut(twin.key) {
            mark.state = State::Dropped;
        }
        let market = twin.item.row.market;
        let payload = twin.item.payload;
        self.record(Record::Refused {
            key: twin.key,
            market: market.clone(),
            reason: Refusal::Twin,
            payload,
        });
        self.settled_without(Some(market), twin.time, twin.key);
    }

    /// Until when a twin waits: for history to show it, then for history to lack the other often enough.
    fn patience(&self, twin: &Held<P>) -> Instant {
        let in_history = self.marks.get(twin.key).is_some_and(Mark::is_in_history);
        twin.item.since + self.settings.twin_hold * if in_history { 2 } else { 1 }
    }

    pub(super) fn twin_deadline(&self) -> Option<Instant> {
        self.twins.iter().map(|twin| self.patience(twin)).min()
    }
}

enum Doubt {
    Open,
    Wrong(FillKey),
}

/// What twins share, and others by chance (2^-32): the digest of what they say, and when.
#[expect(clippy::cast_possible_truncation, reason = "any part of a digest will do")]
pub(super) fn content(digest: Digest, time: i64) -> u32 {
    digest.0.wrapping_add(time.cast_unsigned()) as u32
}

/// The newest key of a content. One pass: to be asked only where there is one.
pub(super) fn newest_of(marks: &Window<Mark>, digest: Digest, time: i64) -> Option<FillKey> {
    let alike = |(_, at, mark): &(FillKey, i64, &Mark)| *at == time && mark.digest == digest;
    marks.iter().rev().find(alike).map(|(key, ..)| key)
}
