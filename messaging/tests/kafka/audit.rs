//! What was acknowledged is read back from a real Kafka: a clean run has no difference, and what is taken away behind our back is told.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use messaging::kafka::{
    AuditPace, AuditStatus, AuditTrail, Auditor, Difference, Differs, KafkaConfig, Topic, create_topics,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use test_services::{KafkaSetup, kafka_tool, kcat_fed, or_skip, shared_kafka, until};

use crate::rig::{Rig, create, stored};

const LONG: Duration = Duration::from_secs(120);

/// Rounds without a pause; checkpoints of 1,000 records, and of no time: they are closed when the test wants it.
const BY_COUNT: AuditPace = AuditPace {
    checkpoint_records: 1_000,
    checkpoint_interval: Duration::from_secs(86_400),
    checkpoints_max: 64,
    bytes_per_second: 64 << 20,
    look_interval: Duration::from_millis(100),
};

/// The same, closed soon.
const SOON: AuditPace = AuditPace { checkpoint_interval: Duration::from_millis(100), ..BY_COUNT };

/// A topic that follows a journal, and an audit of it.
struct Audited {
    rig: Rig,
    trail: AuditTrail,
    told: Receiver<Difference>,
    _auditor: Auditor,
}

impl Audited {
    fn start(brokers: &str, topic: &str, pace: AuditPace, may_compact: bool) -> Self {
        let config = KafkaConfig::new(brokers);
        let (tell, told) = sync_channel(1_000);
        let tell = Box::new(move |difference: &Difference| drop(tell.send(difference.clone())));
        let auditor = Auditor::start(&config, pace, tell).unwrap();
        let trail = auditor.trail("numbers", topic, may_compact);
        Self { rig: Rig::audited(&config, topic, &trail), trail, told, _auditor: auditor }
    }

    fn append(&mut self, count: u64) {
        self.rig.append(count);
        self.rig.delivered();
    }

    fn until(&self, what: &str, is_so: impl Fn(&AuditStatus) -> bool) -> AuditStatus {
        let found = until(LONG, || Some(self.trail.status()).filter(|status| is_so(status)));
        found.unwrap_or_else(|| panic!("not {what}: {:?}", self.trail.status()))
    }

    /// Waits until everything acknowledged is read back or given up.
    fn done(&self) -> AuditStatus {
        self.until("read back", |status| status.lag == 0)
    }

    /// Waits for the next difference.
    fn told(&self) -> Difference {
        self.told.recv_timeout(LONG).unwrap_or_else(|_| panic!("nothing is told: {:?}", self.trail.status()))
    }

    /// Not one was told.
    fn nothing_told(&self) {
        assert_eq!(self.told.try_iter().collect::<Vec<_>>(), []);
    }
}

#[test]
fn a_clean_run_is_read_back_whole_and_nothing_is_told() {
    let Some(brokers) = or_skip("audit_clean", shared_kafka()) else { return };
    create(&brokers, "audited", 6, &[]);
    let mut audited = Audited::start(&brokers, "audited", SOON, false);
    for _ in 0..5 {
        audited.append(4_000);
    }
    let status = audited.done();
    assert_eq!(status, AuditStatus { audited: 20_000, ..AuditStatus::default() });
    audited.nothing_told();
}

#[test]
fn records_of_others_are_counted_and_no_alarm() {
    let Some(brokers) = or_skip("audit_foreign", shared_kafka()) else { return };
    create(&brokers, "shared", 1, &[]);
    let mut audited = Audited::start(&brokers, "shared", BY_COUNT, false);
    for _ in 0..4 {
        audited.append(250);
        let theirs = kcat_fed(&["-b", &brokers, "-P", "-t", "shared"], &"theirs\n".repeat(20));
        if or_skip("audit_foreign", theirs).is_none() {
            return;
        }
    }
    let status = audited.done();
    assert_eq!(status, AuditStatus { audited: 1_000, foreign: 60, ..AuditStatus::default() });
    audited.nothing_told();
}

#[test]
fn what_the_topic_deletes_at_its_beginning_is_no_alarm() {
    let Some(brokers) = or_skip("audit_deleted", shared_kafka()) else { return };
    create(&brokers, "shortened", 1, &[]);
    let mut audited = Audited::start(&brokers, "shortened", BY_COUNT, false);
    audited.append(600);
    let folder = tempfile::tempdir().unwrap();
    let wanted = folder.path().join("wanted.json");
    let text = r#"{"partitions":[{"topic":"shortened","partition":0,"offset":300}],"version":1}"#;
    std::fs::write(&wanted, text).unwrap();
    let wanted = wanted.display().to_string();
    let delete = ["--bootstrap-server", &brokers, "--offset-json-file", &wanted];
    if or_skip("audit_deleted", kafka_tool("DeleteRecordsCommand", &delete)).is_none() {
        return;
    }
    audited.append(1_400);
    let status = audited.done();
    assert_eq!(status, AuditStatus { audited: 1_000, not_auditable: 1_000, ..AuditStatus::default() });
    audited.nothing_told();
}

