//! Sinks that write to topics, and the topics themselves.

use std::time::Duration;

use messaging::journal::Limit;
use messaging::kafka::{
    AuditPace, AuditTrail, Auditor, Difference, FiguresWatch, KafkaConfig, KafkaSink, Topic,
};
use messaging::sink::PumpConfig;
use observability::Telemetry;
use signal_domain::Uuid;

use super::clock::wall_ns;
use super::events::{TopicDiffers, socket_to_ack};
use super::service::StartError;
use super::sinks::signal_lines;
use crate::config::{Config, PublishAfter, SinkKind, SinkSettings};
use crate::render::{Again, DeadLetterLines, GapLines, Labelled, Messages, RawFilter, RawLines, StateLines};

/// Bytes of one stream that may be on their way to the cluster; the rest waits in the journal.
const ON_THEIR_WAY: usize = 4 << 20;

/// Between two stores of a cursor: what lies behind it comes again after a kill.
const CURSOR_EVERY: Duration = Duration::from_millis(250);

/// The stream whose topic is compacted.
pub(crate) const COMPACTED: &str = "state";

/// The stream whose way from the socket is timed.
const SIGNALS: &str = "signals";

/// Partitions of a new topic.
pub(crate) const PARTITIONS: i32 = 12;

/// What all sinks of this kind share.
pub(super) struct Topics {
    config: KafkaConfig,
    limit: Limit,
    auditor: Option<Auditor>,
    figures: Figures,
    telemetry: Telemetry,
}

/// What is to be seen of each stream that goes to a topic.
#[derive(Default)]
pub(super) struct Figures {
    /// What librdkafka counts.
    pub(super) producers: Vec<(&'static str, FiguresWatch)>,
    /// How far what was acknowledged is read back.
    pub(super) audits: Vec<(&'static str, AuditTrail)>,
}

impl Topics {
    /// Nothing when no sink writes to a topic.
    pub(super) fn of(config: &Config, telemetry: &Telemetry) -> Result<Option<Self>, StartError> {
        if config.storage.sinks().iter().all(|(_, sink)| sink.kind != SinkKind::Kafka) {
            return Ok(None);
        }
        let limit = match config.storage.journal.publish_after {
            PublishAfter::Append => Limit::Appended,
            PublishAfter::Fsync => Limit::Synced,
        };
        let client = config.kafka.client().map_err(|error| StartError::sink("kafka", &error))?;
        let auditor = config.kafka.audit.then(|| {
            let telemetry = telemetry.clone();
            let told = Box::new(move |difference: &Difference| telemetry.emit(&TopicDiffers { difference }));
            Auditor::start(&client, AuditPace::default(), told)
        });
        let auditor = auditor.transpose().map_err(|error| StartError::sink("kafka audit", &error))?;
        let (figures, telemetry) = (Figures::default(), telemetry.clone());
        Ok(Some(Self { config: client, limit, auditor, figures, telemetry }))
    }

    pub(super) fn sink<L: Labelled>(
        &mut self,
        stream: &'static str,
        topic: &str,
        lines: L,
    ) -> KafkaSink<Messages<L>> {
        let mut sink = KafkaSink::new(self.config.clone(), topic, Messages(lines));
        if stream == SIGNALS {
            let mut observe = socket_to_ack(&self.telemetry, stream);
            // One look at the clock for all that arrived together.
            sink = sink.timed(Box::new(move |received: &[u64]| observe(wall_ns(), received)));
        }
        self.figures.producers.push((stream, sink.figures()));
        let Some(auditor) = &self.auditor else { return sink };
        let trail = auditor.trail(stream, topic, stream == COMPACTED);
        self.figures.audits.push((stream, trail.clone()));
        sink.audited(trail)
    }

    /// A record is handed on as soon as it is there; acknowledgements come by themselves.
    pub(super) fn pace(&self) -> PumpConfig {
        PumpConfig {
            batch_bytes: ON_THEIR_WAY,
            deliver_interval: Duration::ZERO,
            limit: self.limit,
            cursor_interval: CURSOR_EVERY,
            ..PumpConfig::default()
        }
    }

    /// What is to be seen, and the audit, which ends with it.
    pub(super) fn split(self) -> (Figures, Option<Auditor>) {
        (self.figures, self.auditor)
    }
}

/// The topics that the configuration wants, each with what its records need.
#[must_use]
pub(crate) fn wanted(config: &Config, partitions: i32) -> Vec<Topic> {
    let storage = &config.storage;
    let wanted = |(stream, sink): &(&str, &SinkSettings)| {
        let retention = match *stream {
            "raw" => storage.raw_retention.as_millis().to_string(),
            // Ids are kept for seven days.
            _ => (7 * 24 * 3_600_000).to_string(),
        };
        let settings = match *stream {
            COMPACTED => vec![("cleanup.policy", "compact".to_owned())],
            _ => vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", retention)],
        };
        Topic { name: sink.topic.clone(), partitions, replication: None, settings }
    };
    storage.sinks().iter().filter(|(_, sink)| sink.kind == SinkKind::Kafka).map(wanted).collect()
}

/// The messages that the sink of this stream sends, of the journal of this identity.
pub(crate) fn messages(stream: &str, config: &Config, journal: Uuid) -> Option<Box<dyn Again>> {
    Some(match stream {
        "signals" => Box::new(Messages(signal_lines(config.storage.signal_key))),
        "gaps" => Box::new(Messages(GapLines)),
        "dead_letters" => Box::new(Messages(DeadLetterLines)),
        "state" => Box::new(Messages(StateLines)),
        "raw" => Box::new(Messages(RawLines::new(journal, RawFilter::default()))),
        _ => return None,
    })
}
