//! Who is followed: accounts added, changed and removed while others run.

use std::time::Instant;

use hyperliquid_client::io::Control;
use hyperliquid_client::wire::Subscription;

use signal_domain::{Account, InfluencerId};

use super::{Core, Followed, Known, Slot};
use crate::account::{Cause, Ledger, Machine, Settings, Stream};
use crate::runtime::events::{InfluencerAdded, InfluencerRemoved};
use crate::state::GapBook;
use crate::translate::Interest;

impl Core {
    /// Follows an account from now on. At a start `cause` says so; later it was added.
    pub(in crate::runtime) fn follow(&mut self, followed: Followed, cause: Cause, now: Instant) {
        let account = *followed.account.as_bytes();
        self.config.epoch += u64::from(cause == Cause::Added);
        self.asks.retain(|asked| asked.account != account);
        let known = match self.slots.remove(&account) {
            Some(slot) => Some(Known::of(slot)),
            None => self.known.remove(&account),
        };
        let Known { ledger, gaps, .. } = known.unwrap_or_else(|| Known {
            influencer: followed.influencer.to_string(),
            ledger: Ledger::new(&self.config.settings),
            gaps: GapBook::default(),
        });
        let epoch = self.config.epoch.max(ledger.epoch() + 1);
        self.telemetry.emit(&InfluencerAdded { followed: &followed });
        // The journal never saw the account's removal, so a baseline it lacks was never made in it.
        let since = followed.added_at_ms.filter(|at| *at < self.config.journal_began_ms);
        let since = since.filter(|_| cause == Cause::Start && !ledger.is_removed());
        let settings = Settings { start: followed.start, ..self.config.settings.clone() };
        let mut machine = Machine::new(settings, ledger, cause, epoch, now);
        if self.config.damaged && cause == Cause::Start {
            machine.handle_damage(now);
        }
        if let Some(since) =
            since.and_then(|at| i64::try_from(at).ok()).filter(|_| !is_based(machine.ledger()))
        {
            machine.handle_no_state(since);
        }
        let slot = Slot::new(followed, machine, gaps);
        let subscriptions = slot.subscriptions(self.config.twap, self.config.state_interval.is_some());
        self.slots.insert(account, slot);
        let connected: Vec<usize> = self.connected.keys().copied().collect();
        for (number, control) in self.controls.iter().enumerate() {
            for subscription in &subscriptions {
                if cause == Cause::Added {
                    // A fresh snapshot comes only with a fresh subscription.
                    control.unsubscribe(subscription);
                }
                control.subscribe(subscription.clone());
            }
            if connected.contains(&number)
                && let Some(slot) = self.slots.get_mut(&account)
            {
                slot.machine.handle_listener_up(number, now);
            }
        }
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
            let interest = Interest::default();
            let followed =
                Followed { account, influencer, interest, priority: 0, added_at_ms: None, start: None };
            let newest = Stream::ALL.iter().filter_map(|stream| known.ledger.stream(*stream).newest).max();
            let epoch = self.config.epoch.max(known.ledger.epoch() + 1);
            let machine = Machine::new(self.config.settings.clone(), known.ledger, Cause::Start, epoch, now);
            self.slots.insert(*account.as_bytes(), Slot::new(followed, machine, known.gaps));
            self.with_slot(*account.as_bytes(), |slot| {
                slot.machine.handle_removed(newest.unwrap_or(i64::MIN), now);
            });
            if let Some(slot) = self.slots.remove(account.as_bytes()) {
                self.telemetry.emit(&InfluencerRemoved { influencer: &slot.followed.influencer });
                self.known.insert(*account.as_bytes(), Known::of(slot));
            }
            self.asks.retain(|asked| asked.account != *account.as_bytes());
        }
        self.flush();
    }

    /// Changes what of an account makes signals, or its name or priority; its numbers go on.
    pub(in crate::runtime) fn change(&mut self, followed: Followed) {
        if let Some(slot) = self.slots.get_mut(followed.account.as_bytes()) {
            slot.refollow(followed);
        }
    }

    /// Makes no more signals of an account; it stays subscribed for the grace.
    pub(in crate::runtime) fn unfollow(&mut self, account: [u8; 20], now: Instant) {
        let grace = self.config.removal_grace;
        let until = self.venue_time.unwrap_or(i64::MIN);
        let removed = self.with_slot(account, |slot| {
            slot.machine.handle_removed(slot.newest.unwrap_or(until).max(until), now);
            slot.leaving = Some(now + grace);
            slot.followed.clone()
        });
        if let Some(followed) = removed {
            self.telemetry.emit(&InfluencerRemoved { influencer: &followed.influencer });
        }
        self.timer.notify_one();
        self.flush();
    }

    pub(super) fn end_graces(&mut self, now: Instant) {
        let over = |slot: &Slot| slot.leaving.is_some_and(|until| until <= now);
        let gone: Vec<[u8; 20]> =
            self.slots.iter().filter(|(_, slot)| over(slot)).map(|(account, _)| *account).collect();
        for account in gone {
            if let Some(slot) = self.slots.remove(&account) {
                self.asks.retain(|asked| asked.account != account);
                for subscription in slot.subscriptions(self.config.twap, self.config.state_interval.is_some())
                {
                    self.controls.iter().for_each(|control| control.unsubscribe(&subscription));
                }
                let known = Known::of(slot);
                self.known.insert(account, known);
            }
        }
    }

    /// A listener's socket is open: it carries every account.
    pub(in crate::runtime) fn listener_up(&mut self, listener: usize, now: Instant) -> u64 {
        let connection = self.next_connection.get() + 1;
        self.next_connection.set(connection);
        self.connected.insert(listener, connection);
        self.for_all(|slot| slot.machine.handle_listener_up(listener, now));
        connection
    }

    /// A listener's socket is gone.
    pub(in crate::runtime) fn listener_down(&mut self, listener: usize, now: Instant) {
        self.is_replaced(listener);
        if self.connected.remove(&listener).is_some() {
            self.for_all(|slot| slot.machine.handle_listener_down(listener, now));
        }
    }

    /// How many listeners are connected.
    pub(in crate::runtime) fn connected(&self) -> usize {
        self.connected.len()
    }

    /// The venue refuses a subscription of an account on a listener, and says why.
    pub(in crate::runtime) fn refuse_subscription(
        &mut self,
        listener: usize,
        subscription: &Subscription,
        text: &str,
    ) {
        if let Some(slot) = subscription.user().and_then(|user| self.slots.get_mut(user.as_bytes())) {
            slot.refused.insert((listener, subscription.to_json()), text.to_owned());
        }
    }

    /// The venue serves it; true where it was refused before.
    pub(in crate::runtime) fn serve_subscription(
        &mut self,
        listener: usize,
        subscription: &Subscription,
    ) -> bool {
        let slot = subscription.user().and_then(|user| self.slots.get_mut(user.as_bytes()));
        slot.is_some_and(|slot| slot.refused.remove(&(listener, subscription.to_json())).is_some())
    }

    /// Everything every account wants, for a new listener.
    pub(in crate::runtime) fn subscribe_all(&self, control: &Control) {
        // Where the venue's slots are short, the first asked for are served: as `check` says, by priority, then by name.
        let mut slots: Vec<&Slot> = self.slots.values().collect();
        slots.sort_by(|a, b| {
            let rank = |slot: &Slot| std::cmp::Reverse(slot.followed.priority);
            rank(a)
                .cmp(&rank(b))
                .then_with(|| a.followed.influencer.as_str().cmp(b.followed.influencer.as_str()))
        });
        for slot in slots {
            for subscription in slot.subscriptions(self.config.twap, self.config.state_interval.is_some()) {
                control.subscribe(subscription);
            }
        }
    }

    fn for_all(&mut self, mut run: impl FnMut(&mut Slot)) {
        let accounts: Vec<[u8; 20]> = self.slots.keys().copied().collect();
        for account in accounts {
            self.with_slot(account, &mut run);
        }
        self.flush();
    }
}

/// Whether every stream's beginning is known.
fn is_based(ledger: &Ledger) -> bool {
    ledger.streams().all(|stream| ledger.stream(stream).baseline.is_some())
}
