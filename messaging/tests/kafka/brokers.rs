//! Brokers that die, stop, come back, never were.

use std::time::Duration;

use messaging::kafka::KafkaConfig;
use test_services::{KafkaSetup, or_skip, shared_kafka, until};

use crate::proxy::Proxy;
use crate::rig::{Rig, create, judge, stored};

#[test]
fn everything_arrives_once_and_in_order() {
    let Some(brokers) = or_skip("kafka_order", shared_kafka()) else { return };
    create(&brokers, "order", 6, &[]);
    let mut rig = Rig::start(&brokers, "order");
    rig.append(20_000);
    let status = rig.delivered();
    assert_eq!((status.tally.lines, status.failing), (20_000, None));
    let Some(stored) = or_skip("kafka_order", stored(&brokers, "order")) else { return };
    assert_eq!(judge(&stored, 0..20_000), 0);
}

/// A missing topic holds its sink up, is told, and costs nothing once it is there.
#[test]
fn a_missing_topic_is_waited_for() {
    let Some(brokers) = or_skip("kafka_missing_topic", shared_kafka()) else { return };
    let mut rig = Rig::start(&brokers, "later");
    rig.append(500);
    let said =
        "topic later does not take records: UnknownTopicOrPartition (Broker: Unknown topic or partition)";
    rig.until("failing", |status| {
        status.failing.as_ref().is_some_and(|failing| failing.error.contains(said))
    });
    create(&brokers, "later", 3, &[]);
    rig.append(500);
    assert_eq!(rig.delivered().failing, None);
    let Some(stored) = or_skip("kafka_missing_topic", stored(&brokers, "later")) else { return };
    judge(&stored, 0..1_000);
}

/// Fault row 71: acks=all, two of three replicas: whoever is killed, nothing acknowledged is lost.
#[test]
fn a_leader_may_die() {
    let Some(kafka) = or_skip("kafka_leader", KafkaSetup::three().start()) else { return };
    create(&kafka.bootstrap(), "led", 6, &[]);
    let mut rig = Rig::start(&kafka.bootstrap(), "led");
    for id in 1..=3 {
        rig.append(5_000);
        kafka.kill(id).unwrap();
        rig.append(5_000);
        rig.delivered();
        kafka.restart(id).unwrap();
    }
    rig.append(5_000);
    rig.delivered();
    let Some(stored) = or_skip("kafka_leader", stored(&kafka.bootstrap(), "led")) else { return };
    let repeats = judge(&stored, 0..rig.appended());
    println!("three leaders killed: {} records, {repeats} repeats", rig.appended());
}

/// Fault rows 72 and 77: no broker, then one that answers nothing, while 100,000 records come; the journal waits, and what is on its way
/// stays small.
#[test]
fn what_nobody_takes_waits_in_the_journal() {
    let Some(kafka) = or_skip("kafka_away", KafkaSetup::one().start()) else { return };
    create(&kafka.bootstrap(), "away", 6, &[]);
    let mut rig = Rig::start(&kafka.bootstrap(), "away");
    rig.append(1_000);
    rig.delivered();
    kafka.kill(1).unwrap();
    rig.append(100_000);
    let status = rig.until("failing", |status| status.failing.is_some());
    println!("broker killed: {}", status.failing.unwrap().error);
    kafka.restart(1).unwrap();
    assert_eq!(rig.delivered().failing, None);
    kafka.freeze(1).unwrap();
    rig.append(20_000);
    rig.until("failing", |status| status.failing.is_some());
    kafka.thaw(1).unwrap();
    rig.delivered();
    let Some(stored) = or_skip("kafka_away", stored(&kafka.bootstrap(), "away")) else { return };
    let repeats = judge(&stored, 0..rig.appended());
    println!("killed and stopped: {} records, {repeats} repeats", rig.appended());
}

/// Fault row 74: the broker stores a batch, and its answer is lost with the connection, ten times. What is sent again is there once:
/// the broker knows its number.
#[test]
fn an_answer_may_be_lost() {
    let proxy = Proxy::start();
    let advertised = format!("PLAINTEXT://{}", proxy.address);
    let setup = KafkaSetup::one().property("advertised.listeners", &advertised);
    let Some(kafka) = or_skip("kafka_lost_answers", setup.start()) else { return };
    proxy.aim(kafka.bootstrap().parse().unwrap());
    let brokers = proxy.address.to_string();
    create(&brokers, "answers", 3, &[]);
    let mut rig = Rig::start(&brokers, "answers");
    rig.append(100);
    rig.delivered();
    for round in 1..=10 {
        proxy.lose_one();
        rig.append(200);
        until(Duration::from_secs(60), || (proxy.lost() >= round).then_some(())).unwrap();
    }
    rig.delivered();
    let Some(stored) = or_skip("kafka_lost_answers", stored(&brokers, "answers")) else { return };
    let repeats = judge(&stored, 0..rig.appended());
    println!("{} answers lost: {} records, {repeats} repeats", proxy.lost(), rig.appended());
    assert_eq!(repeats, 0);
}

/// Fault row 76: the broker forgets everything, the producer's numbers too. What it had acknowledged is gone with it; what comes after
/// is there, in order.
#[test]
fn a_broker_that_forgot_everything_gets_the_rest() {
    let Some(kafka) = or_skip("kafka_wiped", KafkaSetup::one().start()) else { return };
    create(&kafka.bootstrap(), "wiped", 3, &[]);
    let mut rig = Rig::start(&kafka.bootstrap(), "wiped");
    rig.append(3_000);
    rig.delivered();
    kafka.kill(1).unwrap();
    kafka.wipe(1).unwrap();
    rig.append(3_000);
    kafka.restart(1).unwrap();
    create(&kafka.bootstrap(), "wiped", 3, &[]);
    rig.append(3_000);
    rig.delivered();
    let Some(stored) = or_skip("kafka_wiped", stored(&kafka.bootstrap(), "wiped")) else { return };
    judge(&stored, 3_000..9_000);
}

/// A cluster that is not there at all is told in one line, and waited for.
#[test]
fn an_address_where_nobody_is_is_told() {
    let config = KafkaConfig { linger: Duration::ZERO, ..KafkaConfig::new("127.0.0.1:1") };
    let mut rig = Rig::with(&config, "nowhere", true);
    rig.append(10);
    let said = rig.until("failing", |status| status.failing.is_some()).failing.unwrap().error;
    assert!(said.contains("127.0.0.1:1") && said.contains("Connection refused"), "{said}");
    assert_eq!(rig.status().delivered, 1_000, "nothing is called delivered");
}
