//! One connection to the venue as a state machine. No socket, no clock: frames and `now` come in, texts and events go out.
//!
//! # Calling order
//!
//! After every `handle_*` or command: drain [`poll_transmit`](Session::poll_transmit), then [`poll_event`](Session::poll_event), then
//! arm a timer for [`poll_timeout`](Session::poll_timeout) and call [`handle_timeout`](Session::handle_timeout) when it is due.
//! Calling `handle_timeout` early or twice does no harm.
//!
//! ```text
//! connected ──> subscribe(a), subscribe(b) … ──> one user subscription in flight at a time ──> Subscribed | SubscriptionRefused
//!                                                          no answer: sent once more, then SubscriptionSilent (recycle)
//! SubscriptionRefused ──(15 s, then ever more slowly)──> sent again ──> Subscribed | refused as before: not told again
//! ```
//!
//! # What it keeps
//!
//! - An account's subscription waits for the answer to the one before it: the venue's "too many users" names nobody, so it can only be
//!   tied to the one that is pending.
//! - Acknowledgements are matched on the venue's normalised echo. Data may come before the acknowledgement; both are fine.
//! - What was refused is tried again by itself, slowly, for ever (`refused.rs`).
//! - A connection that is closed forgets what was acknowledged and keeps what was asked for: after `handle_connected` everything is
//!   subscribed again.
//! - Pings go first, past other messages; the message budget belongs to the caller ([`MessageBudget`]), because the venue counts all
//!   connections together.
//!
//! Bounds: one entry for each subscription asked for; events wait in a queue that `poll_event` must drain.

mod budget;
mod config;
mod event;
mod heartbeat;
mod pending;
mod refused;
mod tuning;

#[cfg(test)]
mod tests;

pub use budget::MessageBudget;
pub use config::SessionConfig;
pub use event::{CloseReason, Refusal, SessionEvent, TimeoutReason};
pub use tuning::Tuning;

use crate::decode::{AckMethod, Frame, VenueError, VenueErrorKind};
use crate::wire::{Subscription, SubscriptionEcho};
use heartbeat::Heartbeat;
use pending::{Entry, State};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tuning::Tunings;

/// The state machine of one connection; see the [module](self) for the calling order.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    /// `Some` while connected.
    heartbeat: Option<Heartbeat>,
    entries: Vec<Entry>,
    events: VecDeque<SessionEvent>,
    waiting_until: Option<Instant>,
    waiting_told: bool,
    /// The venue said that we send too much.
    paused_until: Option<Instant>,
    /// Not before then what was refused is tried again.
    retry_from: Option<Instant>,
    /// Accounts with ways of their own.
    tunings: Tunings,
    /// When the first of those may be subscribed that were often enough.
    held_until: Option<Instant>,
}

impl Session {
    /// A session that is not connected yet.
    #[must_use]
    pub const fn new(config: SessionConfig) -> Self {
        Self {
            config,
            heartbeat: None,
            entries: Vec::new(),
            events: VecDeque::new(),
            waiting_until: None,
            waiting_told: false,
            paused_until: None,
            retry_from: None,
            tunings: Tunings::new(),
            held_until: None,
        }
    }

    /// The socket is open: everything asked for is subscribed anew.
    pub fn handle_connected(&mut self, now: Instant) {
        self.heartbeat = Some(Heartbeat::started(now));
        self.entries.retain(|entry| !entry.leaving || entry.again);
        self.entries.iter_mut().for_each(Entry::forget);
        (self.waiting_until, self.waiting_told) = (None, false);
        (self.paused_until, self.retry_from, self.held_until) = (None, None, None);
    }

    /// The socket is gone. Nothing more is sent until the next `handle_connected`.
    pub fn handle_closed(&mut self, reason: CloseReason, now: Instant) {
        let Some(heartbeat) = self.heartbeat.take() else { return };
        self.entries.retain(|entry| !entry.leaving || entry.again);
        self.entries.iter_mut().for_each(Entry::forget);
        self.events.push_back(SessionEvent::Closed {
            reason,
            age: now.saturating_duration_since(heartbeat.connected_at),
        });
    }

