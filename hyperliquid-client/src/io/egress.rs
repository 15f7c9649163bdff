//! What all connections behind one public address share: messages and new connections per minute.
//!
//! For one thread. Where several threads leave by one address, each is given its share of the venue's limits.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::backoff::ConnectionPace;
use crate::limits::VenueLimits;
use crate::session::MessageBudget;

/// The shared limits of one public address; clones are the same limits.
#[derive(Clone, Debug)]
pub struct Egress {
    messages: Rc<RefCell<MessageBudget>>,
    connections: Rc<RefCell<ConnectionPace>>,
}

impl Egress {
    /// The limits of one address, nothing of them spent.
    #[must_use]
    pub fn new(limits: &VenueLimits) -> Self {
        Self {
            messages: Rc::new(RefCell::new(MessageBudget::new(limits.messages_per_minute))),
            connections: Rc::new(RefCell::new(ConnectionPace::new(limits.new_connections_per_minute))),
        }
    }

    /// Takes a place for a connection opened now.
    ///
    /// # Errors
    /// The instant from which a place may be free.
    pub(crate) fn try_open(&self, now: Instant) -> Result<(), Instant> {
        self.connections.borrow_mut().try_open(now)
    }

    /// Lends the message budget; it must not be kept over an await.
    pub(crate) fn with_messages<R>(&self, with: impl FnOnce(&mut MessageBudget) -> R) -> R {
        with(&mut self.messages.borrow_mut())
    }
}
