//! A topic as a [`Sink`]: messages are handed to a producer as they come and count as delivered once every in-sync replica
//! has them and everything before them.
//!
//! Copies of what is not acknowledged are kept here, so no producer is needed to the end: one that fails is dropped, and the
//! next one gets the rest in order, from the low-water mark on. What the old one may have stored unseen is stored twice then, with the same
//! content. Nothing is ever stored behind a message of its partition that failed (`enable.gapless.guarantee`).
//! A batch that is refused because of a record in it is sent again record by record, each when the one before it has arrived, which finds that record; it is
//! [`SinkError::Rejected`]; where there is none, the batch was larger than the topic takes, and batches are half as large from then on.
//! What is wrong with the topic (missing, not authorised) concerns every record alike: they wait.
//! Time: `now` is the pump's clock. No thread of its own but librdkafka's.

use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;

use super::audit::AuditTrail;
use super::config::{KafkaConfig, bad};
use super::figures::FiguresWatch;
use super::in_flight::InFlight;
use super::message::Compose;
use super::producer::{Producer, Reports};
use super::refusal::{self, Refusal};
use super::trial::Trial;
use crate::journal::Record;
use crate::sink::{Delivered, Rejected, Ring, Sink, SinkError, Tally};

/// After this long without an acknowledgement the sink says that it does not get on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Behind a record that may be at fault so many go one by one too: where one is refused, others often are, and each batch that is refused
/// costs a producer.
const SINGLE: u64 = 200;

/// Batches do not get smaller than this.
const BATCH_BYTES_MIN: usize = 1_024;

/// After a first setback another producer is built this much later, then twice as much, up to [`PATIENCE`].
const SETBACK_PAUSE: Duration = Duration::from_millis(100);

/// Told when what was just acknowledged had been received ([`Message::received_ns`](super::Message::received_ns)), a batch at a time.
pub type OnAcknowledged = Box<dyn FnMut(&[u64]) + Send>;

/// See the module.
pub struct KafkaSink<C> {
    config: KafkaConfig,
    topic: String,
    compose: C,
    flight: InFlight,
    producer: Option<Producer>,
    trial: Trial,
    /// Messages before this number go one by one: one of them is refused.
    single_until: u64,
    /// The producer is given one message at a time.
    is_single: bool,
    /// One of those that go one by one was refused.
    found: bool,
    /// The producer cannot go on.
    is_broken: bool,
    /// For a reason that another producer would meet too.
    is_setback: bool,
    /// Setbacks since the last acknowledgement.
    setbacks: u32,
    /// No producer is built before.
    resume_at: Option<Instant>,
    /// A refused record that nobody keeps, and why it was refused: it is offered again and again.
    held_up: Option<(u64, String)>,
    /// What was last said about why it does not go on.
    complaint: Option<String>,
    /// The low-water mark, and when it was first seen there.
    standing: Option<(u64, Instant)>,
    ring: Option<Ring>,
    figures: FiguresWatch,
    /// Where every acknowledgement is noted.
    trail: Option<AuditTrail>,
    /// Who is told how old acknowledged messages are, and the batch for it.
    on_acknowledged: Option<(OnAcknowledged, Vec<u64>)>,
    tally: Tally,
}

impl<C> fmt::Debug for KafkaSink<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink")
            .field("topic", &self.topic)
            .field("low_water", &self.flight.low_water())
            .finish_non_exhaustive()
    }
}

impl<C: Compose> KafkaSink<C> {
    /// Messages that `compose` makes, to `topic`. Contacts nobody yet.
    #[must_use]
    pub fn new(config: KafkaConfig, topic: impl Into<String>, compose: C) -> Self {
        Self {
            config,
            topic: topic.into(),
            compose,
            flight: InFlight::default(),
            producer: None,
            trial: Trial::default(),
            single_until: 0,
            is_single: false,
            found: false,
            held_up: None,
            is_broken: false,
            is_setback: false,
            setbacks: 0,
            resume_at: None,
            complaint: None,
            standing: None,
            ring: None,
            figures: FiguresWatch::default(),
            trail: None,
            on_acknowledged: None,
            tally: Tally::default(),
        }
    }

