//! One round of reading a topic back: ends of partitions are asked, then all checkpoints of the round are read by one assignment.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{ClientContext, Message as _};
use tracing::debug;

use super::trail::{Part, hash_of};
use super::verify::Verify;
use crate::kafka::config::KafkaConfig;

/// A broker that says nothing for so long is asked again in the next round.
const PATIENCE: Duration = Duration::from_secs(5);

/// Partitions, and what is to be found out of them, or was.
pub(super) type Parts = BTreeMap<i32, Part>;

/// What a round found out.
#[derive(Default)]
pub(super) struct Round {
    /// With what is left to be read.
    pub(super) parts: Parts,
    pub(super) bytes: u64,
    /// Why not everything was read.
    pub(super) error: Option<String>,
}

/// A consumer, made when there is something to read, and anew after an error.
pub(super) struct Reader {
    config: KafkaConfig,
    consumer: Option<BaseConsumer<Quiet>>,
}

/// What a round cannot do is told once by the trail: librdkafka's own words are for whoever looks closer.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "the audit's consumer");
    }
}

impl ConsumerContext for Quiet {}

impl Reader {
    pub(super) fn new(config: &KafkaConfig) -> Self {
        Self { config: config.clone(), consumer: None }
    }

    /// Reads back what `parts` want of a topic.
    pub(super) fn round(&mut self, topic: &str, may_compact: bool, mut parts: Parts) -> Round {
        let (mut verifies, mut bytes) = (BTreeMap::new(), 0);
        let done = self.consumer().and_then(|consumer| {
            prepare(consumer, topic, may_compact, &mut parts, &mut verifies)?;
            read(consumer, topic, &mut verifies, &mut bytes)
        });
        parts.extend(verifies.into_iter().map(|(partition, verify)| (partition, verify.done())));
        if done.is_err() {
            self.consumer = None;
        }
        Round { parts, bytes, error: done.err().map(|error| error.to_string()) }
    }

    fn consumer(&mut self) -> KafkaResult<&BaseConsumer<Quiet>> {
        let consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => self.connect()?,
        };
        Ok(self.consumer.insert(consumer))
    }

    fn connect(&self) -> KafkaResult<BaseConsumer<Quiet>> {
        let mut client = self.config.client();
        // A name is wanted, no group is joined.
        client.set("group.id", "ingestion-audit").set("enable.auto.commit", "false");
        client.set("enable.partition.eof", "true").set("allow.auto.create.topics", "false");
        client.set("check.crcs", "true");
        // Little is read ahead: the next round reads elsewhere.
        client.set("queued.min.messages", "1000").set("queued.max.messages.kbytes", "4096");
        client.set("fetch.message.max.bytes", "262144");
        client.create_with_context(Quiet)
    }
}

/// Asks where each partition begins and ends. One that ends before what was acknowledged is not read.
fn prepare(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    may_compact: bool,
    parts: &mut Parts,
    verifies: &mut BTreeMap<i32, Verify>,
) -> KafkaResult<()> {
    for (partition, part) in parts {
        match consumer.fetch_watermarks(topic, *partition, PATIENCE) {
            Ok((low, high)) if part.newest < high => {
                part.is_whole = true;
                verifies.insert(*partition, Verify::new(std::mem::take(part), low, may_compact));
            }
            Ok((_, high)) => part.ends = Some(high),
            // There is no such topic, or it has fewer partitions now.
            Err(error) if is_gone(&error) => part.ends = Some(0),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_gone(error: &KafkaError) -> bool {
    let gone = [Code::UnknownTopicOrPartition, Code::UnknownTopic, Code::UnknownPartition];
    error.rdkafka_error_code().is_some_and(|code| gone.contains(&code))
}

/// Gives every record to whoever wants its partition, until nobody wants any more.
fn read(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    verifies: &mut BTreeMap<i32, Verify>,
    bytes: &mut u64,
) -> KafkaResult<()> {
    let mut wanted = TopicPartitionList::new();
    for (partition, verify) in verifies.iter() {
        if let Some(from) = verify.wants() {
            wanted.add_partition_offset(topic, *partition, Offset::Offset(from))?;
        }
    }
    if wanted.count() == 0 {
        return Ok(());
    }
    consumer.assign(&wanted)?;
    let mut poll = || {
        while verifies.values().any(|verify| verify.wants().is_some()) {
            match consumer.poll(PATIENCE) {
                None => return Err(KafkaError::MessageConsumption(Code::OperationTimedOut)),
                Some(Ok(message)) => {
                    *bytes += message.payload_len() as u64;
                    if let Some(verify) = verifies.get_mut(&message.partition()) {
                        verify.take(message.offset(), hash_of(message.payload()));
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if let Some(verify) = verifies.get_mut(&partition) {
                        verify.ended();
                    }
                }
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    };
    let done = poll();
    consumer.unassign()?;
    done
}
