//! When consumers are told where an account stands (`state.v1`), and what.
//!
//! Every open position once the account's baseline is made; a change at once, but each key at most once a second (the last value waits
//! for its second and is never lost); when a gap ends; when the venue contradicts the chain; and again as it is every 60 s for the
//! influencer, every 10 min for an open position. A restart tells every key it knows of, in its own epoch. No signal waits for any of it.
//!
//! Own durations on `now`. Which keys there are is folded from the journal (`state::ToldBook`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use signal_domain::{StateReason, StateSource};

use super::super::{Core, Slot};
use crate::account::{Coverage, Event, Fate, Gap, GapState, Ledger, Market, Position};
use crate::record::{Arrival, Body, InfluencerNotice, MarketNotice, Notice, event_body};
use crate::render::EventReader;
use crate::state::{ToldBook, VenueBook, dex_of};

/// Between two records of one key.
const KEY_EVERY: Duration = Duration::from_secs(1);
/// An influencer's key is told again.
const INFLUENCER_BEAT: Duration = Duration::from_secs(60);
/// That of an open position is.
const MARKET_BEAT: Duration = Duration::from_secs(600);
/// Listened to, and nothing was heard of the account for so long.
const STALE_AFTER: Duration = Duration::from_secs(120);

/// One key.
#[derive(Clone, Copy, Debug, Default)]
struct Key {
    /// By this run.
    told: Option<Instant>,
    /// Why it is to be told again.
    pending: Option<StateReason>,
}

/// Of one account.
#[derive(Debug)]
pub(in crate::runtime::core) struct Telling {
    pub(in crate::runtime::core) book: ToldBook,
    born: Instant,
    influencer: Key,
    markets: BTreeMap<Market, Key>,
    /// Every key is to be told.
    all: Option<StateReason>,
    /// The venue contradicts the chain: what it says, and since which venue time, ms.
    disputed: BTreeMap<Market, (Position, i64)>,
    /// The last signal of each market in this run.
    last: BTreeMap<Market, Event<Arrival>>,
    coverage: Option<Coverage>,
    /// When anything of the account was heard last, and up to which venue time, ms.
    heard: Instant,
    live_to: Option<i64>,
    /// When something is to be told.
    due: Option<Instant>,
}

/// Where an account stands in a market.
struct Standing {
    size: Position,
    source: StateSource,
    as_of: i64,
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

    fn owe(&mut self, market: &Market, reason: StateReason) {
        let key = self.markets.entry(market.clone()).or_default();
        // That it changed says more than that it was looked at again.
        if reason == StateReason::Change
            || key.pending.is_none_or(|pending| pending == StateReason::Heartbeat)
        {
            key.pending = Some(reason);
        }
        self.due = earlier(self.due, key.told.map_or(self.born, |told| told + KEY_EVERY));
    }

    fn owe_influencer(&mut self) {
        self.influencer.pending = Some(StateReason::Change);
        let at = self.influencer.told.map_or(self.born, |told| told + KEY_EVERY);
        self.due = earlier(self.due, at);
    }

    fn owe_all(&mut self, reason: StateReason) {
        self.all = Some(reason);
        self.due = earlier(self.due, self.born);
    }

    /// The next time at which a key is due; before the baseline none of a market is.
    fn next(&self, based: bool) -> Option<Instant> {
        let of = |key: &Key, beat: Duration| match (key.pending, key.told) {
            (Some(_), told) => Some(told.map_or(self.born, |told| told + KEY_EVERY)),
            (None, told) => told.map(|told| told + beat),
        };
        let is_open = |market: &Market| self.book.market(market).is_some_and(|told| !told.size.0.is_zero());
        let is_due = |(market, key): &(&Market, &Key)| based && (key.pending.is_some() || is_open(market));
        let markets = self.markets.iter().filter(is_due);
        markets.filter_map(|(_, key)| of(key, MARKET_BEAT)).chain(of(&self.influencer, INFLUENCER_BEAT)).min()
    }
}

fn earlier(due: Option<Instant>, at: Instant) -> Option<Instant> {
    Some(due.map_or(at, |due| due.min(at)))
}

impl Slot {
    /// When something of its state is to be told.
    pub(in crate::runtime::core) fn telling_due(&self) -> Option<Instant> {
        self.positions.telling.due.filter(|_| self.leaving.is_none())
    }

