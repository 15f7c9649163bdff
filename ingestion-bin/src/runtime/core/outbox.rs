//! The way to the journal: records become batches, batches go in order, none is dropped.
//!
//! When the journal has no room, batches wait here and the owner refuses frames before they are looked at. What waits is bounded
//! by that refusal: only what timers and answers in flight still produce is added. No batch ever overtakes another: what an account
//! says of a gap stands behind the events that it follows.
//!
//! A sink that holds the journal full because it waits for an answer of ours would wait for ever behind what waits here. For such
//! an answer everything that waits goes in front of it, above the journal's share of the disk ([`Outbox::unblock`]); after that
//! frames are refused until the journal is below its share again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use messaging::journal::{Appender, BatchBuilder, BatchError, Class, Pressure, Ticket};
use tracing::error;

use crate::record::{self, Body};

#[derive(Debug)]
pub(in crate::runtime) struct Outbox {
    appender: Appender,
    batch: BatchBuilder,
    class: Option<Class>,
    waiting: VecDeque<(BatchBuilder, Class)>,
    scratch: Vec<u8>,
    last: Ticket,
    /// The journal was brought above its share, and is there still as far as we know.
    above: bool,
    blocked: Arc<AtomicBool>,
}

impl Outbox {
    pub(in crate::runtime) fn new(appender: Appender) -> Self {
        Self {
            appender,
            batch: BatchBuilder::new(),
            class: None,
            waiting: VecDeque::new(),
            scratch: Vec::new(),
            last: Ticket(0),
            above: false,
            blocked: Arc::default(),
        }
    }

    /// Adds a record to the batch in the making.
    pub(in crate::runtime) fn put(&mut self, body: &Body<'_>) {
        let class = class_of(body);
        let mut scratch = std::mem::take(&mut self.scratch);
        record::encode(body, &mut scratch, |new| {
            let pushed = match self.batch.push(new) {
                Err(BatchError::Full { .. }) => {
                    self.close_batch();
                    self.batch.push(new)
                }
                other => other,
            };
            match pushed {
                // The batch is as urgent as its least urgent record.
                Ok(()) => {
                    self.class = Some(if self.class == Some(Class::Event) { Class::Event } else { class });
                }
                // Never: the configuration bounds messages (`MESSAGE_MOST`), the client answers, and all else is shorter.
                Err(error) => error!(%error, kind = new.kind, "a record is too large for the journal"),
            }
        });
        self.scratch = scratch;
    }

    /// Hands over what there is, as far as there is room. True when nothing waits.
    pub(in crate::runtime) fn flush(&mut self) -> bool {
        let mut free = self.hand_over(None);
        self.blocked.store(self.is_blocked(), Ordering::Release);
        if self.is_blocked() {
            // The journal may have moved between the refusal and the flag: nobody would wake us for that.
            free = self.hand_over(None);
            self.blocked.store(self.is_blocked(), Ordering::Release);
        }
        free
    }

    /// Hands over what there is for a sink that waits for it, whatever the journal's share of the disk. True when nothing waits.
    pub(in crate::runtime) fn unblock(&mut self) -> bool {
        if !self.flush() {
            self.hand_over(Some(Class::Unblock));
            self.above = true;
        }
        self.flush()
    }

    /// Whether we wait for room, for a thread that only wants to know whether to wake us.
    pub(in crate::runtime) fn blocked_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.blocked)
    }

    fn hand_over(&mut self, urgent: Option<Class>) -> bool {
        self.above &= self.appender.is_disk_full();
        if !self.batch.is_empty() {
            if self.waiting.is_empty() {
                let class = urgent.or(self.class).unwrap_or(Class::Event);
                match self.appender.try_append(&mut self.batch, class) {
                    Ok(ticket) => {
                        self.last = ticket;
                        self.class = None;
                    }
                    Err(_) => self.close_batch(),
                }
            } else {
                self.close_batch();
            }
        }
        while let Some((batch, class)) = self.waiting.front_mut() {
            match self.appender.try_append(batch, urgent.unwrap_or(*class)) {
                Ok(ticket) => {
                    self.last = ticket;
                    self.waiting.pop_front();
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether nothing new may be accepted: batches wait for room, or those that did are above the journal's share.
    pub(in crate::runtime) fn is_blocked(&self) -> bool {
        self.above || self.holds()
    }

    /// How full the journal is for a sink that is behind.
    pub(in crate::runtime) fn pressure(&self) -> Pressure {
        self.appender.progress().pressure()
    }

    /// Whether accepted batches wait here.
    pub(in crate::runtime) fn holds(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The newest batch the journal took.
    pub(in crate::runtime) const fn last(&self) -> Ticket {
        self.last
    }

    fn close_batch(&mut self) {
        let batch = std::mem::replace(&mut self.batch, BatchBuilder::new());
        if !batch.is_empty() {
            self.waiting.push_back((batch, self.class.unwrap_or(Class::Event)));
        }
        self.class = None;
    }
}

const fn class_of(body: &Body<'_>) -> Class {
    match body.kind() {
        record::Kind::Event | record::Kind::Raw | record::Kind::State => Class::Event,
        record::Kind::Refusal
        | record::Kind::Gap
        | record::Kind::Baseline
        | record::Kind::Certified
        | record::Kind::Epoch
        | record::Kind::Run
        | record::Kind::Spent
        | record::Kind::Notice
        | record::Kind::Adopted
        | record::Kind::Passed => Class::Control,
    }
}
