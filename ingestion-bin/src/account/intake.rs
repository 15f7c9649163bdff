//! Rows of any message go through one set of keys (K); new ones are held in the order messages tell (O2).

use std::time::Instant;

use dedup::{Digest, FillKey, Kind, Slot};

use super::baseline::{LOOKS, held};
use super::mark::{Mark, Number, State};
use super::record::Refusal;
use super::twins::content;
use super::{Fate, Item, Machine, Market, Origin, Position, Record, Row, Stream};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Live(usize),
    Snapshot(usize),
    Page,
}

impl Source {
    fn origin(self) -> Origin {
        match self {
            Self::Live(_) => Origin::Live,
            Self::Snapshot(_) => Origin::Snapshot,
            Self::Page => Origin::Backfill,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Live(_) => Kind::Live,
            Self::Snapshot(_) => Kind::Snapshot,
            Self::Page => Kind::Page,
        }
    }

    fn listener(self) -> Option<usize> {
        match self {
            Self::Live(listener) | Self::Snapshot(listener) => Some(listener),
            Self::Page => None,
        }
    }
}

type Place<P> = Slot<FillKey, Position, Item<P>>;

/// The rows a message holds of one market and millisecond.
struct Group<P> {
    market: Market,
    time: i64,
    slots: Vec<Place<P>>,
}

