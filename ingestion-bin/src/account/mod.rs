//! One followed account as a state machine: baseline, merge, order, hold, catch-up, sweep, certification. The contract,
//! rule by rule, is `docs/account-machine.md`; the letters in comments (B2, O3, …) are its rules.
//!
//! No I/O, no clock, no randomness. Two clocks as arguments that never meet: `now` (our monotonic clock) measures our
//! own durations, venue milliseconds order events. Calling order: one `handle_*`, then [`Machine::poll_output`] until
//! it is empty, then arm a timer for [`Machine::poll_timeout`].
//!
//! Two halves: [`Ledger`] is durable and changes only by [`Ledger::apply`] of records that are appended to the journal
//! in the order they come out; the rest is volatile and comes back from the venue's history.
//!
//! Not here: decoding, the fill -> signal rule, weight budgets, sockets, the journal.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use dedup::{FillKey, Sequencer, Window};

/// Whether a test planted this bug; always false outside tests.
macro_rules! planted {
    ($machine:expr, $bug:ident) => {{
        #[cfg(test)]
        let planted = $machine.bug == Some($crate::account::tests::Bug::$bug);
        #[cfg(not(test))]
        let planted = false;
        planted
    }};
}

mod ahead;
mod baseline;
mod beginning;
mod certify;
mod clock;
mod contradicted;
mod doubted;
mod feed;
mod frames;
mod gap;
mod gaps;
mod intake;
mod ledger;
mod listeners;
mod mark;
mod outage;
mod overrun;
mod page;
mod reading;
mod record;
mod release;
mod repaired;
mod row;
mod settings;
mod shedding;
mod showing;
mod summary;
mod twins;

#[cfg(test)]
mod tests;

pub use clock::{Source as ClockSource, VenueClock};
pub use gap::{Gap, GapId, GapKind, GapState};
pub use ledger::{Known, Ledger, Size, StreamLedger};
pub use record::{Event, Origin, Record, Refusal};
pub use repaired::RowStand;
pub use row::{Fate, Market, PerStream, Position, Row, Stream};
pub use settings::{Retry, Settings};
pub use shedding::Shedding;
pub use showing::Showing;
pub use summary::{Counts, Coverage, Summary};

use ahead::Ahead;
use doubted::Doubted;
use feed::Feed;
use listeners::{Listener, Miss};
use mark::{Mark, Number, Numbers, State};
use twins::{content, newest_of};

/// What the machine wants done.
#[derive(Clone, Debug)]
pub enum Output<P> {
    /// Append it to the journal, after all that came before.
    Record(Record<P>),
    /// Ask the venue for the rows of this stream from `start` (venue milliseconds, inclusive) on, oldest first; answer
    /// with `handle_page`, `handle_page_failed` or `handle_page_deferred`.
    Ask {
        /// Stream.
        stream: Stream,
        /// Venue time in milliseconds.
        start: i64,
        /// Names the answer.
        id: u64,
    },
    /// Close this listener's connection and open it anew: it is mute, or missed what another one delivered.
    Recycle {
        /// The listener's number.
        listener: usize,
    },
}

/// Whether a frame was taken in.
#[must_use = "a refused frame is lost unless history brings it: it must be counted"]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Intake {
    /// Its rows are known now.
    Taken,
    /// No room; history will bring its rows when there is.
    Refused,
}

/// Why a machine is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The process started; the ledger is what the journal says.
    Start,
    /// The account was added, or added again.
    Added,
}

/// A row that is not out yet.
type Held<P> = dedup::Row<FillKey, Position, Item<P>>;

/// What a held row carries besides its order.
#[derive(Clone, Debug)]
struct Item<P> {
    row: Row,
    stream: Stream,
    origin: Origin,
    since: Instant,
    payload: P,
}