/// Deleted and made anew, a topic is empty: all of it is told, also what was read back long ago. Then it goes on.
#[test]
fn a_topic_that_is_made_anew_has_lost_everything() {
    let Some(brokers) = or_skip("audit_anew", shared_kafka()) else { return };
    create(&brokers, "anew", 1, &[]);
    let mut audited = Audited::start(&brokers, "anew", SOON, false);
    audited.append(3_000);
    audited.done();
    let delete = ["--bootstrap-server", &brokers, "--delete", "--topic", "anew"];
    if or_skip("audit_anew", kafka_tool("TopicCommand", &delete)).is_none() {
        return;
    }
    let told = audited.told();
    let lost = (told.topic.as_str(), told.partition, told.offsets, told.records, told.differs);
    assert_eq!(lost, ("anew", 0, (0, 2_999), 3_000, Differs::EndWentBack));
    create(&brokers, "anew", 1, &[]);
    audited.append(1_000);
    let status = audited.done();
    assert_eq!((status.audited, status.differing), (4_000, 3_000));
    assert_eq!(status.difference, Some(told.to_string()));
    audited.nothing_told();
}

/// Fault row 71: of two replicas one is away, the other one takes 500 records and dies, and the first comes back to lead without them.
#[test]
fn what_an_unclean_election_loses_is_told() {
    let setup = KafkaSetup::three().property("min.insync.replicas", "1");
    let setup = setup.property("unclean.leader.election.enable", "true");
    let Some(kafka) = or_skip("audit_unclean", setup.start()) else { return };
    let brokers = kafka.bootstrap();
    let settings = vec![("retention.ms", "-1".to_owned())];
    let wanted = Topic { name: "unclean".to_owned(), partitions: 1, replication: Some(2), settings };
    create_topics(&KafkaConfig::new(&*brokers), &[wanted], LONG).unwrap().remove(0).unwrap();
    let (leader, follower) = until(LONG, || replicas(&brokers, "unclean")).unwrap();
    let mut audited = Audited::start(&brokers, "unclean", SOON, false);
    audited.append(1_000);
    kafka.kill(follower).unwrap();
    audited.append(500);
    let status = audited.done();
    assert_eq!((status.audited, status.differing), (1_500, 0));
    kafka.kill(leader).unwrap();
    kafka.restart(follower).unwrap();
    let told = audited.told();
    println!("{told}");
    assert_eq!((told.offsets, told.records, told.differs), ((1_000, 1_499), 500, Differs::EndWentBack));
    audited.append(500);
    let status = audited.done();
    assert_eq!((status.audited, status.differing), (2_000, 500), "{status:?}");
    audited.nothing_told();
}

/// Who leads the topic's only partition, and who follows.
fn replicas(brokers: &str, topic: &str) -> Option<(u8, u8)> {
    let mut client = ClientConfig::new();
    let consumer: BaseConsumer = client.set("bootstrap.servers", brokers).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), LONG).ok()?;
    let partition = metadata.topics().first()?.partitions().first()?;
    let follower = partition.replicas().iter().find(|id| **id != partition.leader())?;
    Some((partition.leader().try_into().ok()?, (*follower).try_into().ok()?))
}

/// Fault row 71: a broker that had acknowledged records starts again without the last of them, as after an unclean election.
#[test]
fn a_tail_that_is_lost_is_told_also_when_others_took_its_place() {
    let Some(kafka) = or_skip("audit_tail", KafkaSetup::one().start()) else { return };
    for (topic, reappends) in [("tail", false), ("tail-again", true)] {
        create(&kafka.bootstrap(), topic, 1, &[]);
        let mut audited = Audited::start(&kafka.bootstrap(), topic, SOON, false);
        for _ in 0..20 {
            audited.append(50);
        }
        audited.done();
        kafka.lose_end(topic).unwrap();
        if reappends {
            audited.append(2_000);
        }
        let told = audited.told();
        let (first, last) = told.offsets;
        assert_eq!(
            (last, told.records, told.differs),
            (999, u64::try_from(1_000 - first).unwrap(), Differs::EndWentBack)
        );
        assert!(first > 0, "{told}");
        println!("{told}");
        audited.append(500);
        let status = audited.done();
        assert_eq!(status.differing, told.records, "{status:?}");
        audited.nothing_told();
    }
}

/// Records that vanish from the middle of a topic, one by one: a compaction that nobody has ordered is such a hand. Where a topic may
/// compact it is no alarm.
#[test]
fn records_that_vanish_from_the_middle_are_told() {
    let setup = KafkaSetup::one().property("log.cleaner.backoff.ms", "100");
    let Some(kafka) = or_skip("audit_middle", setup.start()) else { return };
    for (topic, may_compact) in [("middle", false), ("compacted", true)] {
        let brokers = kafka.bootstrap();
        let settings =
            [("cleanup.policy", "compact"), ("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.001")];
        create(&brokers, topic, 1, &settings);
        let mut audited = Audited::start(&brokers, topic, BY_COUNT, may_compact);
        // The part that is written to is left alone: these are enough of them, by their times, to begin another one.
        audited.append(500);
        audited.append(200);
        let compacted = || {
            let left = or_skip("audit_middle", stored(&brokers, topic)).map_or(0, |left| left.len() as u64);
            (left + 300 < audited.rig.appended()).then_some(left)
        };
        let Some(left) = until(LONG, compacted) else { panic!("{topic}: it is not compacted") };
        if left == 0 {
            return;
        }
        audited.append(1_000 - audited.rig.appended());
        let status = audited.done();
        println!("{topic}: {left} records were left before the end; {status:?}");
        assert_eq!((status.audited, status.foreign), (0, 0));
        if may_compact {
            assert_eq!((status.not_auditable, status.differing), (1_000, 0));
            audited.nothing_told();
        } else {
            let told = audited.told();
            assert_eq!((told.differs, told.offsets.0), (Differs::Missing, 0), "{told}");
            assert!(status.differing > 300 && status.differing + status.not_auditable == 1_000, "{status:?}");
        }
    }
}