    /// Every acknowledgement is noted in `trail`, to be read back.
    #[must_use]
    pub fn audited(mut self, trail: AuditTrail) -> Self {
        self.trail = Some(trail);
        self
    }

    /// Tells `told` of acknowledgements, on the sink's thread.
    #[must_use]
    pub fn timed(mut self, told: OnAcknowledged) -> Self {
        self.on_acknowledged = Some((told, Vec::new()));
        self
    }

    /// A view of what librdkafka counts.
    #[must_use]
    pub fn figures(&self) -> FiguresWatch {
        self.figures.clone()
    }

    fn take(&mut self, reports: Reports, now: Instant) {
        if let Some(trail) = &self.trail {
            trail.acknowledged(reports.messages.iter().filter_map(|report| report.outcome.ok()), now);
        }
        for report in &reports.messages {
            match report.outcome {
                Ok(_) => {
                    self.setbacks = 0;
                    let flight = &self.flight;
                    if let Some((_, received)) = &mut self.on_acknowledged {
                        received.extend(flight.received_ns(report.number));
                    }
                    self.trial.arrived(report.number, || flight.key(report.number).map(Box::from));
                    self.flight.arrived(report.number);
                }
                Err(code) => self.refused(report.number, code),
            }
        }
        if let Some((told, received)) = self.on_acknowledged.as_mut().filter(|(_, new)| !new.is_empty()) {
            told(received);
            received.clear();
        }
        self.complaint = reports.complaint.or(self.complaint.take());
        if reports.fatal.is_some() {
            self.is_broken = true;
            // One follows every batch that is refused.
            self.is_setback |= self.single_until <= self.flight.low_number();
            self.complaint = reports.fatal;
        }
    }

    fn refused(&mut self, number: u64, code: Code) {
        let is_lone = self.is_single && refusal::of(code) == Refusal::Record;
        self.is_broken |= !is_lone;
        match refusal::of(code) {
            Refusal::Record if is_lone => {
                self.found = true;
                self.flight.rejected(number, refusal::told(code));
            }
            Refusal::Record => {
                self.single_until = self.single_until.max(number + SINGLE);
                self.flight.failed(number);
            }
            Refusal::Topic => {
                self.complaint = Some(refusal::told(code));
                self.is_setback = true;
                self.flight.failed(number);
            }
            Refusal::Passing => {
                self.is_setback |= !refusal::is_consequence(code);
                self.flight.failed(number);
            }
        }
    }

