//! Accounts whose subscriptions are asked for in their own way: other waits after a refusal, a bound on how often a minute.
//!
//! Held for the accounts that were [tuned](super::Session::tune) and forgotten with their last subscription, once the minute is over that
//! it counts. What an account was subscribed before counts after a reconnect too: the bound is for reconnects that follow each other.

use super::pending::{Entry, State};
use super::refused::Patience;
use super::{Session, SessionConfig};
use crate::wire::Address;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// What is different for one account; `None` is as for all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tuning {
    /// Least wait before a refused subscription is tried again, instead of [`SessionConfig::refused_wait`].
    pub refused_wait: Option<Duration>,
    /// Longest of these waits, instead of [`SessionConfig::refused_wait_max`]; the least one where that is longer.
    pub refused_wait_max: Option<Duration>,
    /// The largest random part that is added to a wait, as a share of it, 0 to 1; 0.5 otherwise.
    pub jitter: Option<f64>,
    /// How often in any minute the account may be subscribed on this connection: all its channels together are once, a refused one tried
    /// again is once more. At least 1; no bound otherwise.
    pub subscribes_per_minute: Option<u32>,
}

/// A tuned account.
#[derive(Clone, Debug)]
pub(super) struct Tuned {
    user: Address,
    tuning: Tuning,
    /// When it was subscribed in the last minute.
    begun: VecDeque<Instant>,
}

/// The accounts that are tuned.
#[derive(Clone, Debug, Default)]
pub(super) struct Tunings(Vec<Tuned>);

impl Tunings {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn patience(&self, config: &SessionConfig, user: Option<Address>) -> Patience {
        let tuning = self.of(user).map_or_else(Tuning::default, |tuned| tuned.tuning);
        Patience::of(config, &tuning)
    }

    /// When the account may be subscribed again; `None`: now.
    pub(super) fn held_until(&self, user: Address, now: Instant) -> Option<Instant> {
        let tuned = self.of(Some(user))?;
        let most = usize::try_from(tuned.tuning.subscribes_per_minute?.max(1)).unwrap_or(usize::MAX);
        let free_at = *tuned.begun.iter().rev().nth(most - 1)? + MINUTE;
        (free_at > now).then_some(free_at)
    }

    /// The account is being subscribed.
    pub(super) fn begin(&mut self, user: Address, now: Instant) {
        if let Some(tuned) = self.0.iter_mut().find(|tuned| tuned.user == user) {
            tuned.forget_old(now);
            tuned.begun.push_back(now);
        }
    }

    fn of(&self, user: Option<Address>) -> Option<&Tuned> {
        self.0.iter().find(|tuned| Some(tuned.user) == user)
    }
}

impl Tuned {
    fn forget_old(&mut self, now: Instant) {
        while self.begun.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.begun.pop_front();
        }
    }
}

impl Session {
    /// Asks for an account's subscriptions in its own way from now on; what waits already waits as it does.
    pub fn tune(&mut self, user: Address, tuning: Tuning, now: Instant) {
        let entries = &self.entries;
        self.tunings.0.retain_mut(|tuned| {
            tuned.forget_old(now);
            let wanted = entries.iter().any(|entry| entry.subscription.user() == Some(tuned.user));
            tuned.user == user || wanted || !tuned.begun.is_empty()
        });
        match self.tunings.0.iter_mut().find(|tuned| tuned.user == user) {
            Some(tuned) => tuned.tuning = tuning,
            None => self.tunings.0.push(Tuned { user, tuning, begun: VecDeque::new() }),
        }
    }

    /// Whether sending this one would subscribe its account, of which nothing is subscribed yet.
    pub(super) fn begins(&self, entry: &Entry) -> Option<Address> {
        let user = entry.subscription.user().filter(|_| !entry.leaving)?;
        let counts = |other: &Entry| {
            !other.leaving
                && other.subscription.user() == Some(user)
                && !matches!(other.state, State::Unsent | State::Refused { .. })
        };
        (!self.entries.iter().any(counts)).then_some(user)
    }

    /// Whether an entry must wait because its account was subscribed often enough.
    pub(super) fn is_held(&self, entry: &Entry, now: Instant) -> bool {
        self.begins(entry).is_some_and(|user| self.tunings.held_until(user, now).is_some())
    }

    /// When the first of those that were not sent yet and are held may be sent.
    pub(super) fn first_unheld(&self, now: Instant) -> Option<Instant> {
        let waiting = self.entries.iter().filter(|entry| matches!(entry.state, State::Unsent));
        waiting.filter_map(|entry| self.tunings.held_until(self.begins(entry)?, now)).min()
    }
}
