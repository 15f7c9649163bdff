//! Members of a group that are killed at random moments while a topic grows; one joins later, a guest without a name comes and is killed
//! for good, so that partitions change hands.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use messaging::kafka::{KafkaConfig, Topic, create_topics};
use messaging::storage::Seed;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use test_services::{kafka_tool, or_skip, until};

use crate::member::Member;
use crate::stream::{Line, Stream, Truth};

const LONG: Duration = Duration::from_secs(120);
/// Records between two kills.
const CHUNK: usize = 1_200;

/// The program with these words.
type Run = Box<dyn Fn(&[&str]) -> Command>;

pub(crate) struct Drill {
    pub(crate) name: &'static str,
    pub(crate) brokers: String,
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    pub(crate) command: Run,
}

impl Drill {
    /// One that was away while records were deleted says so and ends.
    pub(crate) fn lose(self) {
        let Self { name, brokers, seed, command, .. } = self;
        let topic = format!("deleted-{name}");
        create(&brokers, &topic, 1);
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store").display().to_string();
        let words = [brokers.as_str(), &topic, &store, "a"];
        let (mut stream, producer) = (Stream::new(seed), producer(&brokers));
        send(&producer, &topic, &stream.chunk(20));
        let mut member = Member::start(command(&words));
        member.listen(1, LONG);
        assert!(member.commits > 0, "{name}: it reads");
        member.kill();
        send(&producer, &topic, &stream.chunk(2_000));
        producer.flush(LONG).unwrap();
        let wanted = folder.path().join("wanted.json");
        let text =
            format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":1500}}],"version":1}}"#);
        std::fs::write(&wanted, text).unwrap();
        let delete = ["--bootstrap-server", &brokers, "--offset-json-file", wanted.to_str().unwrap()];
        if or_skip("consumer_deleted", kafka_tool("DeleteRecordsCommand", &delete)).is_none() {
            return;
        }
        let said = Member::start(command(&words)).all_it_says(LONG);
        let told = format!("topic {topic}: records were deleted before they were read");
        assert!(said.contains(&told), "{name}: {said}");
    }
}

fn create(brokers: &str, topic: &str, partitions: i32) {
    let settings = vec![("retention.ms", "-1".to_owned())];
    let wanted = Topic { name: topic.to_owned(), partitions, replication: None, settings };
    create_topics(&KafkaConfig::new(brokers), &[wanted], LONG).unwrap().remove(0).unwrap();
}

/// What the program shows.
#[derive(Debug, Eq, PartialEq)]
struct Shown {
    truth: Truth,
    read: u64,
    repeats: u64,
}

impl Drill {
    pub(crate) fn run(self) {
        let Self { name, brokers, kills, seed, command } = self;
        println!("{name}: seed {seed}, {kills} kills");
        let topic = format!("consumed-{name}");
        create(&brokers, &topic, 6);
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store").display().to_string();
        let start = |instance: &[&str]| {
            Member::start(command(&[&[brokers.as_str(), &topic, &store][..], instance].concat()))
        };

        let (mut stream, mut seed) = (Stream::new(seed), Seed(seed));
        let producer = producer(&brokers);
        let mut members = vec![("a", start(&["a"]))];
        let mut reading = 0;
        for kill in 0..kills {
            if kill == kills / 3 {
                members.push(("b", start(&["b"])));
            }
            if kill == 2 * kills / 3 {
                members.push(("", start(&[])));
            }
            // It arrives while they read and are killed.
            send(&producer, &topic, &stream.chunk(CHUNK));
            let victim = seed.index(members.len());
            let (instance, mut member) = members.swap_remove(victim);
            if seed.chance(300) {
                // As it starts, joins, is given partitions.
                member.listen(u64::MAX, Duration::from_millis(seed.below(700)));
            } else {
                let commits = member.commits + 1 + seed.below(3);
                member.listen(commits, Duration::from_secs(3));
                member.listen(u64::MAX, Duration::from_micros(seed.below(30_000)));
            }
            assert!(member.lives(), "{name}: it ended by itself; the last it said: {:?}", member.last);
            reading += u64::from(member.commits > 0);
            member.kill();
            if !instance.is_empty() {
                members.push((instance, start(&[instance])));
            }
        }
        send(&producer, &topic, &stream.rest());
        producer.flush(LONG).unwrap();

        let shown = || shown(&command(&["--show", &store]));
        let found =
            until(LONG, || shown().filter(|shown| shown.read >= stream.sent)).expect("everything is read");
        drop(members);
        assert_eq!(found.read, stream.sent, "{name}: every record is looked at once");
        for (market, truth) in &stream.truth.markets {
            assert_eq!(found.truth.markets.get(market), Some(truth), "{name}: {market}");
        }
        assert_eq!(found.truth, stream.truth, "{name}");
        let (applied, skipped) = (found.truth.applied, found.truth.skipped);
        println!(
            "{name}: {kills} kills, {reading} of them of one that had committed; {} records, {applied} applied, {} repeats, {skipped} skipped: exact",
            found.read, found.repeats
        );
    }
}

fn producer(brokers: &str) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("partitioner", "murmur2_random");
    config.set("enable.idempotence", "true").set("linger.ms", "1");
    config.set("queue.buffering.max.messages", "1000000").create().unwrap()
}

/// Hands them over; they go by themselves.
fn send(producer: &BaseProducer, topic: &str, lines: &[Line]) {
    for line in lines {
        let mut record = BaseRecord::to(topic).key(&line.key).timestamp(line.ms);
        if let Some(value) = &line.value {
            record = record.payload(value);
        }
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
}

fn shown(command: &Command) -> Option<Shown> {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    again.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = again.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut markets = BTreeMap::new();
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [influencer, market, "sum", sum, "count", count, "position", position] => {
                let total = (sum.to_owned(), count.parse().unwrap(), position.to_owned());
                markets.insert(format!("{influencer} {market}"), total);
            }
            ["read", read, "applied", applied, "repeats", repeats, "skipped", skipped] => {
                let number = |text: &str| text.parse().unwrap();
                let truth = Truth { markets, applied: number(applied), skipped: number(skipped) };
                return Some(Shown { truth, read: number(read), repeats: number(repeats) });
            }
            _ => {}
        }
    }
    None
}
