//! Which held rows go out now (O, H, Q).

use std::time::Instant;

use dedup::{FillKey, Next, Sequencer, Unlinked};

use super::mark::{Mark, State};
use super::{
    Event, Fate, GapId, GapKind, Held, Item, Machine, Market, Origin, Position, Record, Row, Stream,
};

impl<P> Machine<P> {
    pub(super) fn pump(&mut self, now: Instant) {
        self.wake = self.twin_deadline().into_iter().chain(self.unwitnessed_deadline()).min();
        if self.held.is_empty() {
            return;
        }
        match self.waits_for_streams() {
            Some(end) if now < end => {
                self.wake_at(end);
                return;
            }
            Some(_) => self.declare_blindness(),
            None => {}
        }
        let before = self.released_before();
        let mut held = std::mem::take(&mut self.held);
        for (market, rows) in &mut held {
            self.pump_market(market, rows, before, now);
        }
        held.retain(|_, rows| !rows.is_empty());
        self.held = held;
    }

    /// B5, R4: until when rows wait for a stream whose own may still belong before them: it has no baseline yet, or
    /// its fresh snapshot is on its way.
    fn waits_for_streams(&self) -> Option<Instant> {
        let wait = if self.ledger.certified().is_none() {
            self.settings.repair_hold
        } else if self.listeners.iter().any(|listener| listener.up)
            && self
                .ledger
                .streams()
                .any(|stream| self.feeds[stream].blind && self.feeds[stream].passed_from.is_none())
        {
            self.settings.hold
        } else {
            return None;
        };
        let rows = || self.held.values().flat_map(Sequencer::rows).filter(|row| !self.lacks_witness(row));
        // What history brought may wait for something older; it says nothing about when the snapshot comes.
        let shown = rows().filter(|row| row.item.origin != Origin::Backfill).map(|row| row.item.since).min();
        shown.or_else(|| rows().map(|row| row.item.since).min()).map(|first| first + wait)
    }

    /// R2: while rows wait for history, only what lies before the point it has read up to may go out.
    fn released_before(&self) -> i64 {
        let gated = self.ledger.streams().filter_map(|stream| {
            let feed = &self.feeds[stream];
            let gate = feed.gate.as_ref()?;
            let read = feed.read.as_ref().filter(|read| read.began >= gate.since && read.pages > 0);
            Some(read.map_or(i64::MIN, |read| read.cursor))
        });
        gated.min().unwrap_or(i64::MAX)
    }

    fn pump_market(
        &mut self,
        market: &Market,
        rows: &mut Sequencer<FillKey, Position, Item<P>>,
        before: i64,
        now: Instant,
    ) {
        while let Some(first) = rows.peek(0) {
            if first.time >= before || self.lacks_witness(first) {
                return;
            }
            let strict = first.item.row.strict;
            match rows.next(self.ledger.chain(market), strict) {
                Next::Empty => return,
                Next::Release { index, late } => {
                    if strict && !late && self.fills_open_gap(market, rows, index) {
                        continue;
                    }
                    let Some(row) = rows.take(index) else { return };
                    let gap = if late { None } else { self.declare_unsaid(market, &row) };
                    self.emit(row, late, gap, 0, None);
                }
                Next::Unlinked(unlinked) => {
                    let Some(row) = rows.peek(unlinked.index) else { return };
                    match self.unlinked(market, row, unlinked, now) {
                        Verdict::Wait(until) => {
                            // The other listener most often brings it first, and history lags more than that.
                            let since = row.item.since;
                            let ask = since + self.settings.hold / 2;
                            if unlinked.expected.is_none() {
                                // O5: nothing is known to be missing.
                            } else if now >= ask {
                                self.want_since(since);
                            } else {
                                self.wake_at(ask);
                            }
                            self.wake_at(until);
                            return;
                        }
                        Verdict::Late => {
                            let Some(row) = rows.take(unlinked.index) else { return };
                            self.emit(row, true, None, 0, None);
                        }
                        Verdict::Break => {
                            let Some(row) = rows.take(unlinked.index) else { return };
                            let gap = match unlinked.expected {
                                Some(expected) => self.declare_break(market, &row, expected, unlinked.found),
                                None => self.declare_unsaid(market, &row),
                            };
                            self.emit(row, false, gap, 0, None);
                        }
                    }
                }
            }
        }
    }

    /// O4: whether this run begins, in the head's millisecond, with what an open gap ending there lacks: it is late,
    /// though it links.
    fn fills_open_gap(
        &self,
        market: &Market,
        rows: &mut Sequencer<FillKey, Position, Item<P>>,
        index: usize,
    ) -> bool {
        let Some(time) = rows.peek(index).map(|row| row.time) else { return false };
        if self.ledger.head(market).is_none_or(|head| head.time != time) {
            return false;
        }
        self.ledger.gaps().iter().filter(|gap| gap.to == time && !gap.adds_up()).any(|gap| {
            let whole = gap.id.kind == GapKind::Chain && gap.id.market.as_ref() == Some(market);
            match (gap.id.expected.filter(|_| whole), gap.found) {
                (Some(expected), Some(found)) => rows.overtake(index, expected.plus(gap.filled), found),
                _ => false,
            }
        })
    }

