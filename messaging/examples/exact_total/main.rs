//! An exact total of every influencer and market out of `influencer_signals`: the signed sizes added up, how many signals, the last
//! position. Each signal counts once, however often it was sent and however often this program is killed.
//!
//! `cargo run -p messaging --features kafka --example exact_total -- BROKERS TOPIC STORE [INSTANCE]` reads until it is killed, by any
//! signal at any moment; `-- --show STORE` prints the totals, also meanwhile. Several of these may share the work and the directory
//! `STORE`, each with an `INSTANCE` of its own: a name by which the group knows it again when it comes back.
//!
//! - Offsets are committed to no broker. They are in the store ([`ledger`]), in one line with what was made of the records before them:
//!   either both are there after a kill or neither is.
//! - Given partitions, it takes up their ledgers and goes on where those say. Taken away, it puts them down.
//! - `signalId` decides: one that was seen is a repeat, whatever its epoch and offset. A correction takes back what it supersedes.
//! - What is no `signal.v1` is named, counted and skipped.
//! - Records that were deleted before they were read are told, and end it: a total that lacks them would be wrong in silence.

pub(crate) mod ledger;
mod signal;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::{RDKafkaErrorCode as Code, RDKafkaRespErr};
use rdkafka::{ClientConfig, ClientContext, Message as _};

use ledger::{Ledger, Tally};
use signal::shown;

/// Records between two commits, at most: what a kill costs is reading them again.
const COMMIT_RECORDS: usize = 500;

/// Nothing came for so long: what was read is committed.
const IDLE: Duration = Duration::from_millis(100);

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

pub(crate) fn run(words: &[&str]) -> Result<(), Failed> {
    match words {
        ["--show", store] => show(Path::new(store)),
        [brokers, topic, store] => consume(brokers, topic, store, None),
        [brokers, topic, store, instance] => consume(brokers, topic, store, Some(instance)),
        _ => Err("wants BROKERS TOPIC STORE [INSTANCE], or --show STORE".into()),
    }
}

fn consume(brokers: &str, topic: &str, store: &str, instance: Option<&str>) -> Result<(), Failed> {
    std::fs::create_dir_all(store)?;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("exact-total-{topic}"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("session.timeout.ms", "6000");
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    let owner = Owner { store: store.into(), topic: topic.to_owned(), owned: Mutex::default() };
    let consumer: BaseConsumer<Owner> = config.create_with_context(owner)?;
    consumer.subscribe(&[topic])?;
    let mut taken = 0;
    loop {
        let polled = consumer.poll(IDLE);
        let mut owned = consumer.context().owned();
        if let Some(failed) = owned.failed.take() {
            return Err(failed.into());
        }
        match polled {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                let Some(ledger) = owned.ledgers.get_mut(&partition) else { continue };
                let ms = message.timestamp().to_millis().unwrap_or(0);
                if let Err(why) = ledger.take(offset, ms, message.payload()) {
                    tell(&format!("skipped: topic {topic}, partition {partition}, offset {offset}: {why}"));
                }
                taken += 1;
                if taken < COMMIT_RECORDS {
                    continue;
                }
            }
            Some(Err(KafkaError::MessageConsumption(Code::AutoOffsetReset))) => {
                let lost =
                    "records were deleted before they were read: the totals would be wrong from here on";
                return Err(format!("topic {topic}: {lost}").into());
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
            // Brokers that are away come back.
            Some(Err(error)) => tell(&format!("topic {topic}: {error}")),
            None => {}
        }
        owned.commit()?;
        taken = 0;
    }
}

/// Takes partitions up and puts them down, inside of `poll`.
struct Owner {
    store: PathBuf,
    topic: String,
    owned: Mutex<Owned>,
}

#[derive(Default)]
struct Owned {
    ledgers: BTreeMap<i32, Ledger>,
    failed: Option<String>,
}

impl Owned {
    fn commit(&mut self) -> Result<(), Failed> {
        let mut committed = 0;
        for ledger in self.ledgers.values_mut() {
            committed += u32::from(ledger.commit()?);
        }
        if committed > 0 {
            tell(&format!("committed {committed} partitions"));
        }
        Ok(())
    }
}

impl ClientContext for Owner {
    fn error(&self, _: KafkaError, reason: &str) {
        tell(&format!("topic {}: {reason}", self.topic));
    }
}

impl ConsumerContext for Owner {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, given: &mut TopicPartitionList) {
        let done = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.take_up(consumer, given)
        } else {
            self.put_down(consumer)
        };
        if let Err(error) = done {
            self.owned().failed = Some(error.to_string());
        }
    }
}

impl Owner {
    fn owned(&self) -> MutexGuard<'_, Owned> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_up(&self, consumer: &BaseConsumer<Self>, given: &mut TopicPartitionList) -> Result<(), Failed> {
        let partitions: Vec<i32> = given.elements().iter().map(TopicPartitionListElem::partition).collect();
        for partition in partitions {
            let ledger = Ledger::open(&self.store, partition)?;
            let from = ledger.next();
            given.set_partition_offset(
                &self.topic,
                partition,
                from.map_or(Offset::Beginning, Offset::Offset),
            )?;
            tell(&format!("partition {partition} from offset {}", from.unwrap_or(0)));
            self.owned().ledgers.insert(partition, ledger);
        }
        Ok(consumer.assign(given)?)
    }

    /// Whoever is given them next finds everything that was read, and the ledgers unlocked.
    fn put_down(&self, consumer: &BaseConsumer<Self>) -> Result<(), Failed> {
        let mut owned = self.owned();
        owned.commit()?;
        owned.ledgers.clear();
        Ok(consumer.unassign()?)
    }
}

fn show(store: &Path) -> Result<(), Failed> {
    let mut sum = Tally::default();
    for (name, total) in ledger::read_all(store, &mut sum)? {
        let (size, position) = (shown(total.sum), shown(total.position));
        tell(&format!("{name} sum {size} count {} position {position}", total.count));
    }
    let Tally { applied, repeats, skipped } = sum;
    tell(&format!(
        "read {} applied {applied} repeats {repeats} skipped {skipped}",
        applied + repeats + skipped
    ));
    Ok(())
}

/// A line to the person. That nobody listens stops no total.
fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