/// One followed account; `P` is what a row carries through untouched.
#[derive(Debug)]
pub struct Machine<P> {
    settings: Settings,
    ledger: Ledger,
    /// Own times are kept as milliseconds since this instant.
    born: Instant,
    out: VecDeque<Output<P>>,
    listeners: Vec<Listener>,
    feeds: PerStream<Feed<P>>,
    /// Every key this process knows, the ledger's included.
    marks: Window<Mark>,
    /// Their markets.
    numbers: Numbers,
    /// What twins share, of every one of them.
    contents: HashSet<u32>,
    held: BTreeMap<Market, Sequencer<FillKey, Position, Item<P>>>,
    twins: Vec<Held<P>>,
    /// Held rows far ahead of the venue's clock.
    ahead: Vec<Ahead>,
    misses: VecDeque<Miss>,
    doubted: Vec<Doubted<P>>,
    /// Complete reads that failed to fill a chain gap, per stream.
    tries: HashMap<GapId, PerStream<(u8, u64)>>,
    /// The venue's clock is at least there, as the driver says; no row of ours moves it.
    venue_time: Option<i64>,
    /// When that last moved.
    venue_time_at: Option<Instant>,
    /// The first one known in this run.
    began_at: Option<i64>,
    /// Frames are being refused; the last one then.
    dirty: Option<Instant>,
    /// What is held back (D), and how far the open gap of it was last told.
    shedding: Shedding,
    shed_told: Option<i64>,
    /// Newest event when this process began.
    journal_end: Option<i64>,
    /// Since when it was followed, though its state is lost (B6).
    orphaned: Option<i64>,
    /// Next instant at which a held row may move.
    wake: Option<Instant>,
    asked: u64,
    counts: Counts,
    /// Of the last frame.
    showing: Showing,
    #[cfg(test)]
    bug: Option<tests::Bug>,
}

impl<P> Machine<P> {
    /// A machine over what is durable. `epoch` is larger than every epoch before (the runtime knows; the ledger's own
    /// plus one is the least). Its first outputs are the epoch's record and every gap that is still kept.
    #[must_use]
    pub fn new(mut settings: Settings, ledger: Ledger, cause: Cause, epoch: u64, now: Instant) -> Self {
        let fresh = cause == Cause::Added || ledger.is_removed();
        if fresh {
            // X: what was followed is told already, or declared.
            settings.start = settings.start.map(|start| start.max(ledger.told_to().saturating_add(1)));
        }
        let keys = settings.key_cap + 2 * settings.read_rows;
        let orphaned = ledger.unheard_since();
        let journal_end = Stream::ALL.iter().filter_map(|&stream| ledger.stream(stream).newest).max();
        let mut machine = Self {
            ledger,
            born: now,
            out: VecDeque::new(),
            listeners: Vec::new(),
            feeds: PerStream::from_fn(|_| Feed::default()),
            marks: Window::new(keys),
            numbers: Numbers::default(),
            contents: HashSet::new(),
            held: BTreeMap::new(),
            twins: Vec::new(),
            ahead: Vec::new(),
            misses: VecDeque::new(),
            doubted: Vec::new(),
            tries: HashMap::new(),
            venue_time: None,
            venue_time_at: None,
            began_at: None,
            dirty: None,
            shedding: Shedding::default(),
            shed_told: None,
            journal_end,
            orphaned,
            wake: None,
            asked: 0,
            counts: Counts::default(),
            showing: Showing::default(),
            settings,
            #[cfg(test)]
            bug: None,
        };
        let (margin_ms, twap) = (machine.settings.margin_ms, machine.settings.twap);
        machine.record(Record::Epoch { epoch, fresh, margin_ms, twap });
        for gap in machine.ledger.gaps().to_vec() {
            machine.record(Record::Gap(gap));
        }
        machine.declare_switched_off(now);
        machine.restore_marks();
        machine.begin_streams(now);
        machine.settle(now);
        machine
    }

    /// The durable half.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Waits so from the next failure of a question on.
    pub fn set_retry(&mut self, retry: Retry) {
        self.settings.retry = retry;
    }

    /// What a row carries that is held and no event yet.
    #[must_use]
    pub fn waiting(&self, key: FillKey) -> Option<&P> {
        let held = self.held.values().flat_map(Sequencer::rows).chain(&self.twins);
        { held }.find(|row| row.key == key).map(|row| &row.item.payload)
    }

