//! What all connections behind one public address share: messages and new connections per minute.
//!
//! New connections go by urgency: nobody takes a place that somebody more urgent needs who waits for one, or will within a second (after
//! a storm each waits its own short time first). Who is less urgent has what is left; who waits longer than that takes nothing from others.
//!
//! For one thread. Where several threads leave by one address, each is given its share of the venue's limits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::control::Control;
use crate::backoff::ConnectionPace;
use crate::limits::VenueLimits;
use crate::session::MessageBudget;

/// A place is kept for somebody who wants it this soon.
const SOON: Duration = Duration::from_secs(1);
/// Whoever wanted a place by now takes it at once; after this it is looked at again.
const TICK: Duration = Duration::from_millis(20);

/// The shared limits of one public address; clones are the same limits.
#[derive(Clone, Debug)]
pub struct Egress {
    messages: Rc<RefCell<MessageBudget>>,
    queue: Rc<Queue>,
}

#[derive(Debug)]
struct Queue {
    connections: RefCell<ConnectionPace>,
    /// One for each listener without a connection.
    waiting: RefCell<Vec<Waiter>>,
    next: Cell<u64>,
    /// Somebody took a place, went, or has another urgency.
    changed: Notify,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    control: Control,
    /// When it wants to connect.
    due: Instant,
}

impl Egress {
    /// The limits of one address, nothing of them spent.
    #[must_use]
    pub fn new(limits: &VenueLimits) -> Self {
        Self {
            messages: Rc::new(RefCell::new(MessageBudget::new(limits.messages_per_minute))),
            queue: Rc::new(Queue {
                connections: RefCell::new(ConnectionPace::new(limits.new_connections_per_minute)),
                waiting: RefCell::default(),
                next: Cell::new(0),
                changed: Notify::new(),
            }),
        }
    }

    /// Queues a listener that wants a connection from `due` on.
    pub(crate) fn wait(&self, control: &Control, due: Instant) -> Waiting {
        let id = self.queue.next.get();
        self.queue.next.set(id + 1);
        self.queue.waiting.borrow_mut().push(Waiter { id, control: control.clone(), due });
        Waiting { queue: Rc::clone(&self.queue), id }
    }

    /// Lends the message budget; it must not be kept over an await.
    pub(crate) fn with_messages<R>(&self, with: impl FnOnce(&mut MessageBudget) -> R) -> R {
        with(&mut self.messages.borrow_mut())
    }
}

/// A place in the queue; dropping it leaves the queue.
#[derive(Debug)]
pub(crate) struct Waiting {
    queue: Rc<Queue>,
    id: u64,
}

impl Waiting {
    /// Takes a place for a connection opened now.
    ///
    /// # Errors
    /// When to ask again: a place may be free then, or whom one is kept for has taken it. [`changed`](Self::changed) may come sooner.
    pub(crate) fn try_open(&self, now: Instant) -> Result<(), Instant> {
        let mut connections = self.queue.connections.borrow_mut();
        let waiting = self.queue.waiting.borrow();
        let mine = waiting.iter().find(|waiter| waiter.id == self.id).map(|waiter| waiter.control.urgency());
        let goes_before =
            |waiter: &&Waiter| Some(waiter.control.urgency()) > mine && waiter.due <= now + SOON;
        let kept = waiting.iter().filter(goes_before).count();
        if kept > 0 && connections.free(now) > 0 && connections.free(now) <= kept {
            let first = waiting.iter().filter(goes_before).map(|waiter| waiter.due).min();
            return Err(first.unwrap_or(now).max(now + TICK));
        }
        connections.try_open(now)
    }

    /// Something changed for those who wait.
    pub(crate) async fn changed(&self) {
        self.queue.changed.notified().await;
    }

    /// Its urgency may be another one.
    pub(crate) fn tell_others(&self) {
        self.queue.changed.notify_waiters();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.waiting.borrow_mut().retain(|waiter| waiter.id != self.id);
        self.tell_others();
    }
}
