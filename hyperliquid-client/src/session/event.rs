//! What a session tells its owner.

use crate::wire::Subscription;
use std::time::Duration;

/// Something happened on the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SessionEvent {
    /// The venue acknowledged it: from here on its data is live. Data may have come before.
    Subscribed {
        /// Which.
        subscription: Subscription,
        /// It was there already: no new snapshot follows.
        already: bool,
        /// From sending to answer.
        took: Duration,
    },
    /// The venue acknowledged its end.
    Unsubscribed {
        /// Which.
        subscription: Subscription,
    },
    /// The venue refused it. It is tried again, ever more slowly, until it is served; a refusal like the one before is not told again,
    /// not after a reconnect either. After a drop the venue still counts the connection before, for 15 s.
    SubscriptionRefused {
        /// Which.
        subscription: Subscription,
        /// Why.
        refusal: Refusal,
        /// The venue's own text, control characters removed, at most 256 characters.
        text: String,
    },
    /// Sent twice, never answered: recycle the connection.
    SubscriptionSilent {
        /// Which.
        subscription: Subscription,
    },
    /// Evidence from elsewhere says data should have come, and none did: recycle the connection.
    SubscriptionStale {
        /// Which.
        subscription: Subscription,
        /// Since the evidence.
        silent_for: Duration,
    },
    /// An error text that belongs to nothing pending.
    VenueErrorUnmatched {
        /// Its kind.
        refusal: Refusal,
        /// The venue's own text, as above.
        text: String,
    },
    /// The venue says we send too much: nothing but pings is sent for a while, the connection is kept.
    MessagesRefused {
        /// Its limit, where the text names it.
        limit: Option<u32>,
    },
    /// A pong is overdue: recycle the connection.
    PongLate {
        /// Since the ping.
        waited: Duration,
    },
    /// No frame for too long: recycle the connection.
    ConnectionStale {
        /// Since the last frame.
        silent_for: Duration,
    },
    /// Something waits because the minute's messages are spent. Told once for each wait.
    MessageBudgetWaiting {
        /// How long at least.
        wait: Duration,
    },
    /// Old enough to be replaced: open the next one, let it become live, then close this one.
    ReplaceDue {
        /// The connection's age.
        age: Duration,
    },
    /// The connection is gone, as `handle_closed` was told.
    Closed {
        /// Why.
        reason: CloseReason,
        /// How old it became.
        age: Duration,
    },
}

impl SessionEvent {
    /// Whether this connection is of no more use and should be closed and opened anew.
    #[must_use]
    pub const fn asks_recycle(&self) -> bool {
        matches!(
            self,
            Self::SubscriptionSilent { .. }
                | Self::SubscriptionStale { .. }
                | Self::PongLate { .. }
                | Self::ConnectionStale { .. }
        )
    }
}

/// Why the venue refused something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// More distinct accounts than the venue tracks for this address.
    TooManyUsers {
        /// The limit in force, where the text names it.
        limit: Option<u32>,
    },
    /// More subscriptions than allowed.
    TooManySubscriptions {
        /// The limit in force.
        limit: Option<u32>,
    },
    /// The venue does not take such a subscription.
    Invalid,
    /// Another text.
    Other,
}

/// Why a connection ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// The venue's close frame.
    ByVenue {
        /// WebSocket close code.
        code: u16,
        /// Its text (`Expired`, `Inactive`).
        text: String,
    },
    /// The transport failed.
    Lost {
        /// How.
        detail: String,
    },
    /// We closed it.
    ByUs,
}

/// What the next timeout is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeoutReason {
    /// A ping is due.
    Ping,
    /// A pong is due.
    Pong,
    /// The connection would be stale.
    Stale,
    /// An acknowledgement is due.
    Acknowledgement,
    /// Data that evidence promised is due.
    SubscriptionData,
    /// Messages may be sent again.
    MessageBudget,
    /// A refused subscription is tried again.
    RefusedRetry,
    /// An account that was subscribed often enough for a minute may be again.
    Held,
    /// The connection should be replaced.
    Replace,
}

/// Venue text that is safe to log: no control characters, at most 256 characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}
