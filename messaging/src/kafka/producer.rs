//! One producer of librdkafka and what it reports. It answers by its own thread; reports are kept until they are taken, and
//! the ring is rung when the first of them comes.
//!
//! Dropping it forgets what it had not sent and reports that too, so that after [`Producer::retire`] every message it took
//! has been reported, once.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::Statistics;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::audit::{Acknowledged, hash_of};
use super::config::KafkaConfig;
use super::figures::{Figures, FiguresWatch};
use super::message::Message;
use crate::sink::Ring;

/// What became of a message, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) number: u64,
    pub(super) outcome: Result<Acknowledged, Code>,
}

/// What was reported and not taken yet.
#[derive(Debug, Default)]
pub(super) struct Reports {
    pub(super) messages: Vec<Report>,
    /// Why the producer can do nothing more.
    pub(super) fatal: Option<String>,
    /// What it complained about last.
    pub(super) complaint: Option<String>,
}

struct Context {
    reports: Arc<Mutex<Reports>>,
    ring: Option<Ring>,
    figures: FiguresWatch,
    /// Contents are hashed.
    is_audited: bool,
}

pub(super) struct Producer {
    inner: ThreadedProducer<Context>,
    topic: String,
    reports: Arc<Mutex<Reports>>,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer for `topic`; one that is `single` is given one message at a time, of one that `is_audited` contents are hashed.
    pub(super) fn new(
        config: &KafkaConfig,
        topic: &str,
        single: bool,
        is_audited: bool,
        ring: Option<Ring>,
        figures: FiguresWatch,
    ) -> Result<Self, KafkaError> {
        let reports = Arc::<Mutex<Reports>>::default();
        let context = Context { reports: Arc::clone(&reports), ring, figures, is_audited };
        let inner = config.producer(single).create_with_context(context)?;
        Ok(Self { inner, topic: topic.to_owned(), reports })
    }

    /// Hands a message over; what becomes of it is reported under `number`.
    pub(super) fn send(&self, number: u64, message: &Message) -> Result<(), Code> {
        let Ok(opaque) = usize::try_from(number) else { return Err(Code::InvalidArgument) };
        let record = record_of(&self.topic, opaque, message);
        self.inner.send(record).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Fail))
    }

    /// What was reported since the last time.
    pub(super) fn reports(&self) -> Reports {
        std::mem::take(&mut *lock(&self.reports))
    }

    /// Ends it; what was reported since the last time, to the end.
    pub(super) fn retire(self) -> Reports {
        let reports = Arc::clone(&self.reports);
        drop(self);
        std::mem::take(&mut *lock(&reports))
    }
}

/// The message as librdkafka takes it; `opaque` comes back with its report.
pub(super) fn record_of<'a>(
    topic: &'a str,
    opaque: usize,
    message: &'a Message,
) -> BaseRecord<'a, [u8], [u8], usize> {
    let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
    for (key, value) in &message.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let record = BaseRecord::with_opaque_to(topic, opaque)
        .key(message.key.as_slice())
        .timestamp(message.timestamp_ms)
        .headers(headers);
    if message.is_tombstone { record } else { record.payload(message.value.as_slice()) }
}

impl Context {
    fn report(&self, change: impl FnOnce(&mut Reports)) {
        let is_first = {
            let mut reports = lock(&self.reports);
            let was_empty = reports.messages.is_empty() && reports.fatal.is_none();
            change(&mut reports);
            was_empty && !(reports.messages.is_empty() && reports.fatal.is_none())
        };
        if let Some(ring) = self.ring.as_ref().filter(|_| is_first) {
            ring();
        }
    }
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let is_fatal = code == Some(Code::Fatal);
        self.report(|reports| {
            // That all brokers are down says less than why one of them is.
            if code != Some(Code::AllBrokersDown) {
                reports.complaint = Some(reason.to_owned());
            }
            if is_fatal {
                reports.fatal = Some(reason.to_owned());
            }
        });
    }

    fn stats(&self, statistics: Statistics) {
        self.figures.set(Figures::of(&statistics));
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let outcome = match result {
            Ok(message) => Ok(Acknowledged {
                partition: message.partition(),
                offset: message.offset(),
                hash: if self.is_audited { hash_of(message.payload()) } else { 0 },
                bytes: message.payload_len() as u64,
            }),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(Code::Fail)),
        };
        self.report(|reports| reports.messages.push(Report { number: number as u64, outcome }));
    }
}

fn lock(reports: &Mutex<Reports>) -> MutexGuard<'_, Reports> {
    // Pushes and assignments: whole even after a panic elsewhere.
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}
