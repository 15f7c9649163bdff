//! When consumers are told where an account stands (`state.v1`); what they are told is in `notices`.
//!
//! Every open position once the account's baseline is made; a change at once, but each key at most once a second (the last value waits
//! for its second and is never lost); when a gap ends; when the venue contradicts the chain; and again as it is every 60 s for the
//! influencer, every 10 min for an open position. A restart tells every key it knows of, in its own epoch. No signal waits for any of it.
//!
//! Own durations on `now`. Which keys there are is folded from the journal (`state::ToldBook`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use signal_domain::StateReason;

use crate::account::{Coverage, Event, Fate, Gap, GapState, Market, Position};
use crate::record::Arrival;
use crate::state::{ToldBook, dex_of};

/// Between two records of one key.
pub(super) const KEY_EVERY: Duration = Duration::from_secs(1);
/// An influencer's key is told again.
pub(super) const INFLUENCER_BEAT: Duration = Duration::from_secs(60);
/// That of an open position is.
pub(super) const MARKET_BEAT: Duration = Duration::from_secs(600);
/// One key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    /// By this run.
    pub(super) told: Option<Instant>,
    /// Why it is to be told again.
    pub(super) pending: Option<StateReason>,
}

/// Of one account.
#[derive(Debug)]
pub(in crate::runtime::core) struct Telling {
    pub(in crate::runtime::core) book: ToldBook,
    born: Instant,
    pub(super) influencer: Key,
    pub(super) markets: BTreeMap<Market, Key>,
    /// Every key is to be told.
    pub(super) all: Option<StateReason>,
    /// The venue contradicts the chain: what it says, and since which venue time, ms.
    pub(super) disputed: BTreeMap<Market, (Position, i64)>,
    /// The last signal of each market in this run.
    pub(super) last: BTreeMap<Market, Event<Arrival>>,
    pub(super) coverage: Option<Coverage>,
    /// When anything of the account was heard last, and up to which venue time, ms.
    pub(super) heard: Instant,
    pub(super) live_to: Option<i64>,
    /// When something is to be told.
    pub(super) due: Option<Instant>,
}

impl Telling {
    pub(super) fn new(book: ToldBook, now: Instant) -> Self {
        let disputed =
            book.markets().filter_map(|market| Some((market.clone(), book.market(market)?.disputed?)));
        Self {
            born: now,
            influencer: Key { told: None, pending: Some(StateReason::Heartbeat) },
            markets: BTreeMap::new(),
            all: Some(StateReason::Heartbeat),
            disputed: disputed.collect(),
            last: BTreeMap::new(),
            coverage: None,
            heard: now,
            live_to: None,
            due: Some(now),
            book,
        }
    }

    /// A live frame came; its venue time where it has one.
    pub(super) fn heard(&mut self, time: Option<i64>, now: Instant) {
        self.heard = now;
        self.live_to = self.live_to.max(time);
    }

    /// An event went out.
    pub(in crate::runtime::core) fn event(&mut self, event: &Event<Arrival>) {
        if event.seq.is_some() {
            self.last.insert(event.market.clone(), event.clone());
        }
        if !event.late {
            self.book.moved(&event.market);
            self.disputed.remove(&event.market);
            // What was before the baseline is told with it.
            if event.fate != Fate::Baseline && dex_of(&event.market).is_some() {
                self.owe(&event.market, StateReason::Change);
            }
        }
    }

    /// A gap changed.
    pub(in crate::runtime::core) fn gap(&mut self, gap: &Gap) {
        self.owe_influencer();
        if gap.state == GapState::Opened {
            return;
        }
        match &gap.id.market {
            Some(market) if self.book.market(market).is_some() => {
                self.owe(&market.clone(), StateReason::Resync);
            }
            Some(_) => {}
            None => self.owe_all(StateReason::Resync),
        }
    }

    /// The account's baseline is made.
    pub(in crate::runtime::core) fn based(&mut self) {
        self.owe_all(StateReason::Baseline);
    }

    /// How well it is listened to now.
    pub(in crate::runtime::core) fn covered(&mut self, coverage: Coverage) {
        if self.coverage.is_some_and(|told| told != coverage) {
            self.owe_influencer();
        }
    }

    /// The venue contradicts the chain.
    pub(super) fn dispute(&mut self, market: &Market, size: Position, time: i64) {
        self.disputed.insert(market.clone(), (size, time));
        self.owe(market, StateReason::Resync);
    }

    /// The venue agrees with the chain again; true where it did not.
    pub(super) fn agree(&mut self, market: &Market) -> bool {
        let was = self.disputed.remove(market).is_some();
        if was {
            self.owe(market, StateReason::Resync);
        }
        was
    }

    /// Markets in which the venue contradicts the chain.
    pub(in crate::runtime::core) fn disputed(&self) -> impl Iterator<Item = &Market> {
        self.disputed.keys()
    }

    /// What was said against the chain of a market.
    pub(super) fn said_against(&self, market: &Market) -> Option<Position> {
        self.disputed.get(market).map(|(size, _)| *size)
    }

    pub(super) fn owe(&mut self, market: &Market, reason: StateReason) {
        let key = self.markets.entry(market.clone()).or_default();
        // That it changed says more than that it was looked at again.
        if reason == StateReason::Change
            || key.pending.is_none_or(|pending| pending == StateReason::Heartbeat)
        {
            key.pending = Some(reason);
        }
        self.due = earlier(self.due, key.told.map_or(self.born, |told| told + KEY_EVERY));
    }

    pub(super) fn owe_influencer(&mut self) {
        self.influencer.pending = Some(StateReason::Change);
        let at = self.influencer.told.map_or(self.born, |told| told + KEY_EVERY);
        self.due = earlier(self.due, at);
    }

    pub(super) fn owe_all(&mut self, reason: StateReason) {
        self.all = Some(reason);
        self.due = earlier(self.due, self.born);
    }

    /// Keys of markets that are told again: something is to be said, or a position was open.
    pub(super) fn to_tell(&self) -> impl Iterator<Item = (&Market, &Key)> {
        let is_open = |market: &Market| self.book.market(market).is_some_and(|told| !told.size.0.is_zero());
        self.markets.iter().filter(move |(market, key)| key.pending.is_some() || is_open(market))
    }

    /// The next time at which a key is due; before the baseline none of a market is.
    pub(super) fn next(&self, based: bool) -> Option<Instant> {
        let of = |key: &Key, beat: Duration| match (key.pending, key.told) {
            (Some(_), told) => Some(told.map_or(self.born, |told| told + KEY_EVERY)),
            (None, told) => told.map(|told| told + beat),
        };
        let markets = self.to_tell().filter(|_| based);
        markets.filter_map(|(_, key)| of(key, MARKET_BEAT)).chain(of(&self.influencer, INFLUENCER_BEAT)).min()
    }
}

fn earlier(due: Option<Instant>, at: Instant) -> Option<Instant> {
    Some(due.map_or(at, |due| due.min(at)))
}
