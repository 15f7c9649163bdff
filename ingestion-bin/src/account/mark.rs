//! What this process knows of a key beyond the journal: who showed it, and whether history does.

use std::collections::BTreeMap;

use dedup::{Digest, FillKey};

use super::row::{Market, PerStream, Stream};

/// Where a known row stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Waits for its turn.
    Held,
    /// Looks like another row under a second id; waits for history (H3).
    Twin,
    /// In the journal.
    Out,
    /// In the journal, without a signal, from before we followed.
    Baseline,
    /// In the journal, in conflict; not compared with history any more (C2).
    Excluded,
    /// A twin history does not know: refused.
    Dropped,
}

/// Complete reads that lacked a key, by endpoint.
#[derive(Clone, Debug, Default)]
struct Lacks {
    /// When the last did, seconds of our clock.
    at: PerStream<u32>,
    reads: PerStream<u8>,
}

/// More listeners than this share the last one's bit.
pub(super) const LISTENERS_MAX: usize = 11;

/// Who knows the row, in few bits: listeners that showed it, then what is said of history.
#[derive(Clone, Copy, Debug, Default)]
struct Witnesses(u16);

impl Witnesses {
    const LISTENERS: u16 = (1 << LISTENERS_MAX) - 1;
    /// History knew it before any listener showed it: that instant says nothing about listeners.
    const HISTORY_FIRST: u16 = 1 << LISTENERS_MAX;

    /// An endpoint of history returned it.
    const fn in_history(stream: Stream) -> u16 {
        1 << (LISTENERS_MAX + 1 + stream as usize)
    }

    /// It proves this stream to be complete up to it (R1).
    const fn proves(stream: Stream) -> u16 {
        1 << (LISTENERS_MAX + 3 + stream as usize)
    }

    const fn has(self, any: u16) -> bool {
        self.0 & any != 0
    }
}

/// Some hundred thousand of them are kept: what few have is boxed.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) digest: Digest,
    /// Milliseconds of our clock.
    pub(super) received: u64,
    rare: Option<Box<Rare>>,
    pub(super) market: Number,
    witnesses: Witnesses,
    pub(super) stream: Stream,
    pub(super) state: State,
}

const _: () = assert!(size_of::<Mark>() == 32, "every key of every account has one");

#[derive(Clone, Debug, Default)]
struct Rare {
    alike: Option<FillKey>,
    contradicted: Option<Digest>,
    lacks: Lacks,
}

impl Mark {
    pub(super) fn new(digest: Digest, stream: Stream, market: Number, state: State, received: u64) -> Self {
        Self { digest, received, rare: None, market, witnesses: Witnesses::default(), stream, state }
    }

    /// R1: in the journal or returned by history on this stream, or received there while nothing before it could be
    /// missing unnoticed. What one stream proves says nothing about rows of the other, although a slice may come on
    /// both.
    pub(super) fn prove(&mut self, stream: Stream, proven: bool) {
        if proven {
            self.witnesses.0 |= Witnesses::proves(stream);
        }
    }

    pub(super) fn is_proven(&self, stream: Stream) -> bool {
        self.witnesses.has(Witnesses::proves(stream))
    }

    /// A listener shows it.
    pub(super) fn show(&mut self, listener: usize) {
        self.witnesses.0 |= bit(listener);
    }

    pub(super) fn is_shown_by(&self, listener: usize) -> bool {
        self.witnesses.has(bit(listener))
    }

    pub(super) fn is_shown_by_several(&self) -> bool {
        (self.witnesses.0 & Witnesses::LISTENERS).count_ones() > 1
    }

    /// Whether a listener of this run was the first to show it, and this one has not shown it yet.
    pub(super) fn was_shown_by_others_than(&self, listener: usize) -> bool {
        let by_others = self.witnesses.has(Witnesses::LISTENERS) && !self.is_shown_by(listener);
        by_others && !self.witnesses.has(Witnesses::HISTORY_FIRST) && self.received != 0
    }

    /// History returned it, before any listener showed it.
    pub(super) fn show_in_history_first(&mut self, stream: Stream) {
        self.witnesses.0 |= Witnesses::HISTORY_FIRST;
        self.show_in_history(stream);
    }

    pub(super) fn show_in_history(&mut self, stream: Stream) {
        self.witnesses.0 |= Witnesses::in_history(stream);
    }

    /// Whether this stream's endpoint of history has shown it to this process.
    pub(super) fn is_in_history_of(&self, stream: Stream) -> bool {
        self.witnesses.has(Witnesses::in_history(stream))
    }

    /// Whether any of them has.
    pub(super) fn is_in_history(&self) -> bool {
        Stream::ALL.iter().any(|stream| self.is_in_history_of(*stream))
    }

    /// A row that history should show and has not shown.
    pub(super) fn is_unseen(&self) -> bool {
        !self.is_in_history() && matches!(self.state, State::Held | State::Twin | State::Out)
    }

    /// The key before this one with the same content in the same millisecond.
    pub(super) fn alike(&self) -> Option<FillKey> {
        self.rare.as_ref()?.alike
    }

    pub(super) fn set_alike(&mut self, alike: Option<FillKey>) {
        if alike.is_some() {
            self.rare.get_or_insert_default().alike = alike;
        }
    }

    /// Whether this other content is reported from now on, and was not.
    pub(super) fn contradict(&mut self, digest: Digest) -> bool {
        let before = self.rare.get_or_insert_default().contradicted.replace(digest);
        before != Some(digest)
    }

    /// Complete reads of an endpoint that lacked it.
    pub(super) fn lacking_reads(&self, stream: Stream) -> u8 {
        self.rare.as_ref().map_or(0, |rare| rare.lacks.reads[stream])
    }

    /// Whether another answer that lacks it, `apart` seconds from the last, would count.
    pub(super) fn is_look_due(&self, stream: Stream, now: u32, apart: u32) -> bool {
        let last = self.rare.as_ref().filter(|rare| rare.lacks.reads[stream] > 0);
        last.is_none_or(|rare| now >= rare.lacks.at[stream].saturating_add(apart))
    }

    pub(super) fn note_lack(&mut self, stream: Stream, now: u32, apart: u32) {
        if self.is_look_due(stream, now, apart) {
            let Lacks { at, reads } = &mut self.rare.get_or_insert_default().lacks;
            reads[stream] = reads[stream].saturating_add(1);
            at[stream] = now;
        }
    }
}

/// The bit of a listener.
pub(super) fn bit(listener: usize) -> u16 {
    1 << listener.min(LISTENERS_MAX - 1)
}

/// A market's number, in this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Number(u32);

impl Number {
    /// Of no market.
    pub(super) const UNKNOWN: Self = Self(u32::MAX);
}

/// The markets of which this process knows keys, numbered: a key need not hold its market's name.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    markets: Vec<Market>,
    numbers: BTreeMap<Market, Number>,
}

impl Numbers {
    /// The market's number, a new one where it has none.
    pub(super) fn number(&mut self, market: &Market) -> Number {
        if let Some(number) = self.numbers.get(market) {
            return *number;
        }
        let number = Number(u32::try_from(self.markets.len()).unwrap_or(u32::MAX));
        self.markets.push(market.clone());
        self.numbers.insert(market.clone(), number);
        number
    }

    /// The number of a market of which a key may be known.
    pub(super) fn get(&self, market: &Market) -> Option<Number> {
        self.numbers.get(market).copied()
    }

    pub(super) fn market(&self, number: Number) -> Option<&Market> {
        self.markets.get(usize::try_from(number.0).ok()?)
    }
}