    /// Everything whose time has come; what is said is taken as told.
    fn notices(&mut self, venue_time: Option<i64>, at_ms: u64, now: Instant) -> Vec<Notice<'static>> {
        let mut notices = Vec::new();
        if self.is_due(self.positions.telling.influencer, INFLUENCER_BEAT, now) {
            notices.push(Notice::Influencer(self.influencer_notice(venue_time, at_ms, now)));
            let telling = &mut self.positions.telling;
            telling.influencer = Key { told: Some(now), pending: None };
            telling.coverage = Some(self.machine.coverage());
        }
        // Nothing is known before the baseline.
        let based = self.machine.ledger().certified().is_some();
        if based {
            self.owe_every_key();
            let due: Vec<(Market, StateReason)> = self.due_markets(now);
            for (market, reason) in due {
                if let Some(notice) = self.market_notice(&market, reason) {
                    notices.push(Notice::Market(notice));
                }
                let key = self.positions.telling.markets.entry(market).or_default();
                *key = Key { told: Some(now), pending: None };
            }
        }
        for notice in &notices {
            self.positions.telling.book.keep(notice);
        }
        self.positions.telling.due = self.positions.telling.next(based);
        notices
    }

    fn is_due(&self, key: Key, beat: Duration, now: Instant) -> bool {
        let wait = if key.pending.is_some() { KEY_EVERY } else { beat };
        key.told.is_none_or(|told| told + wait <= now)
    }

    fn due_markets(&self, now: Instant) -> Vec<(Market, StateReason)> {
        let telling = &self.positions.telling;
        let is_open =
            |market: &Market| telling.book.market(market).is_some_and(|told| !told.size.0.is_zero());
        let markets = telling.markets.iter();
        let due = markets.filter(|(market, key)| {
            (key.pending.is_some() || is_open(market)) && self.is_due(**key, MARKET_BEAT, now)
        });
        due.map(|(market, key)| (market.clone(), key.pending.unwrap_or(StateReason::Heartbeat))).collect()
    }

    /// Of every position that is open, and every key that was told, something is to be told.
    fn owe_every_key(&mut self) {
        let Some(reason) = self.positions.telling.all.take() else { return };
        let telling = &self.positions.telling;
        let heads = self.machine.ledger().markets().filter(|(_, chain)| {
            chain.head().and_then(|head| head.position).is_some_and(|position| !position.0.is_zero())
        });
        let perps = heads.map(|(market, _)| market).filter(|market| dex_of(market).is_some());
        let every: Vec<Market> =
            telling.book.markets().chain(perps).chain(self.positions.book.markets()).cloned().collect();
        for market in every {
            self.positions.telling.owe(&market, reason);
        }
    }

    fn market_notice(&self, market: &Market, reason: StateReason) -> Option<MarketNotice<'static>> {
        let telling = &self.positions.telling;
        let standing = self.standing(market)?;
        let told = telling.book.market(market);
        // It changed while nobody could tell.
        let untold = reason == StateReason::Heartbeat
            && told.map(|told| told.size).unwrap_or_default() != standing.size;
        let reason = if untold { StateReason::Change } else { reason };
        if told.is_none() && standing.size.0.is_zero() && reason != StateReason::Change {
            return None;
        }
        let held = self.positions.book.held(market);
        // Of this very position.
        let entry = held.filter(|held| held.size == standing.size).and_then(|held| held.entry_price.clone());
        let still = reason != StateReason::Change && standing.source == StateSource::Chain;
        Some(MarketNotice {
            market: market.clone(),
            size: standing.size,
            entry_price: entry.map(Into::into),
            leverage: held.and_then(|held| held.leverage),
            margin_mode: held.and_then(|held| held.margin_mode.clone()).map(Into::into),
            source: standing.source.as_str().into(),
            reason: reason.as_str().into(),
            last_seq: self.machine.ledger().seq(market),
            last_signal: self.last_signal(market),
            as_of: if still {
                telling.live_to.map_or(standing.as_of, |to| to.max(standing.as_of))
            } else {
                standing.as_of
            },
        })
    }

    fn standing(&self, market: &Market) -> Option<Standing> {
        if let Some((size, as_of)) = self.positions.telling.disputed.get(market) {
            return Some(Standing { size: *size, source: StateSource::Venue, as_of: *as_of });
        }
        let (size, as_of, source) = known_position(self.machine.ledger(), &self.positions.book, market)?;
        Some(Standing { size, source, as_of })
    }

    /// The id is worked out only where it is told.
    fn last_signal(&self, market: &Market) -> Option<[u8; 16]> {
        let event = self.positions.telling.last.get(market)?;
        let stamp = self.stamp("sim", 0);
        let signal = EventReader::default().signal(&stamp, &event_body(event, None)).ok()??;
        Some(*signal.signal_id().as_bytes())
    }

    fn influencer_notice(
        &self,
        venue_time: Option<i64>,
        at_ms: u64,
        now: Instant,
    ) -> InfluencerNotice<'static> {
        let (summary, telling) = (self.machine.summary(), &self.positions.telling);
        let silent = now.saturating_duration_since(telling.heard) >= STALE_AFTER;
        let coverage = match summary.coverage {
            Coverage::Blind => signal_domain::Coverage::Blind,
            Coverage::Full | Coverage::Single if silent => signal_domain::Coverage::Stale,
            Coverage::Single => signal_domain::Coverage::Single,
            Coverage::Full => signal_domain::Coverage::Full,
        };
        InfluencerNotice {
            coverage: coverage.as_str().into(),
            live_to: telling.live_to,
            certified_to: summary.certified.filter(|time| *time > 0),
            open_gaps: summary.open_gaps as u64,
            account_value: self.positions.book.account_value(),
            as_of: venue_time.unwrap_or_else(|| i64::try_from(at_ms).unwrap_or(i64::MAX)),
        }
    }
}