    /// Takes what was reported, and lets a producer go that cannot go on.
    fn collect(&mut self, now: Instant) {
        if let Some(producer) = &self.producer {
            let reports = producer.reports();
            self.take(reports, now);
        }
        self.settle();
        // The rest of those that would go one by one may not have come yet.
        let is_through = self.flight.low_number() >= self.single_until || self.flight.low_water().is_none();
        let is_done_one_by_one = self.is_single && is_through;
        let wants_other = if self.is_single {
            is_done_one_by_one && !self.flight.any_sent()
        } else {
            self.single_until > self.flight.low_number()
        };
        if (self.is_broken || wants_other)
            && let Some(producer) = self.producer.take()
        {
            let reports = producer.retire();
            self.take(reports, now);
            self.flight.unsend();
            if is_done_one_by_one && !std::mem::take(&mut self.found) {
                self.config.batch_bytes = (self.config.batch_bytes / 2).max(BATCH_BYTES_MIN);
            }
            (self.is_single, self.is_broken) = (false, false);
            if is_done_one_by_one {
                self.single_until = 0;
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        let (messages, bytes) = self.flight.settle();
        self.tally.lines += messages;
        self.tally.bytes += bytes;
    }

    fn build(&mut self, is_single: bool) -> Result<(), SinkError> {
        let (ring, figures) = (self.ring.clone(), self.figures.clone());
        let made = Producer::new(&self.config, &self.topic, is_single, self.trail.is_some(), ring, figures);
        let producer = made.map_err(|error| unavailable(&self.topic, &bad(error).to_string()))?;
        (self.producer, self.trial, self.is_single) = (Some(producer), Trial::default(), is_single);
        Ok(())
    }

    /// Hands over what waits, as far as it goes.
    fn send(&mut self) -> Result<(), SinkError> {
        let (mut from, mut left) = (0, None);
        while let Some((number, message)) = self.flight.waiting_from(from) {
            let Some(producer) = &self.producer else {
                self.build(number < self.single_until)?;
                continue;
            };
            let may_go = if self.is_single {
                number < self.single_until && !self.flight.any_sent()
            } else {
                message.is_alone || self.trial.admits(&message.key)
            };
            if !may_go {
                left = Some(number);
                break;
            }
            match producer.send(number, message) {
                Ok(()) => {
                    if !self.is_single && !message.is_alone {
                        self.trial.goes(number, &message.key);
                    }
                    self.flight.sent(number);
                    from = number + 1;
                }
                Err(Code::QueueFull) => {
                    left = Some(number);
                    break;
                }
                // It is alone already: no batch is at fault.
                Err(code) if refusal::of(code) == Refusal::Record => {
                    self.found = true;
                    self.flight.rejected(number, refusal::told(code));
                    left = Some(number);
                    break;
                }
                Err(code) => {
                    (self.is_broken, self.is_setback) = (true, true);
                    return Err(unavailable(&self.topic, &refusal::told(code)));
                }
            }
        }
        self.flight.looked_through(left);
        Ok(())
    }

    fn rejection(&mut self) -> Option<SinkError> {
        let (position, (attempts, why), value) = self.flight.take_rejected()?;
        self.held_up = Some((position, why.clone()));
        let target = format!("topic {}", self.topic);
        Some(SinkError::Rejected(Box::new(Rejected { position, target, why, attempts, value })))
    }

    /// Whether the low-water mark moves; a broker that is away is waited for, but not in silence.
    fn look_at(&mut self, low_water: u64, now: Instant) -> Result<(), SinkError> {
        let since = match self.standing {
            Some((position, since)) if position == low_water => since,
            Some(_) | None => {
                self.standing = Some((low_water, now));
                return Ok(());
            }
        };
        if now.saturating_duration_since(since) < PATIENCE {
            return Ok(());
        }
        let why = self.complaint.as_deref().unwrap_or("no acknowledgement comes");
        Err(unavailable(&self.topic, why))
    }
}

fn unavailable(topic: &str, why: &str) -> SinkError {
    SinkError::Unavailable { target: format!("topic {topic}"), why: why.to_owned() }
}

impl<C: Compose> Sink for KafkaSink<C> {
    fn accept(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let mut message = self.flight.blank();
        if self.compose.compose(record, &mut message) {
            self.flight.push(record.position, message);
        } else {
            self.flight.give_back(message);
        }
        Ok(())
    }

    fn waiting_bytes(&self) -> usize {
        self.flight.bytes()
    }

    fn flush(&mut self, now: Instant) -> Result<Delivered, SinkError> {
        self.collect(now);
        if let Some(rejected) = self.rejection() {
            return Err(rejected);
        }
        if std::mem::take(&mut self.is_setback) {
            let pause = SETBACK_PAUSE.saturating_mul(1 << self.setbacks.min(16)).min(PATIENCE);
            self.setbacks += 1;
            self.resume_at = Some(now + pause);
        }
        if self.resume_at.is_some_and(|at| now < at) {
            return Err(unavailable(&self.topic, self.complaint.as_deref().unwrap_or("it failed")));
        }
        self.send()?;
        if let Some(rejected) = self.rejection() {
            return Err(rejected);
        }
        match self.flight.low_water() {
            None => {
                (self.standing, self.complaint, self.held_up) = (None, None, None);
                Ok(Delivered::All)
            }
            Some(low_water) => {
                if let Some((position, why)) = self.held_up.as_ref().filter(|(at, _)| low_water <= *at) {
                    return Err(unavailable(&self.topic, &format!("position {position} is refused: {why}")));
                }
                self.look_at(low_water, now)?;
                Ok(Delivered::Before(low_water))
            }
        }
    }

    fn rings(&mut self, ring: Ring) {
        self.ring = Some(ring);
        // The first record does not wait for a connection then; what is wrong is told when there is one.
        let _ = self.build(false);
    }

    fn pass(&mut self, position: u64) {
        self.flight.passed(position);
        self.held_up = None;
        self.tally.rejected += 1;
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
