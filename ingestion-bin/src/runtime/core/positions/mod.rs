//! What the venue shows of accounts' equity and positions: kept, as context of signals, and asked for where a position begins.
//!
//! Of what a socket shows at most one state per account and interval is stored, of what was asked for every one; only newer ones. Stored
//! is the venue's message (`POSITION_SNAPSHOT`), each position that is not as the last stored state had it (`POSITION_UPDATE`), and what
//! signals need of it (a `state` record).

mod asking;
mod audit;
mod notices;
mod telling;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use hyperliquid_client::decode::Row as VenueRow;
use hyperliquid_client::io::Received;
use hyperliquid_client::wire::{Address, DexState};

use super::frames::{From, Kept};
use super::{Core, Slot};
use crate::account::{ClockSource, Market, Shedding};
use crate::record::{Body, DexShown};
use crate::state::{ToldBook, VenueBook};
use crate::translate;
pub(in crate::runtime) use asking::StateAsk;
pub(super) use asking::StateAsks;
use audit::Audit;
pub(super) use telling::Telling;

/// Of one account.
#[derive(Debug)]
pub(in crate::runtime) struct Positions {
    /// As journaled.
    pub(super) book: VenueBook,
    /// When a state of a socket was last stored.
    kept: Option<Instant>,
    audit: Audit,
    pub(super) telling: Telling,
}

impl Positions {
    pub(super) fn new(book: VenueBook, told: ToldBook, now: Instant) -> Self {
        Self { book, kept: None, audit: Audit::default(), telling: Telling::new(told, now) }
    }

    /// Whether a state is worth storing: of the many dexes that an account never used nothing is kept but the main one's equity.
    fn is_wanted(&self, state: &DexState<'_>) -> bool {
        let known = self.book.dex(&state.dex);
        let is_newer = known.is_none_or(|known| known.time.unsigned_abs() < state.state.time);
        let shows = state.dex.is_empty()
            || !state.state.asset_positions.is_empty()
            || known.is_some_and(|known| !known.held.is_empty());
        is_newer && shows
    }
}

impl Core {
    /// A socket shows an account's states.
    pub(super) fn states(
        &mut self,
        from: From,
        user: Address,
        states: &[VenueRow<'_, DexState<'_>>],
        at: Received,
    ) {
        let account = *user.as_bytes();
        let interval = self.config.state_interval.unwrap_or(Duration::MAX);
        let blocked = self.outbox.is_blocked();
        let store = self.slots.get_mut(&account).filter(|slot| slot.leaving.is_none()).is_some_and(|slot| {
            let kept = slot.positions.kept;
            let due = kept.is_none_or(|kept| at.at.saturating_duration_since(kept) >= interval);
            if due && !blocked {
                slot.positions.kept = Some(at.at);
            }
            due && !blocked
        });
        let look = self.slots.get_mut(&account).is_some_and(|slot| slot.positions.audit.is_due(at.at));
        let (mut newest, mut seen) = (None, Vec::new());
        for state in states {
            match state {
                Ok(state) => {
                    newest = newest.max(i64::try_from(state.state.time).ok());
                    if store || look {
                        seen.extend(self.take_state(from, account, state, store, at));
                    }
                }
                Err(refusal) => self.refuse_row(from, Some(account), refusal, at),
            }
        }
        self.audit(account, &seen, at.at);
        self.heard(account, newest, at.at);
        if let Some(time) = newest {
            self.handle_shown_time(ClockSource::Listener(from.label()), time, at.at);
        }
    }

    /// Something live came of an account; its venue time where it has one.
    pub(super) fn heard(&mut self, account: [u8; 20], time: Option<i64>, now: Instant) {
        if let Some(slot) = self.slots.get_mut(&account) {
            slot.positions.telling.heard(time, now);
        }
    }

    /// Reads a state, and stores it where that is wanted.
    fn take_state(
        &mut self,
        from: From,
        account: [u8; 20],
        state: &DexState<'_>,
        store: bool,
        at: Received,
    ) -> Option<DexShown> {
        match translate::dex_shown(state) {
            Ok(shown) => {
                if store {
                    self.store_state(from, account, state, &shown, at);
                }
                Some(shown)
            }
            Err(error) => {
                let (reason, detail) = (error.reason().as_str(), error.to_string());
                self.refuse(from, Some(account), "normalize", reason, &detail, state.raw, at);
                None
            }
        }
    }

    fn store_state(
        &mut self,
        from: From,
        account: [u8; 20],
        state: &DexState<'_>,
        shown: &DexShown,
        at: Received,
    ) {
        let wanted =
            |slot: &&Slot| slot.positions.is_wanted(state) && slot.machine.shedding() < Shedding::Rows;
        let Some(slot) = self.slots.get(&account).filter(wanted) else { return };
        let changed = slot.positions.book.dex(&shown.dex).map(|before| changed(before, shown));
        let kept = |event_type, market: Option<&Market>| Kept {
            event_type,
            disposition: "stored",
            account: Some(account),
            market: market.map(|market| market.as_str().to_owned()),
            source_event_id: Some(translate::position_key(state)),
            time: Some(shown.time),
        };
        self.keep(from, kept("POSITION_SNAPSHOT", None), state.raw, at);
        for market in changed.iter().flatten() {
            let place = shown.held.iter().position(|held| held.market == *market);
            // One that is flat now is not in the state: that is what says so.
            let entry = place.and_then(|place| state.entries().nth(place)).unwrap_or(state.raw);
            self.keep(from, kept("POSITION_UPDATE", Some(market)), entry, at);
        }
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let stamp = slot.stamp(&self.config.network, Self::now_ms());
        self.outbox.put(&Body::State { stamp, shown: Cow::Borrowed(shown) });
        slot.positions.book.keep(shown);
        let first = || shown.held.iter().map(|held| held.market.clone()).collect();
        self.owe_of_dex(account, &changed.unwrap_or_else(first));
    }
}

/// Markets whose position is not as it was.
fn changed(before: &DexShown, now: &DexShown) -> Vec<Market> {
    let as_before = |held| before.held.contains(held);
    let new = now.held.iter().filter(|held| !as_before(held)).map(|held| held.market.clone());
    let is_gone = |market: &Market| !now.held.iter().any(|held| held.market == *market);
    let gone = before.held.iter().map(|held| held.market.clone()).filter(|market| is_gone(market));
    new.chain(gone).collect()
}
