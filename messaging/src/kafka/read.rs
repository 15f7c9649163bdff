//! A topic read once, as far as it goes now: for audits. It joins no group and stores no offset.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataPartition;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::config::KafkaConfig;

/// One stored message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stored<'a> {
    /// Where.
    pub partition: i32,
    /// Its number there.
    pub offset: i64,
    /// Its key; empty without one.
    pub key: &'a [u8],
    /// Its content; `None` of a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Why a topic was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadTopicError {
    /// The cluster cannot be asked, or said no.
    #[error("topic {topic} cannot be read")]
    Kafka {
        /// Which.
        topic: String,
        /// What was said.
        #[source]
        source: KafkaError,
    },
    /// There is no such topic.
    #[error("there is no topic {topic}")]
    Missing {
        /// Which.
        topic: String,
    },
    /// Nothing came for so long although there is more.
    #[error("topic {topic}: nothing came for {patience:?}, and its end is not reached")]
    Silent {
        /// Which.
        topic: String,
        /// How long.
        patience: Duration,
    },
}

/// Gives `take` every message of the topic that is there now, each partition in its order; whether no partition has lost its beginning.
/// Nothing may stand still for longer than `patience`.
///
/// # Errors
/// [`ReadTopicError`]; what was taken until then is a part of the topic.
pub fn read_topic(
    config: &KafkaConfig,
    topic: &str,
    patience: Duration,
    mut take: impl FnMut(&Stored<'_>),
) -> Result<bool, ReadTopicError> {
    let failed = |source| ReadTopicError::Kafka { topic: topic.to_owned(), source };
    let mut client = config.client();
    // A name is wanted, no group is joined.
    client.set("group.id", "ingestion-audit").set("enable.auto.commit", "false");
    client.set("enable.partition.eof", "true").set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer = client.create().map_err(failed)?;
    let metadata = consumer.fetch_metadata(Some(topic), patience).map_err(failed)?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic && found.error().is_none())
        .flat_map(|found| found.partitions().iter().map(MetadataPartition::id))
        .collect();
    if partitions.is_empty() {
        return Err(ReadTopicError::Missing { topic: topic.to_owned() });
    }
    let mut wanted = TopicPartitionList::new();
    let mut is_whole = true;
    for partition in &partitions {
        let (low, _) = consumer.fetch_watermarks(topic, *partition, patience).map_err(failed)?;
        is_whole &= low == 0;
        wanted.add_partition_offset(topic, *partition, Offset::Beginning).map_err(failed)?;
    }
    consumer.assign(&wanted).map_err(failed)?;
    let mut left: BTreeSet<i32> = partitions.into_iter().collect();
    while !left.is_empty() {
        match consumer.poll(patience) {
            None => return Err(ReadTopicError::Silent { topic: topic.to_owned(), patience }),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
            }
            Some(Err(source)) => return Err(failed(source)),
            // What came behind the end that was seen is not of this reading.
            Some(Ok(message)) if !left.contains(&message.partition()) => {}
            Some(Ok(message)) => take(&Stored {
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().unwrap_or_default(),
                value: message.payload(),
            }),
        }
    }
    Ok(is_whole)
}
