//! Topics made where they are missing; those that are there are left as they are.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::config::KafkaConfig;

/// A topic to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions; 1 or more.
    pub partitions: i32,
    /// Copies of each; `None`: as the cluster has it by default.
    pub replication: Option<i32>,
    /// Settings of the topic, for example `cleanup.policy`.
    pub settings: Vec<(&'static str, String)>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Made {
    /// It is new.
    New,
    /// It was there, with whatever settings.
    There,
}

/// A topic that could not be made, or a cluster that did not answer.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The cluster cannot be asked.
    #[error("kafka {brokers}: {source}")]
    Cluster {
        /// Whom.
        brokers: String,
        /// What was said.
        source: KafkaError,
    },
    /// The cluster does not make it.
    #[error("topic {name}: {why}")]
    Refused {
        /// Which.
        name: String,
        /// What was said.
        why: String,
    },
}

/// Makes the topics that are missing, within `timeout`; what became of each, in their order.
///
/// # Errors
/// [`TopicError`] when the cluster does not answer; a topic it does not make has one of its own.
pub fn create_topics(
    config: &KafkaConfig,
    topics: &[Topic],
    timeout: Duration,
) -> Result<Vec<Result<Made, TopicError>>, TopicError> {
    let failed = |source| TopicError::Cluster { brokers: config.brokers.clone(), source };
    let admin: AdminClient<DefaultClientContext> = config.client().create().map_err(failed)?;
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let wanted: Vec<NewTopic<'_>> = topics.iter().map(new_topic).collect();
    let made = futures_executor::block_on(admin.create_topics(&wanted, &options)).map_err(failed)?;
    Ok(made
        .into_iter()
        .map(|outcome| match outcome {
            Ok(_) => Ok(Made::New),
            Err((_, Code::TopicAlreadyExists)) => Ok(Made::There),
            Err((name, code)) => Err(TopicError::Refused { name, why: code.to_string() }),
        })
        .collect())
}

fn new_topic(topic: &Topic) -> NewTopic<'_> {
    let replication = TopicReplication::Fixed(topic.replication.unwrap_or(-1));
    let new = NewTopic::new(&topic.name, topic.partitions, replication);
    topic.settings.iter().fold(new, |new, (name, value)| new.set(name, value))
}