    /// Asks for a subscription; asking twice changes nothing, but a refused one is tried again now. It is sent as soon as the connection and the budget allow.
    pub fn subscribe(&mut self, subscription: Subscription) {
        match self.entries.iter_mut().find(|entry| entry.subscription == subscription) {
            Some(entry) if entry.leaving => {
                // Ended first, then asked for anew: the venue sends a fresh snapshot only after an unsubscribe.
                entry.again = true;
            }
            Some(entry) if matches!(entry.state, State::Refused { .. }) => {
                entry.forget();
                entry.told = None;
            }
            Some(_) => {}
            None => self.entries.push(Entry::new(subscription)),
        }
    }

    /// Ends a subscription. On a closed connection it is forgotten at once, without an event.
    pub fn unsubscribe(&mut self, subscription: &Subscription) {
        let connected = self.heartbeat.is_some();
        self.entries.retain_mut(|entry| {
            if entry.subscription != *subscription {
                return true;
            }
            let held = matches!(entry.state, State::Sent { .. } | State::Live);
            (entry.again, entry.told) = (false, None);
            if connected && held && !entry.leaving {
                (entry.leaving, entry.state) = (true, State::Unsent);
            }
            connected && (held || entry.leaving)
        });
    }

    /// A decoded frame. Call it for every frame, also those whose rows interest nobody: each is a sign of life.
    pub fn handle_frame(&mut self, frame: &Frame<'_>, now: Instant) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        heartbeat.on_frame(now);
        match frame {
            Frame::Pong => heartbeat.on_pong(),
            Frame::Ack { method, echo } => self.on_ack(*method, echo, now),
            Frame::VenueError(error) => self.on_error(error, now),
            Frame::Fills(fills) => {
                self.on_data(|asked| *asked == Subscription::UserFills { user: fills.user });
            }
            Frame::TwapFills(fills) => {
                self.on_data(|asked| *asked == Subscription::UserTwapSliceFills { user: fills.user });
            }
            Frame::UserEvents(_) => self.on_data(|asked| matches!(asked, Subscription::UserEvents { .. })),
            Frame::OrderUpdates(_) => self.on_data(|asked| matches!(asked, Subscription::OrderUpdates { .. })),
            Frame::Trades(rows) => {
                let first = rows.iter().find_map(|row| row.as_ref().ok());
                self.on_data(|asked| {
                    matches!((asked, first), (Subscription::Trades { coin }, Some(trade)) if coin == trade.coin)
                });
            }
            Frame::State { user, state } => self.on_data(|asked| {
                matches!(asked, Subscription::ClearinghouseState { user: of, dex } if of == user && *dex == state.dex)
            }),
            Frame::AllStates { user, .. } => {
                self.on_data(|asked| *asked == Subscription::AllDexsClearinghouseState { user: *user });
            }
            Frame::Post { .. } | Frame::Greeting(_) | Frame::Unknown { .. } => {}
        }
    }

