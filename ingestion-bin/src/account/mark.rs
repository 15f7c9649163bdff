//! What this process knows of a key beyond the journal: who showed it, and whether history does.

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

/// Complete reads of one endpoint that lacked a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lack {
    pub(super) reads: u8,
    /// When the last did, seconds of our clock.
    at: u32,
}

impl Lack {
    /// Whether another answer, `apart` seconds from the last, would count.
    pub(super) fn is_due(self, now: u32, apart: u32) -> bool {
        self.reads == 0 || now >= self.at.saturating_add(apart)
    }

    pub(super) fn note(&mut self, now: u32, apart: u32) {
        if self.is_due(now, apart) {
            (self.reads, self.at) = (self.reads.saturating_add(1), now);
        }
    }
}

/// History knew the row before any listener showed it: that instant says nothing about listeners.
pub(super) const HISTORY_FIRST: u8 = 1 << 7;

#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) digest: Digest,
    pub(super) stream: Stream,
    /// Unknown for rows of an earlier run.
    pub(super) market: Option<Market>,
    pub(super) state: State,
    /// Bit per stream that this row proves to be complete up to it (R1).
    proven: u8,
    /// By endpoint.
    pub(super) lacks: PerStream<Lack>,
    /// Bit per listener.
    pub(super) shown_by: u64,
    /// Bit per endpoint of history, and [`HISTORY_FIRST`].
    pub(super) in_history: u8,
    /// Milliseconds of our clock.
    pub(super) received: u64,
    /// The key before this one with the same content in the same millisecond.
    pub(super) alike: Option<FillKey>,
    /// Another content already reported.
    pub(super) contradicted: Option<Digest>,
}

impl Mark {
    pub(super) fn new(digest: Digest, stream: Stream, state: State, received: u64) -> Self {
        Self {
            digest,
            stream,
            market: None,
            state,
            proven: 0,
            lacks: PerStream::default(),
            shown_by: 0,
            in_history: 0,
            received,
            alike: None,
            contradicted: None,
        }
    }

    /// R1: in the journal or returned by history on this stream, or received there while nothing before it could be
    /// missing unnoticed. What one stream proves says nothing about rows of the other, although a slice may come on
    /// both.
    pub(super) fn prove(&mut self, stream: Stream, proven: bool) {
        self.proven |= u8::from(proven) << stream.lane();
    }

    /// Whether a listener of this run was the first to show it, and this one has not shown it yet.
    pub(super) fn was_shown_by_others_than(&self, listener: usize) -> bool {
        let by_others = self.shown_by != 0 && self.shown_by & bit(listener) == 0;
        by_others && self.in_history & HISTORY_FIRST == 0 && self.received != 0
    }

    pub(super) fn is_proven(&self, stream: Stream) -> bool {
        self.proven & (1 << stream.lane()) != 0
    }
}

/// The bit of a listener; beyond 64 they share the last.
pub(super) fn bit(listener: usize) -> u64 {
    1 << listener.min(63)
}
