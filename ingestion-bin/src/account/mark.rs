//! What this process knows of a key beyond the journal: who showed it, and whether history does.

use dedup::{Digest, FillKey};

use super::row::{Market, Stream};

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

#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) digest: Digest,
    pub(super) stream: Stream,
    /// Unknown for rows of an earlier run.
    pub(super) market: Option<Market>,
    pub(super) state: State,
    /// Bit per stream that this row proves to be complete up to it (R1).
    proven: u8,
    /// Complete reads that lacked it, and when the last did (milliseconds of our clock).
    pub(super) lacked: u8,
    pub(super) lacked_at: u64,
    /// Bit per listener.
    pub(super) shown_by: u64,
    /// Bit per endpoint of history.
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
            lacked: 0,
            lacked_at: 0,
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

    pub(super) fn is_proven(&self, stream: Stream) -> bool {
        self.proven & (1 << stream.lane()) != 0
    }
}

/// The bit of a listener; beyond 64 they share the last.
pub(super) fn bit(listener: usize) -> u64 {
    1 << listener.min(63)
}
