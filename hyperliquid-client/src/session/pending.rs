//! One subscription on one connection: unsent, sent, live or refused; and which is sent next.

use super::event::{Refusal, SessionEvent};
use super::refused::Patience;
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
    /// It brought something on this connection.
    pub(super) heard: bool,
    /// Evidence came at the first instant; data is due by the second.
    pub(super) owed: Option<(Instant, Instant)>,
    /// How it was last told to be refused; nothing once it is served.
    pub(super) told: Option<Refusal>,
    /// Refusals in a row on this connection.
    pub(super) tries: u32,
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
    /// Tried again when due.
    Refused {
        due: Instant,
    },
    /// Never answered; told. An answer after all still counts.
    Silent {
        first: Instant,
    },
}

impl Entry {
    pub(super) const fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            state: State::Unsent,
            leaving: false,
            again: false,
            heard: false,
            owed: None,
            told: None,
            tries: 0,
        }
    }

    /// As if never sent on this connection.
    pub(super) fn forget(&mut self) {
        (self.state, self.leaving, self.again, self.owed) = (State::Unsent, false, false, None);
        (self.heard, self.tries) = (false, 0);
    }

    pub(super) const fn is_live(&self) -> bool {
        !self.leaving && matches!(self.state, State::Live)
    }

    /// A subscribe that waits for its answer.
    pub(super) const fn is_pending(&self) -> bool {
        !self.leaving && matches!(self.state, State::Sent { .. } | State::Retry { .. })
    }

    /// About an account, and no other such request may go before it is answered.
    pub(super) fn is_user_in_flight(&self) -> bool {
        (self.is_pending() || self.leaving) && self.subscription.user().is_some()
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        if let State::Sent { deadline, .. } = self.state { Some(deadline) } else { None }
    }

    /// Refused on this connection and not served since.
    pub(super) const fn is_refused(&self) -> bool {
        self.tries > 0
    }

    /// When a refused one is to be tried again.
    pub(super) const fn due(&self) -> Option<Instant> {
        if let State::Refused { due } = self.state { Some(due) } else { None }
    }

    fn wants_sending(&self, refused_before: Option<Instant>) -> bool {
        match self.state {
            State::Unsent | State::Retry { .. } => true,
            State::Refused { due } => refused_before.is_some_and(|before| due <= before),
            State::Sent { .. } | State::Live | State::Silent { .. } => false,
        }
    }

    pub(super) fn send(&mut self, now: Instant, deadline: Instant) -> String {
        self.state = match self.state {
            State::Retry { first } => State::Sent { first, deadline, retried: true },
            State::Unsent
            | State::Sent { .. }
            | State::Live
            | State::Refused { .. }
            | State::Silent { .. } => State::Sent { first: now, deadline, retried: false },
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
        (self.state, self.told, self.tries) = (State::Live, None, 0);
        Some(first)
    }

    /// Sends it once more when messages may be sent again: the venue did not read it for being one too many.
    pub(super) const fn send_again(&mut self) {
        if let State::Sent { first, .. } = self.state {
            self.state = State::Retry { first };
        }
    }

    pub(super) fn on_timeout(
        &mut self,
        patience: Patience,
        now: Instant,
        events: &mut VecDeque<SessionEvent>,
    ) {
        if let State::Sent { first, deadline, retried } = self.state
            && now >= deadline
        {
            if retried && self.tries > 0 && !self.leaving {
                // Others are served on this connection: it is not given up for one that was refused before.
                self.wait_refused(patience, now);
            } else if retried {
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

/// Ends and second sendings first, then in the order asked for, then what was refused and is due `refused_before`; a user subscription
/// only when no other waits for its answer. Nothing that is `held`.
pub(super) fn next_to_send(
    entries: &[Entry],
    refused_before: Option<Instant>,
    held: impl Fn(&Entry) -> bool,
) -> Option<usize> {
    let user_in_flight = |except: usize| {
        let mut others = entries.iter().enumerate().filter(|(at, _)| *at != except);
        others.any(|(_, entry)| entry.is_user_in_flight())
    };
    let may_go = |at: usize, entry: &Entry| {
        entry.wants_sending(refused_before)
            && (entry.leaving || entry.subscription.user().is_none() || !user_in_flight(at))
            && !held(entry)
    };
    let ready = entries.iter().enumerate().filter(|(at, entry)| may_go(*at, entry));
    let rank = |entry: &Entry| {
        let again = entry.leaving || matches!(entry.state, State::Retry { .. });
        (entry.due(), !again)
    };
    // The first of equal ones.
    ready.min_by_key(|(_, entry)| rank(entry)).map(|(at, _)| at)
}
