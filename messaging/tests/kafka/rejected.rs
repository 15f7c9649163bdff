//! Records that a topic will never take.

use messaging::kafka::{Compression, KafkaConfig};
use test_services::{or_skip, shared_kafka};

use crate::rig::{Rig, create, judge, stored};

/// Larger than the topic takes, smaller than a client notices.
const TOO_LARGE: usize = 5_000;
const LIMIT: &str = "2000";

/// Fault row 75: three of 900 records are too large for the topic, in the middle of batches. Exactly those are told, and everything else
/// is there in order.
#[test]
fn exactly_the_records_that_are_too_large_are_told() {
    let Some(brokers) = or_skip("kafka_too_large", shared_kafka()) else { return };
    create(&brokers, "narrow", 1, &[("max.message.bytes", LIMIT)]);
    let config = KafkaConfig { compression: Compression::None, ..KafkaConfig::new(&*brokers) };
    let mut rig = Rig::with(&config, "narrow", true);
    for _ in 0..3 {
        // Small enough together for the topic's limit: a batch is a record to the broker.
        rig.append(299);
        rig.append_padded(TOO_LARGE);
    }
    let status = rig.delivered();
    let kept = rig.kept();
    let positions: Vec<u64> = kept.iter().map(|rejected| rejected.position).collect();
    assert_eq!(positions, [1_299, 1_599, 1_899], "{kept:?}");
    assert_eq!((status.tally.rejected, status.failing), (3, None));
    for rejected in &kept {
        assert!(rejected.value.len() > TOO_LARGE && rejected.target == "topic narrow", "{rejected:?}");
        assert!(rejected.why.contains("too large"), "{}", rejected.why);
    }
    let Some(stored) = or_skip("kafka_too_large", stored(&brokers, "narrow")) else { return };
    judge(&stored, (0..900).filter(|number| number % 300 != 299));
}

/// Where nobody keeps a refused record, nothing behind it in its partition is stored: it holds everything up, until the topic takes it.
#[test]
fn a_record_that_is_not_kept_elsewhere_holds_up_what_follows() {
    let Some(brokers) = or_skip("kafka_held_up", shared_kafka()) else { return };
    create(&brokers, "held", 1, &[("max.message.bytes", LIMIT)]);
    // Compression must not make it fit.
    let config = KafkaConfig { compression: Compression::None, ..KafkaConfig::new(&*brokers) };
    let mut rig = Rig::with(&config, "held", false);
    rig.append(5);
    rig.append_padded(TOO_LARGE);
    rig.append(100);
    let status = rig.until("told twice", |_| rig.kept().len() > 1);
    assert_eq!(status.delivered, 1_005);
    assert!(status.failing.unwrap().error.contains("position 1005"));
    let Some(held) = or_skip("kafka_held_up", stored(&brokers, "held")) else { return };
    judge(&held, 0..5);
    let alter = [
        "--alter",
        "--entity-type",
        "topics",
        "--entity-name",
        "held",
        "--add-config",
        "max.message.bytes=100000",
    ];
    let tool = test_services::kafka_tool(
        "kafka.admin.ConfigCommand",
        &[&["--bootstrap-server", &brokers], &alter[..]].concat(),
    );
    if or_skip("kafka_held_up", tool).is_none() {
        return;
    }
    assert_eq!(rig.delivered().tally.rejected, 0);
    let Some(stored) = or_skip("kafka_held_up", stored(&brokers, "held")) else { return };
    judge(&stored, 0..106);
}

/// What the client itself refuses is found without a broker's help.
#[test]
fn what_is_larger_than_a_client_sends_is_told_too() {
    let Some(brokers) = or_skip("kafka_too_large_for_us", shared_kafka()) else { return };
    create(&brokers, "wide", 1, &[]);
    let mut rig = Rig::start(&brokers, "wide");
    rig.append(10);
    rig.append_padded(1_500_000);
    rig.append(10);
    rig.delivered();
    assert_eq!(rig.kept().iter().map(|rejected| rejected.position).collect::<Vec<_>>(), [1_010]);
    let Some(stored) = or_skip("kafka_too_large_for_us", stored(&brokers, "wide")) else { return };
    judge(&stored, (0..21).filter(|number| *number != 10));
}
