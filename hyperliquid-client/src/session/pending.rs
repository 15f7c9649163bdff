//! One subscription on one connection: unsent, sent, live or refused; and which is sent next.

use super::event::SessionEvent;
use crate::wire::Subscription;
use std::collections::VecDeque;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) subscription: Subscription,
    pub(super) state: State,
    /// It is to be ended: what is sent is an unsubscribe.
    pub(super) leaving: bool,
    /// Asked for again while leaving.
    pub(super) again: bool,
    /// Evidence came at the first instant; data is due by the second.
    pub(super) owed: Option<(Instant, Instant)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Unsent,
    /// Sent, not answered. `first` counts the time to the answer; `retried` is set when it may not be sent again.
    Sent {
        first: Instant,
        deadline: Instant,
        retried: bool,
    },
    /// Due to be sent a second time.
    Retry {
        first: Instant,
    },
    Live,
    Refused,
    /// Never answered; told. An answer after all still counts.
    Silent {
        first: Instant,
    },
}

impl Entry {
    pub(super) const fn new(subscription: Subscription) -> Self {
        Self { subscription, state: State::Unsent, leaving: false, again: false, owed: None }
    }

    /// As if never sent.
    pub(super) fn forget(&mut self) {
        (self.state, self.leaving, self.again, self.owed) = (State::Unsent, false, false, None);
    }

    pub(super) const fn is_live(&self) -> bool {
        !self.leaving && matches!(self.state, State::Live)
    }

    /// A subscribe that waits for its answer.
    pub(super) const fn is_pending(&self) -> bool {
        !self.leaving && matches!(self.state, State::Sent { .. } | State::Retry { .. })
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        if let State::Sent { deadline, .. } = self.state { Some(deadline) } else { None }
    }

    fn wants_sending(&self) -> bool {
        matches!(self.state, State::Unsent | State::Retry { .. })
    }

    pub(super) fn send(&mut self, now: Instant, deadline: Instant) -> String {
        self.state = match self.state {
            State::Retry { first } => State::Sent { first, deadline, retried: true },
            State::Unsent | State::Sent { .. } | State::Live | State::Refused | State::Silent { .. } => {
                State::Sent { first: now, deadline, retried: false }
            }
        };
        self.text()
    }

    fn text(&self) -> String {
        let method = if self.leaving { "unsubscribe" } else { "subscribe" };
        format!(r#"{{"method":"{method}","subscription":{}}}"#, self.subscription.to_json())
    }

    /// Whether a request the venue could not read is this one.
    pub(super) fn was_sent_as(&self, request: &str) -> bool {
        request.contains(&self.subscription.to_json())
    }

    /// Answers when it was first sent, if this is the answer it waited for.
    pub(super) const fn acknowledge(&mut self) -> Option<Instant> {
        let (State::Sent { first, .. } | State::Retry { first } | State::Silent { first }) = self.state
        else {
            return None;
        };
        self.state = State::Live;
        Some(first)
    }

    pub(super) fn on_timeout(&mut self, now: Instant, events: &mut VecDeque<SessionEvent>) {
        if let State::Sent { first, deadline, retried } = self.state
            && now >= deadline
        {
            if retried {
                self.state = State::Silent { first };
                events
                    .push_back(SessionEvent::SubscriptionSilent { subscription: self.subscription.clone() });
            } else {
                self.state = State::Retry { first };
            }
        }
        if let Some((since, due)) = self.owed
            && now >= due
        {
            self.owed = None;
            events.push_back(SessionEvent::SubscriptionStale {
                subscription: self.subscription.clone(),
                silent_for: now.saturating_duration_since(since),
            });
        }
    }
}

/// Retries and ends first, then in the order asked for; a user subscription only when no other waits for its answer.
pub(super) fn next_to_send(entries: &[Entry]) -> Option<usize> {
    let user_in_flight = |except: usize| {
        let mut others = entries.iter().enumerate().filter(|(at, _)| *at != except);
        others.any(|(_, entry)| (entry.is_pending() || entry.leaving) && entry.subscription.user().is_some())
    };
    let may_go = |at: usize, entry: &Entry| {
        entry.wants_sending() && (entry.leaving || entry.subscription.user().is_none() || !user_in_flight(at))
    };
    let mut ready = entries.iter().enumerate().filter(|(at, entry)| may_go(*at, entry)).map(|(at, entry)| {
        let urgent = entry.leaving || matches!(entry.state, State::Retry { .. });
        (at, urgent)
    });
    let first = ready.next()?;
    if first.1 { Some(first.0) } else { Some(ready.find(|(_, urgent)| *urgent).unwrap_or(first).0) }
}
