//! The log that is in topics, for the audit: signals and gap records as any consumer reads them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use messaging::journal::Query;
use messaging::kafka::{KafkaConfig, Stored, read_topic};
use messaging::storage::DiskStorage;
use observability::causes;
use signal_domain::wire::v1::{GapV1, SignalV1};

use super::super::super::exit::Failure;
use super::super::super::setup;
use super::super::journal;
use super::log::{declared, entry, signals_of_journal};
use crate::audit::Audit;
use crate::config::{Config, SinkKind};
use crate::letters::Redrives;
use crate::record::{self, Body, Kind};

/// A topic that gives nothing for so long although it has more is not waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The cluster, where the signals go to a topic.
pub(super) fn cluster(config: &Config) -> Result<KafkaConfig, Failure> {
    if config.storage.signals.kind != SinkKind::Kafka {
        return Err(Failure::Usage(
            "--kafka: signals go to no topic (signals.sink is not \"kafka\")".to_owned(),
        ));
    }
    config.kafka.client().map_err(|error| Failure::World(causes(&error)))
}

/// Takes the gap records of their topic.
pub(super) fn gaps(config: &Config, cluster: &KafkaConfig, audit: &mut Audit) -> Result<(), Failure> {
    let topic = &config.storage.gaps.topic;
    let whole = read(cluster, topic, |message| {
        let gap = GapV1::decode(message.value.unwrap_or_default()).map_err(|error| error.to_string())?;
        audit.gap(declared(&gap));
        Ok(())
    })?;
    if !whole {
        audit.older_gaps_deleted();
    }
    Ok(())
}

/// Takes what the topic of the signals had lost and was sent again, by the ledger of what was.
pub(super) fn resent(config: &Config, audit: &mut Audit) -> Result<(), Failure> {
    let storage = DiskStorage::new(setup::existing_data(config)?);
    let redrives = Redrives::read(&storage).map_err(|error| Failure::World(causes(&error)))?;
    let topic = &config.storage.signals.topic;
    if !redrives.any(topic) {
        return Ok(());
    }
    signals_of_journal(config, |_, signal| {
        if redrives.has(signal.signal_id, topic) {
            audit.resent(entry(signal)?);
        }
        Ok(())
    })
}

/// Takes what the topic of the signals refused, from the dead letters of the journal.
pub(super) fn refused(config: &Config, audit: &mut Audit) -> Result<(), Failure> {
    let refusals = Query { kinds: vec![Kind::Refusal as u8], ..Query::default() };
    journal::records(journal::open(config)?.select(refusals), |record| {
        let body = record::decode(record).map_err(|error| Failure::world("journal", error))?;
        let Some(Body::Refusal(refusal)) = body else { return Ok(()) };
        let payload = refusal.payload.filter(|_| refusal.reason == "rejected_by_sink").unwrap_or_default();
        // Dead letters of other topics are no signals.
        if let Ok(signal) = SignalV1::decode(payload)
            && let Ok(entry) = entry(&signal)
        {
            audit.refused(entry);
        }
        Ok(())
    })
}

/// Takes the signals of their topic; whether it begins with its first message.
pub(super) fn signals(config: &Config, cluster: &KafkaConfig, audit: &mut Audit) -> Result<bool, Failure> {
    let mut seen: HashMap<[u8; 16], u64> = HashMap::new();
    let mut signals = Vec::new();
    let whole = read(cluster, &config.storage.signals.topic, |message| {
        let value = message.value.unwrap_or_default();
        let signal = SignalV1::decode(value).map_err(|error| error.to_string())?;
        let mut hash = DefaultHasher::new();
        value.hash(&mut hash);
        match seen.insert(*signal.signal_id.as_bytes(), hash.finish()) {
            Some(before) if before == hash.finish() => audit.repeated(),
            Some(_) | None => signals.push(entry(&signal)?),
        }
        Ok(())
    })?;
    if !whole {
        audit.older_deleted();
    }
    signals.iter().for_each(|signal| audit.signal(signal));
    Ok(whole)
}

/// Reads a topic to its end; the first message that is none of ours fails it.
pub(in crate::cli::commands) fn read(
    cluster: &KafkaConfig,
    topic: &str,
    mut take: impl FnMut(&Stored<'_>) -> Result<(), String>,
) -> Result<bool, Failure> {
    let mut wrong = None;
    let whole = read_topic(cluster, topic, PATIENCE, |message| {
        if let (None, Err(error)) = (&wrong, take(message)) {
            wrong = Some(format!(
                "topic {topic}, partition {}, offset {}: {error}",
                message.partition, message.offset
            ));
        }
    });
    match wrong {
        Some(wrong) => Err(Failure::World(wrong)),
        None => whole.map_err(|error| Failure::World(causes(&error))),
    }
}