/// Where an account stands in a market as far as is known: its chain says so, or the venue's newest state where there is no chain.
pub(super) fn known_position(
    ledger: &Ledger,
    venue: &VenueBook,
    market: &Market,
) -> Option<(Position, i64, StateSource)> {
    let head = ledger.head(market).and_then(|head| Some((head.position?, head.time, StateSource::Chain)));
    head.or_else(|| {
        let dex = venue.dex(dex_of(market)?)?;
        let size = venue.held(market).map_or_else(Position::default, |held| held.size);
        Some((size, dex.time, StateSource::Venue))
    })
}

impl Core {
    /// Tells everything whose time has come.
    pub(in crate::runtime::core) fn tell_states(&mut self, now: Instant) {
        let due = |slot: &Slot| slot.telling_due().is_some_and(|at| at <= now);
        let accounts: Vec<[u8; 20]> =
            self.slots.iter().filter(|(_, slot)| due(slot)).map(|(account, _)| *account).collect();
        for account in accounts {
            self.tell_state(account, now);
        }
    }

    fn tell_state(&mut self, account: [u8; 20], now: Instant) {
        let blocked = self.outbox.is_blocked();
        let (at_ms, venue_time) = (Self::now_ms(), self.venue_time);
        let Some(slot) = self.slots.get_mut(&account) else { return };
        if blocked {
            // There is no room: nothing new is added.
            slot.positions.telling.due = Some(now + KEY_EVERY);
            return;
        }
        let notices = slot.notices(venue_time, at_ms, now);
        let stamp = slot.stamp(&self.config.network, at_ms);
        for notice in notices {
            self.outbox.put(&Body::Notice { stamp, notice });
        }
    }

    /// The venue's newest state was stored: where there is no chain it says where the account stands.
    pub(super) fn owe_of_dex(&mut self, account: [u8; 20], markets: &[Market]) {
        let Some(slot) = self.slots.get_mut(&account) else { return };
        for market in markets {
            let known = known_position(slot.machine.ledger(), &slot.positions.book, market);
            let Some((size, _, StateSource::Venue)) = known else { continue };
            let telling = &mut slot.positions.telling;
            match telling.book.market(market) {
                None if size.0.is_zero() => {}
                None => telling.owe(market, StateReason::Baseline),
                Some(told) if told.size == size => {}
                Some(_) => telling.owe(market, StateReason::Change),
            }
        }
    }

    /// Ends every key of an account: it is followed no longer, or under another name.
    pub(in crate::runtime::core) fn end_states(&mut self, account: [u8; 20]) {
        let at_ms = Self::now_ms();
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let ends = slot.positions.telling.book.ends();
        for notice in &ends {
            slot.positions.telling.book.keep(notice);
        }
        slot.positions.telling.owe_all(StateReason::Baseline);
        slot.positions.telling.owe_influencer();
        let stamp = slot.stamp(&self.config.network, at_ms);
        for notice in ends {
            self.outbox.put(&Body::Notice { stamp, notice });
        }
    }
}
