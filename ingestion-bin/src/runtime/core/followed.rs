//! Who is followed: accounts added, changed and removed while others run.

use std::time::Instant;

use hyperliquid_client::session::Refusal;
use hyperliquid_client::wire::Subscription;

use signal_domain::{Account, InfluencerId};

use super::learned::Hit;
use super::positions::Positions;
use super::{Core, Followed, Known, Slot};
use crate::account::{Cause, Ledger, Machine, Settings, Stream};
use crate::runtime::events::{InfluencerAdded, InfluencerChanged, InfluencerRemoved, StartChanged};
use crate::state::{GapBook, ToldBook, VenueBook};

impl Core {
    /// Follows an account from now on. At a start `cause` says so; later it was added.
    pub(in crate::runtime) fn follow(&mut self, followed: Followed, cause: Cause, now: Instant) {
        let account = *followed.account.as_bytes();
        self.config.epoch += u64::from(cause == Cause::Added);
        self.asks.retain(|asked| asked.account != account);
        // A fresh snapshot comes only with a fresh subscription; the connections stay.
        self.unseat_but(account, None, now);
        let slot = self.slots.remove(&account);
        let cell = slot.as_ref().and_then(|slot| slot.cell);
        let known = slot.map(Known::of).or_else(|| self.known.remove(&account));
        let Known { ledger, gaps, venue, told, .. } = known.unwrap_or_else(|| Known {
            influencer: followed.influencer.to_string(),
            ledger: Ledger::new(&self.config.settings),
            gaps: GapBook::default(),
            venue: VenueBook::default(),
            told: ToldBook::default(),
        });
        let epoch = self.config.epoch.max(ledger.epoch() + 1);
        self.telemetry.emit(&InfluencerAdded { followed: &followed });
        // The journal never saw the account's removal, so a baseline it lacks was never made in it.
        let since = followed.added_at_ms.filter(|at| *at < self.config.journal_began_ms);
        let since = since.filter(|_| cause == Cause::Start && !ledger.is_removed());
        let retry = followed.tuning.retry();
        let settings = Settings { start: followed.start, retry, ..self.config.settings.clone() };
        let mut machine = Machine::new(settings, ledger, cause, epoch, now);
        if self.config.damaged && cause == Cause::Start {
            machine.handle_damage(now);
        }
        if let Some(since) =
            since.and_then(|at| i64::try_from(at).ok()).filter(|_| !is_based(machine.ledger()))
        {
            machine.handle_no_state(since);
        }
        // Also where it is nothing: what the last process held back ends so.
        machine.handle_shedding(self.shedding_of(&followed), now);
        let slot = Slot::new(followed, machine, gaps, Positions::new(venue, told, now));
        self.slots.insert(account, Slot { cell, ..slot });
        self.ask_for_plan();
        self.drain(account);
        self.flush();
    }

    /// Declares what nobody listened to: accounts that the journal follows and the list does not name any more. Their removal
    /// was not seen happening, so it happened when they were last heard of.
    pub(in crate::runtime) fn declare_absent(&mut self, now: Instant) {
        let absent: Vec<[u8; 20]> = self
            .known
            .iter()
            .filter(|(_, known)| known.ledger.epoch() > 0 && !known.ledger.is_removed())
            .map(|(account, _)| *account)
            .collect();
        for account in absent {
            let Some(known) = self.known.remove(&account) else { continue };
            let account = Account::from_bytes(account);
            let influencer = InfluencerId::parse(&known.influencer).unwrap_or_else(|_| account.into());
            let followed = Followed { influencer, ..Followed::by_address(account) };
            let newest = Stream::ALL.iter().filter_map(|stream| known.ledger.stream(*stream).newest).max();
            let epoch = self.config.epoch.max(known.ledger.epoch() + 1);
            let machine = Machine::new(self.config.settings.clone(), known.ledger, Cause::Start, epoch, now);
            let positions = Positions::new(known.venue, known.told, now);
            self.slots.insert(*account.as_bytes(), Slot::new(followed, machine, known.gaps, positions));
            self.with_slot(*account.as_bytes(), |slot| {
                slot.machine.handle_removed(newest.unwrap_or(i64::MIN), now);
            });
            self.end_states(*account.as_bytes());
            if let Some(slot) = self.slots.remove(account.as_bytes()) {
                self.telemetry.emit(&InfluencerRemoved { influencer: &slot.followed.influencer });
                self.known.insert(*account.as_bytes(), Known::of(slot));
            }
            self.asks.retain(|asked| asked.account != *account.as_bytes());
        }
        self.flush();
    }

