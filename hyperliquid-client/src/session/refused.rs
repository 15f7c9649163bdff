//! What the venue refuses is tried again: slots linger 10 to 15 s after a drop, limits move, others leave. No state here needs
//! a reconnect to end.
//!
//! - A first retry at least [`SessionConfig::refused_wait`](super::SessionConfig) after the refusal, then ever more slowly. The random
//!   part is one for all that were refused equally often, so they keep the order in which they were asked for.
//! - The venue counts accounts, not subscriptions: one request asks for the whole account, its other subscriptions share the answer.
//! - No storm: between two retries that are refused lies [`PACE`], however many wait. One that is served is followed at once.
//! - A subscription that ended frees a slot: those who wait for one are tried after the least wait again.

use super::event::{self, Refusal, SessionEvent};
use super::pending::{Entry, State};
use super::tuning::Tuning;
use super::{Session, SessionConfig, after};
use crate::backoff::SmallRng;
use std::time::{Duration, Instant};

/// Between two retries that are refused: at most 60 messages a minute, of the venue's 2000.
pub(super) const PACE: Duration = Duration::from_secs(1);
/// After the venue said that we send too much. It counts over a minute; some of that is over after a part of it.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// The largest random part of a wait, as a share of it.
const JITTER: f64 = 0.5;

/// How long a refused subscription waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    first: Duration,
    most: Duration,
    /// The largest random part, as a share.
    jitter: f64,
    seed: u64,
}

impl Patience {
    pub(super) fn of(config: &SessionConfig, tuning: &Tuning) -> Self {
        let most = tuning.refused_wait_max.unwrap_or(config.refused_wait_max);
        // A longest wait below the common least one is meant.
        let first = tuning.refused_wait.unwrap_or_else(|| match tuning.refused_wait_max {
            Some(most) => config.refused_wait.min(most),
            None => config.refused_wait,
        });
        Self { first, most, jitter: tuning.jitter.unwrap_or(JITTER).clamp(0.0, 1.0), seed: config.seed }
    }

    /// The wait after so many refusals in a row: equal ones get an equal wait.
    fn wait(self, tries: u32) -> Duration {
        let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let plain = self.first.saturating_mul(doubled).min(self.most.max(self.first));
        let share = SmallRng::seeded(self.seed ^ u64::from(tries).rotate_left(32)).unit() * self.jitter;
        plain.saturating_add(Duration::try_from_secs_f64(plain.as_secs_f64() * share).unwrap_or_default())
    }
}

impl Entry {
    /// It was refused once more, or not answered.
    pub(super) fn wait_refused(&mut self, patience: Patience, now: Instant) {
        self.tries = self.tries.saturating_add(1);
        self.state = State::Refused { due: after(now, patience.wait(self.tries)) };
    }

    fn is_waiting_for(&self, user: Option<crate::wire::Address>) -> bool {
        let waits = matches!(self.state, State::Unsent | State::Refused { .. });
        waits && !self.leaving && self.subscription.user() == user
    }
}

impl Session {
    /// Ties an error to the entry it hit; one that hits none is reported all the same.
    pub(super) fn refuse(&mut self, at: Option<usize>, refusal: Refusal, text: &str, now: Instant) {
        let text = event::shown(text);
        let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) else {
            self.events.push_back(SessionEvent::VenueErrorUnmatched { refusal, text });
            return;
        };
        if entry.is_refused() {
            self.retry_from = Some(after(now, PACE));
        }
        let patience = self.tunings.patience(&self.config, entry.subscription.user());
        entry.wait_refused(patience, now);
        if entry.told.replace(refusal) != Some(refusal) {
            let subscription = entry.subscription.clone();
            self.events.push_back(SessionEvent::SubscriptionRefused { subscription, refusal, text });
        }
        let (user, state, tries) = (entry.subscription.user(), entry.state, entry.tries);
        if matches!(refusal, Refusal::TooManyUsers { .. }) && user.is_some() {
            for other in self.entries.iter_mut().filter(|entry| entry.is_waiting_for(user)) {
                (other.state, other.tries) = (state, tries);
            }
        }
    }

    /// An account that is served is served on every channel.
    pub(super) fn on_user_served(&mut self, user: crate::wire::Address) {
        for entry in self.entries.iter_mut().filter(|entry| entry.is_waiting_for(Some(user))) {
            entry.state = State::Unsent;
        }
    }

    /// A slot becomes free.
    pub(super) fn on_slot_freed(&mut self, now: Instant) {
        for entry in &mut self.entries {
            let patience = self.tunings.patience(&self.config, entry.subscription.user());
            let due = after(now, patience.wait(1));
            if entry.due().is_some_and(|later| due < later) {
                (entry.state, entry.tries) = (State::Refused { due }, 1);
            }
        }
    }

    /// The venue did not read some of what we sent: it is sent once more after a pause, and counts as not sent.
    pub(super) fn on_messages_refused(&mut self, limit: Option<u32>, now: Instant) {
        self.paused_until = Some(after(now, PAUSE));
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_messages_refused();
        }
        self.entries.iter_mut().for_each(Entry::send_again);
        self.events.push_back(SessionEvent::MessagesRefused { limit });
    }

    /// When the next refused one is tried; nothing while an answer is waited for, which comes first.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        let in_flight = self.entries.iter().any(Entry::is_user_in_flight);
        let waiting = self.entries.iter().filter(|entry| !in_flight || entry.subscription.user().is_none());
        // One that was tried often enough for a minute is due when that is over.
        let unheld = |entry: &Entry| {
            let due = entry.due()?;
            Some(self.begins(entry).and_then(|user| self.tunings.held_until(user, due)).unwrap_or(due))
        };
        let due = waiting.filter_map(unheld).min()?;
        [self.retry_from, self.paused_until, self.waiting_until].into_iter().flatten().chain([due]).max()
    }
}
