//! Messages sent by hand, long after their sink: one at a time, each acknowledged by all in-sync replicas before the next, so that order
//! is the caller's and what became of each is known. No journal, no cursor, no thread of its own but librdkafka's.
//!
//! A message whose acknowledgement got lost may be stored twice, with the same content. Time: `patience` is measured by the
//! operating system.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{ClientContext, Message as _, Statistics};

use super::config::{KafkaConfig, bad};
use super::message::Message;
use super::producer::record_of;
use super::refusal::{self, Refusal};

/// Where a message is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Placed {
    /// Of its topic.
    pub partition: i32,
    /// Its number there.
    pub offset: i64,
}

/// Why a message was not acknowledged.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ResendError {
    /// The topic does not take this message; another one it may take.
    #[error("topic {topic} refuses it: {why}")]
    Refused {
        /// Which.
        topic: String,
        /// What was said.
        why: String,
    },
    /// It would be the same with every message. Of this one nobody knows whether it is stored.
    #[error("topic {topic} does not take records: {why}")]
    Unavailable {
        /// Which.
        topic: String,
        /// What was said last.
        why: String,
    },
}

/// See the module.
pub struct Resender {
    producer: ThreadedProducer<Context>,
    outcomes: Receiver<Outcome>,
    complaint: Complaint,
    sent: usize,
}

/// What librdkafka complained about last.
type Complaint = Arc<Mutex<Option<String>>>;

struct Outcome {
    number: usize,
    placed: Result<Placed, Code>,
}

struct Context {
    outcomes: SyncSender<Outcome>,
    complaint: Complaint,
}

impl fmt::Debug for Resender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resender").field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Resender {
    /// Contacts nobody yet.
    ///
    /// # Errors
    /// What librdkafka does not take of the configuration.
    pub fn new(config: &KafkaConfig) -> Result<Self, super::BadProperty> {
        // One is on its way at a time; one more is the report of a message that was not waited for to the end.
        let (sender, outcomes) = sync_channel(2);
        let complaint = Complaint::default();
        let context = Context { outcomes: sender, complaint: Arc::clone(&complaint) };
        let producer = config.producer(true).create_with_context(context).map_err(bad)?;
        Ok(Self { producer, outcomes, complaint, sent: 0 })
    }

    /// Sends it and waits until it is stored, at most for `patience`; where it is then.
    ///
    /// # Errors
    /// [`ResendError`].
    pub fn send(
        &mut self,
        topic: &str,
        message: &Message,
        patience: Duration,
    ) -> Result<Placed, ResendError> {
        self.sent += 1;
        let sent = self.producer.send(record_of(topic, self.sent, message));
        if let Err((error, _)) = sent {
            return Err(failed(topic, error.rdkafka_error_code().unwrap_or(Code::Fail)));
        }
        loop {
            match self.outcomes.recv_timeout(patience) {
                Ok(outcome) if outcome.number == self.sent => {
                    return outcome.placed.map_err(|code| failed(topic, code));
                }
                // Of one that was given up.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let why = complaint.unwrap_or_else(|| format!("no acknowledgement within {patience:?}"));
                    return Err(ResendError::Unavailable { topic: topic.to_owned(), why });
                }
            }
        }
    }
}

fn failed(topic: &str, code: Code) -> ResendError {
    let (topic, why) = (topic.to_owned(), refusal::told(code));
    match refusal::of(code) {
        Refusal::Record => ResendError::Refused { topic, why },
        Refusal::Topic | Refusal::Passing => ResendError::Unavailable { topic, why },
    }
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        // That all brokers are down says less than why one of them is.
        if error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            *self.complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }

    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let placed = match result {
            Ok(message) => Ok(Placed { partition: message.partition(), offset: message.offset() }),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(Code::Fail)),
        };
        // Full only where nobody waits any more.
        let _unheard = self.outcomes.try_send(Outcome { number, placed });
    }
}
