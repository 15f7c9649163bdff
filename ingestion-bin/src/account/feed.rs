//! The volatile half of one stream.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use dedup::FillKey;

use super::Origin;
use super::row::{Market, Row};

/// Live rows wait for history.
#[derive(Debug)]
pub(super) struct Gate {
    /// Only a read begun after this ends the wait.
    pub(super) since: Instant,
    /// The longest wait; none for a start in the past.
    pub(super) deadline: Option<Instant>,
    /// Its outage gap is open.
    pub(super) declared: bool,
}

/// A frame kept whole until it is known what its rows are.
#[derive(Debug)]
pub(super) struct Kept<P> {
    pub(super) listener: usize,
    pub(super) rows: Vec<Row>,
    pub(super) payloads: Vec<Option<P>>,
}

impl<P> Kept<P> {
    pub(super) fn new(listener: usize, rows: &[Row], make: &mut dyn FnMut(usize) -> P) -> Self {
        let payloads = (0..rows.len()).map(|index| Some(make(index))).collect();
        Self { listener, rows: rows.to_vec(), payloads }
    }

    /// The rows, and what makes each one's payload: once.
    pub(super) fn replay(&mut self) -> (&[Row], impl FnMut(usize) -> P) {
        let Self { rows, payloads, .. } = self;
        let make = |index: usize| match payloads.get_mut(index).and_then(Option::take) {
            Some(payload) => payload,
            None => unreachable!("each payload is asked for once"),
        };
        (rows, make)
    }
}

/// A page that makes the baseline once the other stream has caught up.
#[derive(Debug)]
pub(super) struct FirstPage<P> {
    pub(super) page: Kept<P>,
    pub(super) origin: Origin,
    pub(super) until: Instant,
}

/// An empty snapshot that waits to be confirmed (B1).
#[derive(Debug, Default)]
pub(super) struct Empty {
    /// Bit per listener whose snapshot was empty.
    pub(super) listeners: u16,
    /// When a complete read returned nothing.
    pub(super) read_at: Option<Instant>,
    /// The venue time known when the first empty snapshot came.
    pub(super) since: Option<i64>,
}

/// One page in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) at: Instant,
}

/// A read of history in progress: pages from an anchor on.
#[derive(Debug)]
pub(super) struct Read {
    /// Where it began.
    pub(super) start: i64,
    /// It begins before its anchor, for the sake of a key of the other stream; it must come past the anchor.
    pub(super) looks_back: bool,
    /// Where it began, or what of it is compared already; older keys are not compared with it.
    pub(super) from: i64,
    /// Rows from its first on are all there.
    pub(super) first: Option<i64>,
    /// Not certified past this, for what an earlier part of it showed.
    pub(super) limit: i64,
    pub(super) anchor: Option<(FillKey, i64)>,
    /// Where the next page begins.
    pub(super) cursor: i64,
    pub(super) keys: HashSet<FillKey>,
    /// In the order returned.
    pub(super) rows: Vec<(FillKey, i64)>,
    pub(super) pages: u32,
    /// Rows of its longest page.
    pub(super) longest_page: usize,
    pub(super) began: Instant,
    /// Venue time known when it began.
    pub(super) venue_time: Option<i64>,
    /// Milliseconds declared or suspected to be cut inside a page.
    pub(super) dense: Vec<i64>,
    pub(super) stepped: bool,
    /// Without an anchor: when each market's first row was, and whether it began flat.
    pub(super) firsts: HashMap<Market, (i64, bool)>,
    /// Without an anchor: whether history reaches back to where the read began (S6).
    pub(super) proof: Proof,
}

/// What is known of the time between the begin of a read without an anchor and its first row (S6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Proof {
    Unasked,
    /// The page in flight only tells how far back history reaches.
    Asked,
    /// Nothing was learned: the page was empty.
    Silent,
    /// History holds something older: nothing is forgotten in between.
    ReachesBack,
    /// History begins with the read's own first row, or later.
    BeginsHere,
}

/// The first row of the reads that had no anchor: it must stay there until it is settled what came before it (S6).
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    pub(super) key: FillKey,
    pub(super) time: i64,
    /// Complete reads, apart from each other, that began with it.
    pub(super) seen: u8,
    pub(super) seen_at: Instant,
}

impl<P> Feed<P> {
    /// Until when a new read must wait, so that one account does not spend what all share. Rows that wait for history
    /// wait no longer than they must.
    pub(super) fn rests_until(&self, pause: Duration) -> Option<Instant> {
        let doubled = if self.gate.is_some() { 0 } else { self.hasty.min(3) };
        self.last_began.map(|began| began + pause * (1 << doubled))
    }
}

impl Read {
    pub(super) fn newest(&self) -> Option<i64> {
        self.rows.iter().map(|&(_, time)| time).max()
    }

    pub(super) fn oldest(&self) -> Option<(FillKey, i64)> {
        self.rows.first().copied()
    }
}

/// A complete read, to be compared with the next one (C1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Previous {
    pub(super) newest: Option<i64>,
    pub(super) venue_time: Option<i64>,
    pub(super) began: Instant,
}

#[derive(Debug)]
pub(super) struct Feed<P> {
    pub(super) gate: Option<Gate>,
    /// Nobody listens, or nobody's snapshot came yet.
    pub(super) blind: bool,
    /// R4: rows of the other stream went out while it was blind; the venue time from which on its own may be missing.
    pub(super) passed_from: Option<i64>,
    /// Frames that came before the baseline, and when the first one did.
    pub(super) before: Vec<Kept<P>>,
    pub(super) waits_since: Option<Instant>,
    pub(super) empty: Option<Empty>,
    /// The page that is to make the baseline (B8).
    pub(super) first: Option<FirstPage<P>>,
    /// The newest page of a read that confirms an empty snapshot.
    pub(super) confirming: Option<Kept<P>>,
    pub(super) read: Option<Read>,
    pub(super) asked: Option<Asked>,
    /// A read is wanted as soon as may be.
    pub(super) want: bool,
    pub(super) not_before: Option<Instant>,
    /// When the newest read began.
    pub(super) last_began: Option<Instant>,
    /// Reads that followed each other without a rest.
    pub(super) hasty: u32,
    pub(super) next_sweep: Option<Instant>,
    /// When the end that a read found is looked at again, if nothing newer comes before (C1).
    pub(super) second_look: Option<Instant>,
    /// Questions in a row that were not answered.
    pub(super) failures: u32,
    pub(super) beginning: Option<Beginning>,
    /// Since when what the journal says of the newest rows is in doubt, until a read is complete (R5).
    pub(super) distrusted: Option<Instant>,
    /// Answers in a row without the anchor.
    pub(super) anchor_missed: u32,
    pub(super) previous: Option<Previous>,
    pub(super) new_rows: usize,
    /// The other stream has a key of this time that only this endpoint may know.
    pub(super) look_back: Option<i64>,
    /// How many reads still look for events from before the baseline that history has not shown, and when one last did.
    pub(super) older_events: (u8, Option<Instant>),
}

impl<P> Default for Feed<P> {
    fn default() -> Self {
        Self {
            gate: None,
            blind: true,
            passed_from: None,
            before: Vec::new(),
            waits_since: None,
            empty: None,
            first: None,
            confirming: None,
            read: None,
            asked: None,
            want: false,
            not_before: None,
            last_began: None,
            hasty: 0,
            next_sweep: None,
            second_look: None,
            failures: 0,
            beginning: None,
            distrusted: None,
            anchor_missed: 0,
            previous: None,
            new_rows: 0,
            look_back: None,
            older_events: (0, None),
        }
    }
}