impl<P> Machine<P> {
    /// Takes in a message's rows; returns the time of the first one for whose key there is no room.
    pub(super) fn intake(
        &mut self,
        source: Source,
        stream: Stream,
        rows: &[Row],
        make: &mut dyn FnMut(usize) -> P,
        proven: bool,
        now: Instant,
    ) -> Option<i64> {
        let mut refused = None;
        let floor = self.ledger.floor();
        // C5: nobody can tell then what is known by rule.
        let (is_live, beyond_belief) = (matches!(source, Source::Live(_)), self.is_ahead(floor, now));
        // B2: what is live did not happen so long before following began, nor before this run did, whatever the other stream knows yet.
        let began = self.ledger.stream(stream).baseline.max(self.began_at).filter(|_| is_live);
        let floor = floor.max(began.map_or(i64::MIN, |at| at.saturating_sub(self.settings.margin_ms)));
        // B3: what a stream that begins in the past cannot take, because the other one's proof is past it.
        let begins = self.settings.start.filter(|start| {
            let baseline = self.ledger.stream(stream).baseline;
            baseline.is_some_and(|at| self.still_from_start(stream, at, *start))
        });
        let mut untaken: Option<i64> = None;
        let mut groups: Vec<Group<P>> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let mut make = || make(index);
            let slot = if self.marks.get(row.key).is_some() {
                self.known_row(source, stream, row, &mut make, proven, now)
            } else if self.is_before_start(stream, row.time) {
                None
            } else if row.time < floor && !(is_live && beyond_belief) {
                self.counts.below_floor += 1;
                self.counts.passed_over += u64::from(is_live);
                untaken = untaken.max(begins.map(|_| row.time));
                None
            } else if self.marks.len() >= self.marks.cap() {
                // Only history can get here: frames are refused earlier.
                self.counts.refused_rows += 1;
                refused = Some(row.time);
                break;
            } else {
                self.new_row(source, stream, row, &mut make, proven, now)
            };
            let Some(slot) = slot else { continue };
            let same_ms = groups.iter_mut().rev().take_while(|group| group.time == row.time);
            match { same_ms }.find(|group| group.market == row.market) {
                Some(group) => group.slots.push(slot),
                None => groups.push(Group { market: row.market.clone(), time: row.time, slots: vec![slot] }),
            }
        }
        if let Some((start, to)) = begins.zip(untaken) {
            self.declare_history(start.saturating_sub(1), to);
        }
        for group in groups {
            let fresh = group.slots.iter().any(|slot| matches!(slot, Slot::New(_)));
            if fresh || self.held.contains_key(&group.market) {
                let sequencer = self.held.entry(group.market).or_default();
                sequencer.place(group.time, stream.lane(), group.slots, source.kind());
            }
        }
        refused
    }

    /// B3: rows before a chosen start are nothing to us; a snapshot does not show all of them, so they set no heads.
    pub(super) fn is_before_start(&self, stream: Stream, time: i64) -> bool {
        let baseline = self.ledger.stream(stream).baseline;
        self.settings.start.is_some_and(|start| time < start && baseline == Some(start.saturating_sub(1)))
    }

    fn new_row(
        &mut self,
        source: Source,
        stream: Stream,
        row: &Row,
        make: &mut dyn FnMut() -> P,
        proven: bool,
        now: Instant,
    ) -> Option<Place<P>> {
        let market = self.numbers.number(&row.market);
        // B2: only rows of frames that are neither snapshot nor history are never baseline by their time.
        let state = self.ledger.stream(stream);
        let certified = state.certified;
        let baseline = state.baseline.unwrap_or(i64::MIN);
        let made_it = state.anchor.is_some_and(|(key, _)| key == row.key);
        let is_baseline = !matches!(source, Source::Live(_))
            && (row.time < baseline || (row.time == baseline && (made_it || !self.links_to_head(row))));
        let alike = self.alike(row.digest, row.time);
        let twin = !is_baseline
            && !planted!(self, NoTwins)
            && match source.listener() {
                Some(listener) => self.has_stranger(alike, market, listener),
                None => self.has_unborne(alike, market),
            };
        let state = match (is_baseline, twin) {
            (true, _) => State::Baseline,
            (false, true) => State::Twin,
            (false, false) => State::Held,
        };
        let mut mark = Mark::new(row.digest, stream, market, state, self.millis(now));
        mark.prove(stream, proven || source == Source::Page);
        mark.set_alike(alike);
        match source.listener() {
            Some(listener) => mark.show(listener),
            None => mark.show_in_history_first(stream),
        }
        let _ = self.marks.insert_or_get(row.key, row.time, || mark);
        self.contents.insert(content(row.digest, row.time));
        if matches!(source, Source::Live(_)) {
            self.showing.first = true;
        }
        let payload = make();
        if is_baseline {
            self.emit_baseline(row.clone(), stream, source.origin(), payload, now);
            return Some(Slot::Out);
        }
        let feed = &mut self.feeds[stream];
        feed.new_rows += 1;
        feed.second_look = None;
        if Some(row.time) <= certified {
            // C2: no ordinary read begins so early.
            (feed.older_events, feed.want) = ((LOOKS, None), true);
        }
        self.expect_everywhere(row.key, row.time, stream, now);
        let held = held(row.clone(), stream, source.origin(), payload, now);
        if twin {
            self.counts.twins += 1;
            self.feeds[stream].want = true;
            self.twins.push(held);
            return None;
        }
        if source.listener().is_some() && self.is_ahead(row.time, now) {
            self.feeds[stream].want = true;
            self.await_witness(row, now);
        }
        Some(Slot::New(held))
    }

    /// H3: a key of the same content that this listener has not shown.
    fn has_stranger(&self, alike: Option<FillKey>, market: Number, listener: usize) -> bool {
        let mut alike = self.all_alike(alike, market);
        alike.any(|(_, mark)| !mark.is_shown_by(listener) && mark.state != State::Dropped)
    }

    /// H3: a key of the same content that went out and that history does not show, beside one that it does.
    fn has_unborne(&self, alike: Option<FillKey>, market: Number) -> bool {
        let mut alike = self.all_alike(alike, market);
        alike.any(|(_, mark)| !mark.is_in_history() && mark.state == State::Out)
    }

    fn known_row(
        &mut self,
        source: Source,
        stream: Stream,
        row: &Row,
        make: &mut dyn FnMut() -> P,
        proven: bool,
        now: Instant,
    ) -> Option<Place<P>> {
        let now_ms = self.millis(now);
        let mark = self.marks.get_mut(row.key)?;
        let state = mark.state;
        let differs = mark.digest != row.digest;
        match source.listener() {
            Some(listener) => {
                if matches!(source, Source::Live(_)) && mark.was_shown_by_others_than(listener) {
                    self.showing.note_copy(now_ms.saturating_sub(mark.received));
                }
                mark.show(listener);
                mark.prove(stream, proven);
                self.counts.duplicates += 1;
                if differs && mark.contradict(row.digest) {
                    let decided = mark.is_in_history();
                    self.leg_mismatch(stream, row, make(), decided);
                }
            }
            None => {
                mark.show_in_history(stream);
                mark.prove(stream, true);
                return self.known_in_history(stream, row, state, differs, make, now);
            }
        }
        slot_of(state, row.key)
    }

    /// K1: the first copy stands, the other is kept as a refusal, history decides.
    fn leg_mismatch(&mut self, stream: Stream, row: &Row, payload: P, decided: bool) {
        self.counts.mismatches += 1;
        let (key, market) = (row.key, row.market.clone());
        self.record(Record::Refused { key, market, reason: Refusal::LegMismatch, payload });
        if !decided {
            self.feeds[stream].want = true;
            self.open_conflict(Some(row.market.clone()), row.time, row.key);
        }
    }

    /// History shows a known key: it settles what was in doubt.
    fn known_in_history(
        &mut self,
        stream: Stream,
        row: &Row,
        state: State,
        differs: bool,
        make: &mut dyn FnMut() -> P,
        now: Instant,
    ) -> Option<Place<P>> {
        match state {
            State::Dropped => {
                // H3: it exists after all.
                self.set_state(row.key, State::Held, row.digest);
                self.settle_conflict(row.key);
                return Some(Slot::New(held(row.clone(), stream, Origin::Backfill, make(), now)));
            }
            State::Held if differs => {
                let wrong = self.held.get_mut(&row.market).and_then(|sequencer| sequencer.remove(row.key))?;
                let (key, market) = (row.key, row.market.clone());
                let payload = wrong.item.payload;
                self.record(Record::Refused { key, market, reason: Refusal::LegMismatch, payload });
                self.set_state(row.key, State::Held, row.digest);
                self.settle_conflict(row.key);
                return Some(Slot::New(held(row.clone(), stream, Origin::Backfill, make(), now)));
            }
            State::Out | State::Excluded if differs => {
                self.set_state(row.key, State::Out, row.digest);
                self.correct(row, stream, make(), now);
            }
            State::Excluded => self.set_state(row.key, State::Out, row.digest),
            State::Held | State::Twin | State::Out | State::Baseline => {}
        }
        self.settle_conflict(row.key);
        slot_of(state, row.key)
    }

    fn set_state(&mut self, key: FillKey, state: State, digest: Digest) {
        if let Some(mark) = self.marks.get_mut(key) {
            (mark.state, mark.digest) = (state, digest);
        }
    }

    /// K4: the copy that went out was wrong: history's content goes out as a correction of it.
    fn correct(&mut self, row: &Row, stream: Stream, payload: P, now: Instant) {
        let Some(known) = self.ledger.keys().get(row.key).copied() else { return };
        if known.fate == Fate::Baseline || planted!(self, NoCorrections) {
            return;
        }
        self.counts.corrections += 1;
        let late = !self.ledger.stands_at(&row.market, row.key);
        let held = held(row.clone(), stream, Origin::Backfill, payload, now);
        self.emit(held, late, None, u32::from(known.revision) + 1, None);
    }
}

fn slot_of<P>(state: State, key: FillKey) -> Option<Place<P>> {
    match state {
        State::Held => Some(Slot::Held(key)),
        State::Twin | State::Dropped => None,
        State::Out | State::Baseline | State::Excluded => Some(Slot::Out),
    }
}
