//! What consumers are told of where an account stands (`state.v1`), once its time has come (`telling`): its positions as its chains or the
//! venue have them, and how well it is listened to. Each is a record of the journal; no signal waits for any of it.

use std::time::{Duration, Instant};

use signal_domain::{StateReason, StateSource};

use super::super::{Core, Slot};
use super::telling::{INFLUENCER_BEAT, KEY_EVERY, Key, MARKET_BEAT};
use crate::account::{Coverage, Ledger, Market, Position};
use crate::record::{Body, InfluencerNotice, MarketNotice, Notice, event_body};
use crate::render::EventReader;
use crate::state::{VenueBook, dex_of};

/// Listened to, and nothing was heard of the account for so long.
const STALE_AFTER: Duration = Duration::from_secs(120);

/// Where an account stands in a market.
struct Standing {
    size: Position,
    source: StateSource,
    as_of: i64,
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
        let due = self.positions.telling.to_tell().filter(|(_, key)| self.is_due(**key, MARKET_BEAT, now));
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
fn known_position(
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
        let (at_ms, venue_time) = (Self::now_ms(), self.venue_time.known());
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
