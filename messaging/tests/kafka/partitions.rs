//! A Java client and ours put a key into the same partition.

use std::collections::BTreeMap;

use test_services::{kafka_tool_fed, kcat, or_skip, shared_kafka};

use crate::rig::{KEYS, Rig, create, key_of, stored};

#[test]
fn java_agrees_on_the_partition_of_a_key() {
    let Some(brokers) = or_skip("kafka_java_partition", shared_kafka()) else { return };
    create(&brokers, "ours", 12, &[]);
    create(&brokers, "javas", 12, &[]);
    let mut rig = Rig::start(&brokers, "ours");
    rig.append(KEYS);
    rig.delivered();
    let keys: String = (0..KEYS).map(|number| format!("{}|x\n", key_of(number))).collect();
    let properties = ["--property", "parse.key=true", "--property", "key.separator=|"];
    let producer = [&["--bootstrap-server", &brokers, "--topic", "javas"], &properties[..]].concat();
    let produced = kafka_tool_fed("ConsoleProducer", &producer, &keys);
    if or_skip("kafka_java_partition", produced).is_none() {
        return;
    }
    let format = ["-C", "-t", "javas", "-e", "-q", "-o", "beginning", "-f", "%k %p\\n"];
    let Some(javas) = or_skip("kafka_java_partition", kcat(&[&["-b", &brokers], &format[..]].concat()))
    else {
        return;
    };
    let javas: BTreeMap<String, i32> = javas
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(key, partition)| (key.to_owned(), partition.parse().unwrap()))
        .collect();
    let Some(ours) = or_skip("kafka_java_partition", stored(&brokers, "ours")) else { return };
    let ours: BTreeMap<String, i32> = ours.into_iter().map(|record| (record.key, record.partition)).collect();
    assert_eq!(ours.len(), usize::try_from(KEYS).unwrap());
    assert_eq!(ours, javas);
}