    /// A frame that could not be decoded still shows that the connection lives.
    pub fn handle_unreadable_frame(&mut self, now: Instant) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_frame(now);
        }
    }

    /// Evidence from elsewhere (another listener, an account state) that this subscription should have brought something. When nothing
    /// comes on it within `patience`, [`SessionEvent::SubscriptionStale`] follows. Evidence while earlier evidence stands is not needed.
    pub fn expect_data(&mut self, subscription: &Subscription, patience: Duration, now: Instant) {
        let entry =
            self.entries.iter_mut().find(|entry| entry.subscription == *subscription && !entry.leaving);
        if let Some(entry) = entry
            && matches!(entry.state, State::Live)
        {
            entry.owed.get_or_insert((now, after(now, patience)));
        }
    }

    /// Whether the venue acknowledged this subscription on the present connection.
    #[must_use]
    pub fn is_live(&self, subscription: &Subscription) -> bool {
        self.entries.iter().any(|entry| entry.subscription == *subscription && entry.is_live())
    }

    /// Whether the venue acknowledged this subscription on the present connection and something came of it: its snapshot, a first state,
    /// a row.
    #[must_use]
    pub fn has_heard(&self, subscription: &Subscription) -> bool {
        let heard = |entry: &Entry| entry.subscription == *subscription && entry.is_live() && entry.heard;
        self.entries.iter().any(heard)
    }

    /// Whether everything asked for is either live or refused.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.heartbeat.is_some() && self.entries.iter().all(|entry| entry.is_live() || entry.is_refused())
    }

    /// The next text to send, if any. Call it until it answers `None`.
    #[must_use = "send this text; the session counts it as sent"]
    pub fn poll_transmit(&mut self, budget: &mut MessageBudget, now: Instant) -> Option<String> {
        let heartbeat = self.heartbeat.as_mut()?;
        if heartbeat.ping_due(&self.config, now) {
            match budget.try_send_urgent(now) {
                Ok(()) => {
                    heartbeat.on_ping(now);
                    return Some(r#"{"method":"ping"}"#.to_owned());
                }
                Err(free_at) => return self.wait_for_budget(free_at, now),
            }
        }
        if self.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        let refused_before = (self.retry_from.is_none_or(|from| from <= now)).then_some(now);
        self.held_until = self.first_unheld(now);
        let at = pending::next_to_send(&self.entries, refused_before, |entry| self.is_held(entry, now))?;
        if let Err(free_at) = budget.try_send(now) {
            return self.wait_for_budget(free_at, now);
        }
        (self.waiting_until, self.waiting_told) = (None, false);
        if let Some(user) = self.entries.get(at).and_then(|entry| self.begins(entry)) {
            self.tunings.begin(user, now);
        }
        self.entries.get_mut(at).map(|entry| entry.send(now, after(now, self.config.ack_timeout)))
    }

    /// The next thing that happened, if any. Call it until it answers `None`.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// When `handle_timeout` must be called, and what for; `None` while closed.
    #[must_use = "arm a timer for this instant, then call `handle_timeout`"]
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        let heartbeat = self.heartbeat.as_ref()?;
        let acks =
            self.entries.iter().filter_map(Entry::deadline).map(|at| (at, TimeoutReason::Acknowledgement));
        let owed =
            self.entries.iter().filter_map(|entry| Some((entry.owed?.1, TimeoutReason::SubscriptionData)));
        let budget = self.waiting_until.max(self.paused_until).map(|at| (at, TimeoutReason::MessageBudget));
        let refused = self.next_retry().map(|at| (at, TimeoutReason::RefusedRetry));
        let held = self.held_until.map(|at| (at, TimeoutReason::Held));
        // A ping that waits for the budget is due when the budget is.
        let heart =
            heartbeat.deadlines(&self.config).map(|(at, reason)| match (reason, self.waiting_until) {
                (TimeoutReason::Ping, Some(free_at)) => (at.max(free_at), reason),
                _ => (at, reason),
            });
        acks.chain(owed).chain(budget).chain(refused).chain(held).chain(heart).min_by_key(|(at, _)| *at)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(heartbeat) = &mut self.heartbeat else { return };
        heartbeat.on_timeout(&self.config, now, &mut self.events);
        self.waiting_until = self.waiting_until.filter(|at| *at > now);
        self.paused_until = self.paused_until.filter(|at| *at > now);
        self.held_until = self.held_until.filter(|at| *at > now);
        for entry in &mut self.entries {
            let patience = self.tunings.patience(&self.config, entry.subscription.user());
            entry.on_timeout(patience, now, &mut self.events);
        }
    }

    fn wait_for_budget(&mut self, free_at: Instant, now: Instant) -> Option<String> {
        self.waiting_until = Some(free_at);
        if !std::mem::replace(&mut self.waiting_told, true) {
            let wait = free_at.saturating_duration_since(now);
            self.events.push_back(SessionEvent::MessageBudgetWaiting { wait });
        }
        None
    }

    fn on_data(&mut self, is_for: impl Fn(&Subscription) -> bool) {
        for entry in self.entries.iter_mut().filter(|entry| is_for(&entry.subscription)) {
            (entry.owed, entry.heard) = (None, true);
        }
    }

    fn on_ack(&mut self, method: AckMethod<'_>, echo: &SubscriptionEcho<'_>, now: Instant) {
        match method {
            AckMethod::Subscribe => self.on_subscribed(echo, false, now),
            AckMethod::Unsubscribe => self.on_unsubscribed(echo, now),
            AckMethod::Other(_) => {}
        }
    }

    fn on_subscribed(&mut self, echo: &SubscriptionEcho<'_>, already: bool, now: Instant) {
        let Some(entry) =
            self.entries.iter_mut().find(|entry| !entry.leaving && entry.subscription.matches(echo))
        else {
            return;
        };
        if let Some(sent_at) = entry.acknowledge() {
            let (subscription, took) = (entry.subscription.clone(), now.saturating_duration_since(sent_at));
            if let Some(user) = subscription.user() {
                self.on_user_served(user);
            }
            self.events.push_back(SessionEvent::Subscribed { subscription, already, took });
        }
    }

    fn on_unsubscribed(&mut self, echo: &SubscriptionEcho<'_>, now: Instant) {
        let Some(at) =
            self.entries.iter().position(|entry| entry.leaving && entry.subscription.matches(echo))
        else {
            return;
        };
        let mut entry = self.entries.remove(at);
        self.events.push_back(SessionEvent::Unsubscribed { subscription: entry.subscription.clone() });
        if entry.again {
            entry.forget();
            self.entries.push(entry);
        } else {
            self.on_slot_freed(now);
        }
    }

    fn on_error(&mut self, error: &VenueError<'_>, now: Instant) {
        match &error.kind {
            VenueErrorKind::AlreadySubscribed(Some(echo)) => self.on_subscribed(echo, true, now),
            VenueErrorKind::AlreadyUnsubscribed(Some(echo)) => self.on_unsubscribed(echo, now),
            VenueErrorKind::InvalidSubscription(Some(echo)) => {
                let at = self
                    .entries
                    .iter()
                    .position(|entry| entry.is_pending() && entry.subscription.matches(echo));
                self.refuse(at, Refusal::Invalid, error.text, now);
            }
            VenueErrorKind::UnreadableRequest(request) => {
                let at =
                    self.entries.iter().position(|entry| entry.is_pending() && entry.was_sent_as(request));
                self.refuse(at, Refusal::Invalid, error.text, now);
            }
            VenueErrorKind::TooManyUsers { limit } => {
                let at = self
                    .entries
                    .iter()
                    .position(|entry| entry.is_pending() && entry.subscription.user().is_some());
                self.refuse(at, Refusal::TooManyUsers { limit: *limit }, error.text, now);
            }
            VenueErrorKind::TooManySubscriptions { limit } => {
                let at = self.oldest_pending();
                self.refuse(at, Refusal::TooManySubscriptions { limit: *limit }, error.text, now);
            }
            VenueErrorKind::TooManyMessages { limit } => self.on_messages_refused(*limit, now),
            VenueErrorKind::AlreadySubscribed(None)
            | VenueErrorKind::AlreadyUnsubscribed(None)
            | VenueErrorKind::InvalidSubscription(None)
            | VenueErrorKind::TooManyPosts { .. }
            | VenueErrorKind::Other => self.refuse(None, Refusal::Other, error.text, now),
        }
    }

    fn oldest_pending(&self) -> Option<usize> {
        let pending = self.entries.iter().enumerate().filter(|(_, entry)| entry.is_pending());
        pending.min_by_key(|(_, entry)| entry.deadline()).map(|(at, _)| at)
    }
}

/// The instant `wait` after `at`. An instant cannot hold every duration, so a century is the longest wait: never.
fn after(at: Instant, wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    at + wait.min(CENTURY)
}