    /// H1, O4, O5: how long the earliest row of a market waits for what should come before it.
    fn unlinked(
        &self,
        market: &Market,
        row: &Held<P>,
        unlinked: Unlinked<Position>,
        now: Instant,
    ) -> Verdict {
        let (hold, repair) =
            (row.item.since + self.settings.hold, row.item.since + self.settings.repair_hold);
        let in_history = self.marks.get(row.key).is_some_and(Mark::is_in_history);
        if unlinked.same_ms {
            if self.fits_open_gap(market, row.time, unlinked.found) {
                return Verdict::Late;
            }
            if !in_history && now < repair {
                return Verdict::Wait(repair);
            }
        }
        // Rows known from history only: the other stream's page may be on its way.
        let reading = self.feeds.iter().any(|feed| feed.read.as_ref().is_some_and(|read| read.pages > 0));
        let from_history = row.item.origin == Origin::Backfill;
        if from_history && reading && now < repair {
            return Verdict::Wait(repair);
        }
        let waits = planted!(self, HeldForEver);
        if !waits && (now >= hold || (!from_history && self.all_passed(row.time))) {
            return Verdict::Break;
        }
        Verdict::Wait(hold)
    }

    /// H1: the gap that a row which does not link opens; none where what came before may never have been ours (O5).
    fn declare_break(
        &mut self,
        market: &Market,
        row: &Held<P>,
        expected: Position,
        found: Position,
    ) -> Option<GapId> {
        if planted!(self, SilentBreak) {
            return None;
        }
        Stream::ALL.iter().for_each(|&stream| self.feeds[stream].want = true);
        let head = self.ledger.head(market)?.time;
        if self.ledger.said(market).is_none() && !self.is_known_since(head) {
            return None;
        }
        let from = self.ledger.linked_until(market, row.time)?;
        Some(self.open_chain(market, from, expected, row.time, found))
    }

    /// O5: whether every row since then is known, on all streams; what came before a stream's first known row did not
    /// come to us, and may explain a break after a baseline row of the other.
    fn is_known_since(&self, time: i64) -> bool {
        self.ledger.streams().all(|stream| self.ledger.stream(stream).since.is_none_or(|since| since <= time))
    }

    /// B9: the chain links, the signals do not: rows between them made none (they are baseline, or their market or
    /// stream was not wanted then). D4: what was shed is declared already.
    fn declare_unsaid(&mut self, market: &Market, row: &Held<P>) -> Option<GapId> {
        if self.sheds(&row.item.row) {
            return None;
        }
        if let Some(shed) = self.shed_before(market, row) {
            return Some(shed);
        }
        if !row.item.row.strict {
            return None;
        }
        let (from, expected) = self.ledger.said(market).filter(|_| !planted!(self, SilentBaseline))?;
        let found = row.link.filter(|_| row.item.row.fate == Fate::Signal)?.before;
        (found != expected).then(|| self.open_chain(market, from, expected, row.time, found))
    }

    /// D1, D5: whether it makes no signal. What corrects or replaces a signal goes out; of what was shed nobody was told.
    fn is_shed(&mut self, row: &Row, revision: u32, supersedes: Option<FillKey>) -> bool {
        if let Some(earlier) = supersedes.or_else(|| (revision > 0).then_some(row.key)) {
            let was_shed = self.ledger.keys().get(earlier).is_some_and(|known| known.fate == Fate::Shed);
            return was_shed && row.fate == Fate::Signal;
        }
        let sheds = self.sheds(row);
        if sheds {
            self.counts.shed += 1;
            self.open_shed(row.time);
        }
        sheds
    }

    /// The only way out: an event is numbered, recorded, and known as being in the journal.
    pub(super) fn emit(
        &mut self,
        row: Held<P>,
        late: bool,
        gap: Option<GapId>,
        revision: u32,
        supersedes: Option<FillKey>,
    ) {
        let Item { mut row, stream, origin, payload, .. } = row.item;
        if self.is_shed(&row, revision, supersedes) {
            row.fate = Fate::Shed;
        }
        if let Some(mark) = self.marks.get_mut(row.key) {
            mark.state = if row.fate == Fate::Baseline { State::Baseline } else { State::Out };
            mark.prove(stream, true);
        }
        let seq = (row.fate == Fate::Signal).then(|| self.ledger.seq(&row.market) + 1);
        let seq = seq.map(|seq| seq + u64::from(late && planted!(self, SeqSkips)));
        let late = late && !planted!(self, NeverLate);
        self.counts.late += u64::from(late && seq.is_some());
        self.record(Record::Event(Event {
            key: row.key,
            digest: row.digest,
            market: row.market,
            stream,
            time: row.time,
            link: row.link,
            fate: row.fate,
            origin,
            late,
            seq,
            more: false,
            gap,
            revision,
            supersedes,
            payload,
        }));
    }
}

enum Verdict {
    Wait(Instant),
    Late,
    Break,
}
