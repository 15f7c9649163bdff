//! Messages sent by hand.

use std::time::Duration;

use messaging::kafka::{Compression, KafkaConfig, Message, Placed, ResendError, Resender};
use test_services::{kcat, or_skip, shared_kafka};

use crate::rig::create;

const PATIENCE: Duration = Duration::from_secs(60);

fn message(key: &str, value: &[u8]) -> Message {
    let headers = vec![("id", key.as_bytes().to_vec())];
    let (key, value, timestamp_ms) = (key.into(), value.into(), 1_790_000_000_123);
    Message { key, value, headers, timestamp_ms, ..Message::default() }
}

/// Each is stored where it says, as it was given; one that the topic does not take is told, and the next one goes.
#[test]
fn each_message_is_placed_or_told() {
    let Some(brokers) = or_skip("kafka_resend", shared_kafka()) else { return };
    create(&brokers, "resent", 1, &[("max.message.bytes", "2000")]);
    let config = KafkaConfig { compression: Compression::None, ..KafkaConfig::new(&*brokers) };
    let mut sender = Resender::new(&config).unwrap();
    let mut send = |value: &[u8]| sender.send("resent", &message("k", value), PATIENCE);
    assert_eq!(send(b"one"), Ok(Placed { partition: 0, offset: 0 }));
    let told = send(&[b'x'; 5_000]).unwrap_err();
    assert!(matches!(&told, ResendError::Refused { why, .. } if why.contains("too large")), "{told}");
    assert_eq!(send(b"two"), Ok(Placed { partition: 0, offset: 1 }));
    let format = "%k %h %T %s\\n";
    let read = kcat(&["-b", &brokers, "-C", "-t", "resent", "-e", "-q", "-o", "beginning", "-f", format]);
    let Some(stored) = or_skip("kafka_resend", read) else { return };
    assert_eq!(stored, "k id=k 1790000000123 one\nk id=k 1790000000123 two\n");
}

/// What is wrong with a topic is no message's fault.
#[test]
fn a_topic_that_is_not_there_refuses_no_message() {
    let Some(brokers) = or_skip("kafka_resend_nowhere", shared_kafka()) else { return };
    let mut sender = Resender::new(&KafkaConfig::new(&*brokers)).unwrap();
    let told = sender.send("nowhere", &message("k", b"one"), PATIENCE).unwrap_err();
    assert!(matches!(told, ResendError::Unavailable { .. }), "{told}");
}

/// Nobody answers: told after the patience, not waited for.
#[test]
fn a_cluster_that_is_away_is_not_waited_for() {
    let mut sender = Resender::new(&KafkaConfig::new("127.0.0.1:1")).unwrap();
    let told = sender.send("t", &message("k", b"one"), Duration::from_secs(1)).unwrap_err();
    assert!(matches!(told, ResendError::Unavailable { .. }), "{told}");
}