    /// Changes what of an account makes signals, what it may take, or its name or priority; its numbers go on, and no other account is
    /// touched. Its start stays as it is.
    pub(in crate::runtime) fn change(&mut self, mut followed: Followed, now: Instant) {
        let account = *followed.account.as_bytes();
        let priority = followed.priority;
        if self.slots.get(&account).is_some_and(|slot| slot.followed.influencer != followed.influencer) {
            self.end_states(account);
        }
        let Some(slot) = self.slots.get_mut(&account) else { return };
        followed.start = slot.followed.start;
        if let Some(fields) = followed.listed.as_object_mut() {
            match slot.followed.listed.get("start") {
                Some(start) => drop(fields.insert("start".to_owned(), start.clone())),
                None => drop(fields.remove("start")),
            }
        }
        self.telemetry.emit(&InfluencerChanged { followed: &followed });
        let turns = (slot.followed.orders != followed.orders).then_some(followed.orders);
        slot.refollow(followed);
        if let Some(on) = turns {
            self.turn_orders(account, on);
        }
        self.asks
            .iter_mut()
            .filter(|asked| asked.account == account)
            .for_each(|asked| asked.priority = priority);
        self.tune(account, now);
        self.shed_as_due(account, now);
        self.unseat_surplus(account, now);
        self.ask_for_plan();
    }

    /// Where following begins was changed. An account of which nothing happened yet begins anew there, in a new epoch; of any other
    /// something may be out that would go out again, so it waits until it is removed and added.
    pub(in crate::runtime) fn change_start(&mut self, followed: Followed, now: Instant) {
        let Some(slot) = self.slots.get(followed.account.as_bytes()) else { return };
        let begins_anew = !slot.machine.ledger().has_events();
        self.telemetry.emit(&StartChanged { followed: &followed, begins_anew });
        if begins_anew {
            self.follow(followed, Cause::Added, now);
        } else {
            self.change(followed, now);
        }
    }

    /// Makes no more signals of an account; it stays subscribed for the grace.
    pub(in crate::runtime) fn unfollow(&mut self, account: [u8; 20], now: Instant) {
        let grace = self.config.removal_grace;
        let until = self.venue_time.known().unwrap_or(i64::MIN);
        let removed = self.with_slot(account, |slot| {
            slot.machine.handle_removed(slot.newest.unwrap_or(until).max(until), now);
            slot.leaving = Some(now + grace);
            slot.followed.clone()
        });
        self.end_states(account);
        if let Some(followed) = removed {
            self.telemetry.emit(&InfluencerRemoved { influencer: &followed.influencer });
        }
        self.ask_for_plan();
        self.flush();
    }

    pub(super) fn end_graces(&mut self, now: Instant) {
        let over = |slot: &Slot| slot.leaving.is_some_and(|until| until <= now);
        let gone: Vec<[u8; 20]> =
            self.slots.iter().filter(|(_, slot)| over(slot)).map(|(account, _)| *account).collect();
        for account in gone {
            self.unseat_but(account, None, now);
            if let Some(slot) = self.slots.remove(&account) {
                self.asks.retain(|asked| asked.account != account);
                self.known.insert(account, Known::of(slot));
                self.ask_for_plan();
            }
        }
    }

    /// The venue refuses a subscription of an account on a line, and says why.
    pub(in crate::runtime) fn refuse_subscription(
        &mut self,
        line: usize,
        subscription: &Subscription,
        (refusal, text): (Refusal, &str),
        now: Instant,
    ) {
        let slot = subscription.user().and_then(|user| self.slots.get_mut(user.as_bytes()));
        let hit = slot.map(|slot| {
            slot.refused.insert((line, subscription.to_json()), (refusal, text.to_owned()));
            Hit { who: slot.followed.influencer.to_string(), said: text.to_owned() }
        });
        if let Refusal::TooManyUsers { limit } = refusal {
            self.doubt_users(line, hit, limit, now);
        }
        self.rank();
    }

    /// The venue serves it; true where it was refused before.
    pub(in crate::runtime) fn serve_subscription(
        &mut self,
        line: usize,
        subscription: &Subscription,
    ) -> bool {
        let slot = subscription.user().and_then(|user| self.slots.get_mut(user.as_bytes()));
        slot.is_some_and(|slot| slot.refused.remove(&(line, subscription.to_json())).is_some())
    }
}

/// Whether every stream's beginning is known.
fn is_based(ledger: &Ledger) -> bool {
    ledger.streams().all(|stream| ledger.stream(stream).baseline.is_some())
}
