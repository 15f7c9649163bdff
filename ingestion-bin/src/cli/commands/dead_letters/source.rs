//! Where dead letters are read: the files of the data directory, or their topic; also while a service writes them.

use std::sync::Arc;

use messaging::sink::lines::{Begin, Lines};
use messaging::storage::DiskStorage;
use signal_domain::wire::v1::DeadLetterV1;

use super::super::super::exit::Failure;
use super::super::super::setup;
use crate::config::{Config, SinkKind};

/// The stream's name: of its folder, too.
const STREAM: &str = "dead_letters";

/// Gives `take` every letter with its line: those of the files in the order of the journal, those of a topic as its partitions have them.
pub(super) fn read(
    config: &Config,
    from_topic: bool,
    mut take: impl FnMut(&DeadLetterV1<'_>, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let is_topic = config.storage.dead_letters.kind == SinkKind::Kafka;
    if from_topic {
        return if is_topic { topic(config, take) } else { Err(no_topic()) };
    }
    let directory = setup::existing_data(config)?;
    if is_topic && !directory.join(STREAM).is_dir() {
        let topic = &config.storage.dead_letters.topic;
        let told = format!("there are no files of dead letters: they go to topic {topic} (--kafka)");
        return Err(Failure::Usage(told));
    }
    let failed = |error| Failure::world("dead letters", error);
    let mut lines =
        Lines::open(Arc::new(DiskStorage::new(directory)), STREAM, Begin::Oldest).map_err(failed)?;
    while let Some(line) = lines.next_line().map_err(failed)? {
        let letter = DeadLetterV1::decode(line.bytes);
        let at = || format!("dead letter at {}", line.place);
        take(&letter.map_err(|error| Failure::world(&at(), error))?, line.bytes)?;
    }
    Ok(())
}

fn no_topic() -> Failure {
    Failure::Usage("--kafka: dead letters go to no topic (dead_letters.sink is not \"kafka\")".to_owned())
}

#[cfg(feature = "kafka")]
fn topic(
    config: &Config,
    mut take: impl FnMut(&DeadLetterV1<'_>, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    use observability::causes;

    let cluster = config.kafka.client().map_err(|error| Failure::World(causes(&error)))?;
    let mut failed = None;
    super::super::verify::read_topic(&cluster, &config.storage.dead_letters.topic, |message| {
        let line = message.value.unwrap_or_default();
        let letter = DeadLetterV1::decode(line).map_err(|error| error.to_string())?;
        // Told once the topic is read: nobody asks for the rest.
        if failed.is_none() {
            failed = take(&letter, line).err();
        }
        Ok(())
    })?;
    failed.map_or(Ok(()), Err)
}

/// A configuration with a topic is refused by a build without Kafka.
#[cfg(not(feature = "kafka"))]
fn topic(_: &Config, _: impl FnMut(&DeadLetterV1<'_>, &[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    Err(no_topic())
}
