//! Sinks that write to topics, and the topics themselves.

use std::time::Duration;

use messaging::journal::Limit;
use messaging::kafka::{KafkaConfig, KafkaSink, Topic};
use messaging::sink::PumpConfig;

use super::sinks::Figures;
use crate::config::{Config, PublishAfter, SecretError, SinkKind, SinkSettings};
use crate::render::{Labelled, Messages};

/// Bytes of one stream that may be on their way to the cluster; the rest waits in the journal.
const ON_THEIR_WAY: usize = 4 << 20;

/// Partitions of a new topic.
pub(crate) const PARTITIONS: i32 = 12;

/// What all sinks of this kind share.
pub(super) struct Topics {
    config: KafkaConfig,
    limit: Limit,
    figures: Figures,
}

impl Topics {
    /// Nothing when no sink writes to a topic.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, SecretError> {
        if config.storage.sinks().iter().all(|(_, sink)| sink.kind != SinkKind::Kafka) {
            return Ok(None);
        }
        let limit = match config.storage.journal.publish_after {
            PublishAfter::Append => Limit::Appended,
            PublishAfter::Fsync => Limit::Synced,
        };
        Ok(Some(Self { config: config.kafka.client()?, limit, figures: Vec::new() }))
    }

    pub(super) fn sink<L: Labelled>(
        &mut self,
        stream: &'static str,
        topic: &str,
        lines: L,
    ) -> KafkaSink<Messages<L>> {
        let sink = KafkaSink::new(self.config.clone(), topic, Messages(lines));
        self.figures.push((stream, sink.figures()));
        sink
    }

    /// A record is handed on as soon as it is there; acknowledgements come by themselves.
    pub(super) fn pace(&self) -> PumpConfig {
        PumpConfig {
            batch_bytes: ON_THEIR_WAY,
            deliver_interval: Duration::ZERO,
            limit: self.limit,
            ..PumpConfig::default()
        }
    }

    pub(super) fn figures(self) -> Figures {
        self.figures
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
            "state" => vec![("cleanup.policy", "compact".to_owned())],
            _ => vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", retention)],
        };
        Topic { name: sink.topic.clone(), partitions, replication: None, settings }
    };
    storage.sinks().iter().filter(|(_, sink)| sink.kind == SinkKind::Kafka).map(wanted).collect()
}
