//! What the machine asks to be appended to the journal, in this order, and nothing between.

use dedup::{Digest, FillKey, Link};

use super::gap::{Gap, GapId};
use super::row::{Fate, Market, Position, Stream};

/// The path by which an event came first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A live frame.
    Live,
    /// A snapshot.
    Snapshot,
    /// The venue's history.
    Backfill,
}

/// A row that is accepted, with everything its signal and a later fold need.
#[derive(Clone, Debug)]
pub struct Event<P> {
    /// Identity.
    pub key: FillKey,
    /// Content.
    pub digest: Digest,
    /// Market.
    pub market: Market,
    /// The stream it came on.
    pub stream: Stream,
    /// Venue time in milliseconds.
    pub time: i64,
    /// What it does to the position.
    pub link: Option<Link<Position>>,
    /// What becomes of it.
    pub fate: Fate,
    /// Path.
    pub origin: Origin,
    /// Newer rows of this market went out before: the chain's head does not move.
    pub late: bool,
    /// Its number in this epoch and market; only signals have one.
    pub seq: Option<u64>,
    /// Another signal of this market follows in the same batch.
    pub more: bool,
    /// The gap before it, when it does not link.
    pub gap: Option<GapId>,
    /// 0, or n for the n-th correction of the same fill.
    pub revision: u32,
    /// The event whose signal this one replaces, when that was another fill.
    pub supersedes: Option<FillKey>,
    /// The caller's.
    pub payload: P,
}

/// Why a row was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// A known key with other content.
    LegMismatch,
    /// The same content under another id, which history does not know.
    Twin,
}

/// One journal record. `barrier` records must be fsynced before anything after them is handed to a sink.
#[derive(Clone, Debug)]
pub enum Record<P> {
    /// A new run of this account's numbers. For the gap stream it is the `reset`; every gap still kept follows.
    Epoch {
        /// Larger than every one before.
        epoch: u64,
        /// The account was added (again): baselines, keys and heads are void.
        fresh: bool,
        /// The venue's history may lag this far, venue milliseconds; decides which keys are kept.
        margin_ms: i64,
        /// Whether the TWAP stream is followed.
        twap: bool,
    },
    /// Rows of this stream at or before `at` are no signals.
    Baseline {
        /// Stream.
        stream: Stream,
        /// Venue time in milliseconds; `i64::MIN` for "before everything".
        at: i64,
        /// Where the first read of history begins.
        anchor: Option<(FillKey, i64)>,
    },
    /// A listener brought a row of this venue time before a stream's baseline was made (B8): nothing from then on is baseline, whatever
    /// a run after this one finds.
    Heard {
        /// Venue time in milliseconds.
        from: i64,
    },
    /// An accepted row.
    Event(Event<P>),
    /// A gap's newest state; replaces the one with its id.
    Gap(Gap),
    /// A gap that is declared inside another one from now on.
    Absorbed {
        /// The one that goes.
        gap: GapId,
    },
    /// Everything of this stream up to here is published or declared.
    Certified {
        /// Stream.
        stream: Stream,
        /// Venue time in milliseconds.
        to: i64,
        /// Where the next read begins.
        anchor: Option<(FillKey, i64)>,
    },
    /// A row that is no event, with its bytes.
    Refused {
        /// Identity.
        key: FillKey,
        /// Market.
        market: Market,
        /// Why.
        reason: Refusal,
        /// The caller's.
        payload: P,
    },
    /// The account is no longer followed.
    Removed,
}

impl<P> Record<P> {
    /// Whether it must be on the disk before anything behind it may be published.
    #[must_use]
    pub fn is_barrier(&self) -> bool {
        matches!(self, Self::Epoch { .. } | Self::Baseline { .. })
    }
}