    /// The next thing to do; to be called until it is empty after every `handle_*`.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.out.pop_front()
    }

    /// When to call [`Machine::handle_timeout`] at the latest.
    #[must_use = "arm a timer for this instant, then call `handle_timeout`"]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ledger.is_removed() {
            return None;
        }
        let reads = self.ledger.streams().filter_map(|stream| self.next_read(stream));
        let gates = self.feeds.iter().filter_map(|feed| feed.gate.as_ref()?.deadline);
        let misses = self.misses.front().map(|miss| self.instant(miss.due));
        let first_pages = self.feeds.iter().filter_map(|feed| feed.first.as_ref()).map(|first| first.until);
        let first_pages = first_pages.chain(self.begins_unconfirmed()).chain(self.doubted_until());
        reads.chain(gates).chain(first_pages).chain(misses).chain(self.retry_refused()).chain(self.wake).min()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle(now);
    }

    /// The venue's clock is at least there: two sources say so ([`VenueClock`]), on any path, for any account. Needed
    /// every minute or so, or nothing is certified.
    pub fn handle_venue_time(&mut self, time: i64, now: Instant) {
        if self.venue_time < Some(time) {
            (self.venue_time, self.venue_time_at) = (Some(time), Some(now));
            self.began_at.get_or_insert(time);
        }
        self.settle(now);
    }

    /// What every input ends with: whatever may happen by now, happens.
    fn settle(&mut self, now: Instant) {
        if self.ledger.is_removed() {
            return;
        }
        self.declare_switched_off(now);
        self.drive_doubted(now);
        self.expire_gates(now);
        self.begin_late_streams(now);
        self.begin_unconfirmed(now);
        self.resolve_twins(now);
        self.refuse_unwitnessed(now);
        self.pump(now);
        self.end_silent();
        self.drive_reads(now);
        self.drive_misses(now);
        self.drive_refused(now);
        self.announce_more();
    }

    fn record(&mut self, record: Record<P>) {
        self.ledger.apply(&record);
        if let Record::Gap(gap) = &record
            && gap.id.kind == GapKind::Shed
        {
            self.shed_told = Some(gap.to);
        }
        if planted!(self, Unrecorded) && matches!(record, Record::Certified { .. }) {
            return;
        }
        self.out.push_back(Output::Record(record));
    }

    /// Q: a signal says whether another of its market follows in the same batch.
    fn announce_more(&mut self) {
        let mut followed: Vec<Market> = Vec::new();
        for output in self.out.iter_mut().rev() {
            if let Output::Record(Record::Event(event)) = output
                && event.seq.is_some()
            {
                event.more = followed.contains(&event.market) && !planted!(self, NeverMore);
                if !event.more {
                    followed.push(event.market.clone());
                }
            }
        }
    }

    /// K3: what is in the journal is known; it counts as received now (C1).
    fn restore_marks(&mut self) {
        let Self { ledger, numbers, marks, contents, .. } = self;
        let settled = ledger.gaps().iter().filter(|gap| gap.state == GapState::Unfillable);
        let disputed: Vec<FillKey> = settled.flat_map(|gap| gap.keys.iter().copied()).collect();
        for (key, time, known) in ledger.keys().iter() {
            let market = ledger.market_of(known).map_or(Number::UNKNOWN, |market| numbers.number(market));
            let state = match known.fate {
                _ if disputed.contains(&key) => State::Excluded,
                Fate::Baseline => State::Baseline,
                Fate::Signal | Fate::Filtered | Fate::NoChange | Fate::Shed => State::Out,
            };
            let mut mark = Mark::new(known.digest, known.stream, market, state, 0);
            mark.prove(known.stream, true);
            if !contents.insert(content(known.digest, time)) {
                mark.set_alike(newest_of(marks, known.digest, time));
            }
            let _ = marks.insert_or_get(key, time, || mark);
        }
    }

    fn begin_streams(&mut self, now: Instant) {
        for stream in self.ledger.streams() {
            self.feeds[stream].blind = true;
            self.feeds[stream].older_events = (baseline::LOOKS, None);
            match (self.ledger.stream(stream).baseline, self.settings.start) {
                (None, Some(start)) => self.begin_at(stream, start, now),
                (Some(at), Some(start)) if self.still_from_start(stream, at, start) => {
                    self.await_history(stream, None, now);
                }
                (Some(_), _) => self.feeds[stream].next_sweep = Some(now + self.settings.first_sweep),
                (None, None) => {}
            }
        }
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    fn instant(&self, millis: u64) -> Instant {
        self.born + Duration::from_millis(millis)
    }

    fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn held_rows(&self) -> usize {
        let before = self.feeds.iter().flat_map(|feed| &feed.before).map(|kept| kept.rows.len());
        self.held.values().map(Sequencer::len).chain(before).sum::<usize>()
            + self.twins.len()
            + self.doubted_rows()
    }
}
