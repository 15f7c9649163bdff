//! Steering a listener while it runs: what is subscribed, stop, recycle, replace. From the same thread, at any moment, also from inside
//! its handler.
//!
//! There is no queue: what is wanted is state (the session's list of subscriptions), and the listener is woken to look at it.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::session::{Session, SessionConfig, Tuning};
use crate::wire::{Address, Subscription};

/// A listener's controls; clones steer the same one.
#[derive(Clone, Debug)]
pub struct Control(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    session: RefCell<Session>,
    wake: Notify,
    stop: Cell<bool>,
    wish: Cell<Option<Wish>>,
    urgency: Cell<Urgency>,
}

/// How much depends on a listener's next connection; the larger, the more.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Urgency {
    /// It is to take the place of a connection that still serves.
    Later,
    /// Others carry what it carries.
    #[default]
    Usual,
    /// Somebody is not listened to before it is there.
    First,
}

/// Why the present connection is to end, without the listener.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Recycle,
    Replace,
}

impl Control {
    /// Controls of a listener that wants no subscription yet.
    #[must_use]
    pub fn new(config: SessionConfig) -> Self {
        Self(Rc::new(Inner {
            session: RefCell::new(Session::new(config)),
            wake: Notify::new(),
            stop: Cell::new(false),
            wish: Cell::new(None),
            urgency: Cell::default(),
        }))
    }

    /// Wants a subscription, now and after every reconnect. Wanting one twice changes nothing; wanting a refused one tries it again
    /// now instead of later.
    pub fn subscribe(&self, subscription: Subscription) {
        self.session().subscribe(subscription);
        self.0.wake.notify_one();
    }

    /// Wants it no more.
    pub fn unsubscribe(&self, subscription: &Subscription) {
        self.session().unsubscribe(subscription);
        self.0.wake.notify_one();
    }

    /// Asks for an account's subscriptions in its own way; see [`Session::tune`].
    pub fn tune(&self, user: Address, tuning: Tuning, now: Instant) {
        self.session().tune(user, tuning, now);
        self.0.wake.notify_one();
    }

    /// Evidence from elsewhere that this subscription should have brought something; see [`Session::expect_data`].
    pub fn expect_data(&self, subscription: &Subscription, patience: Duration, now: Instant) {
        self.session().expect_data(subscription, patience, now);
        self.0.wake.notify_one();
    }

    /// Whether the venue acknowledged this subscription on the present connection.
    #[must_use]
    pub fn is_live(&self, subscription: &Subscription) -> bool {
        self.session().is_live(subscription)
    }

    /// Whether it was acknowledged there and has brought something; see [`Session::has_heard`].
    #[must_use]
    pub fn has_heard(&self, subscription: &Subscription) -> bool {
        self.session().has_heard(subscription)
    }

    /// Whether it is connected and everything wanted is either live or refused.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.session().is_settled()
    }

    /// Ends the present connection, if there is one, because it is of no use; the listener connects again after its backoff.
    pub fn recycle(&self) {
        self.0.wish.set(Some(Wish::Recycle));
        self.0.wake.notify_one();
    }

    /// Ends the present connection, if there is one, because it is old; the listener connects again at once. Only age may be the
    /// reason: nothing here waits between a connection and the next but the places of the minute.
    pub fn replace(&self) {
        self.0.wish.set(Some(Wish::Replace));
        self.0.wake.notify_one();
    }

    /// Ends the connection and the listener, for good, because another one took its place: told as [`replace`](Self::replace) is.
    pub fn retire(&self) {
        self.0.wish.set(Some(Wish::Replace));
        self.stop();
    }

    /// How much depends on its next connection, until this is said anew. Where many wait for a place among the minute's new connections,
    /// those of more urgency go first.
    pub fn set_urgency(&self, urgency: Urgency) {
        if self.0.urgency.replace(urgency) != urgency {
            self.0.wake.notify_one();
        }
    }

    /// As it was set last.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        self.0.urgency.get()
    }

    /// Ends the connection and the listener, for good.
    pub fn stop(&self) {
        self.0.stop.set(true);
        self.0.wake.notify_one();
    }

    /// Whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stop.get()
    }

    /// Takes a wish to end the connection.
    pub(super) fn take_wish(&self) -> Option<Wish> {
        self.0.wish.take()
    }

    /// The session, for the length of a statement: nobody holds it over an await or over a call of a handler.
    pub(super) fn session(&self) -> RefMut<'_, Session> {
        self.0.session.borrow_mut()
    }

    /// Something was changed since the last time this was awaited. Cancel-safe.
    pub(super) async fn changed(&self) {
        self.0.wake.notified().await;
    }

    /// Comes back when [`stop`](Self::stop) was called. Cancel-safe.
    pub(super) async fn stopped(&self) {
        while !self.is_stopped() {
            self.changed().await;
        }
    }
}
