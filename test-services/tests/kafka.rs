//! Kafka as the tests get it, judged by kcat and by its own tools.

use test_services::{Error, Kafka, KafkaSetup, Secured, kafka_tool, kcat, kcat_fed, or_skip, shared_kafka};

fn create(kafka: &Kafka, topic: &str) {
    let made =
        kafka.tool("TopicCommand", &["--create", "--topic", topic, "--partitions", "1"]).expect("a topic");
    assert!(made.contains(&format!("Created topic {topic}.")), "{made}");
}

fn produce(bootstrap: &str, topic: &str, lines: &str) -> Result<String, Error> {
    kcat_fed(&["-b", bootstrap, "-P", "-t", topic, "-X", "acks=all", "-X", "message.timeout.ms=30000"], lines)
}

fn consume(bootstrap: &str, topic: &str) -> Result<String, Error> {
    kcat(&["-q", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e"])
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_not_after_a_wipe() {
    let test = "what_was_acknowledged_is_there_after_a_kill_and_not_after_a_wipe";
    if or_skip(test, kcat(&["-V"])).is_none() {
        return;
    }
    let Some(kafka) = or_skip(test, Kafka::start()) else { return };
    create(&kafka, "kept");
    produce(&kafka.bootstrap(), "kept", "one\ntwo\n").unwrap();
    assert!(kafka.log_dir(1).unwrap().join("kept-0").is_dir());
    assert!(kafka.wipe(1).is_err(), "not under a running broker");
    kafka.kill(1).unwrap();
    assert!(kafka.kill(1).is_err() && kafka.kill(2).is_err());
    kafka.restart(1).unwrap();
    assert_eq!(consume(&kafka.bootstrap(), "kept").unwrap(), "one\ntwo\n");

    kafka.kill(1).unwrap();
    kafka.wipe(1).unwrap();
    kafka.restart(1).unwrap();
    assert_eq!(kafka.tool("TopicCommand", &["--list"]).unwrap().trim(), "");
}

#[test]
fn a_killed_broker_of_three_is_not_missed_and_a_frozen_one_goes_on() {
    let test = "a_killed_broker_of_three_is_not_missed_and_a_frozen_one_goes_on";
    if or_skip(test, kcat(&["-V"])).is_none() {
        return;
    }
    let Some(kafka) = or_skip(test, KafkaSetup::three().start()) else { return };
    create(&kafka, "kept");
    produce(&kafka.bootstrap(), "kept", "one\n").unwrap();
    kafka.kill(2).unwrap();
    produce(&kafka.bootstrap(), "kept", "two\n").unwrap();
    kafka.restart(2).unwrap();
    kafka.freeze(3).unwrap();
    kafka.thaw(3).unwrap();
    kafka.wait_ready().unwrap();
    assert_eq!(consume(&kafka.bootstrap(), "kept").unwrap(), "one\ntwo\n");
}

#[test]
fn a_secured_listener_lets_known_users_in() {
    let test = "a_secured_listener_lets_known_users_in";
    if or_skip(test, kcat(&["-V"])).is_none() {
        return;
    }
    let setup = KafkaSetup::one().user("ingestion", "s3cret").property("log.retention.hours", "7");
    let Some(kafka) = or_skip(test, setup.start()) else { return };
    let secured = kafka.secured().expect("it was asked for");
    let seen = by_kcat(secured, "s3cret").unwrap();
    assert!(seen.contains(&secured.bootstrap()), "{seen}");
    assert!(by_kcat(secured, "wrong").is_err());
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        by_java(secured, mechanism, "s3cret").unwrap();
    }
    let refused = by_java(secured, "SCRAM-SHA-512", "wrong").unwrap_err().to_string();
    assert!(refused.contains("SaslAuthenticationException"), "{refused}");
    let described = ["--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"];
    let described = kafka.tool("kafka.admin.ConfigCommand", &described).unwrap();
    assert!(described.contains("log.retention.hours=7"), "the caller's line counts: {described}");
}

fn by_kcat(secured: &Secured, password: &str) -> Result<String, Error> {
    let authority = format!("ssl.ca.location={}", secured.ca_file().display());
    let password = format!("sasl.password={password}");
    let properties = [
        "security.protocol=sasl_ssl",
        &authority,
        "sasl.mechanism=PLAIN",
        "sasl.username=ingestion",
        &password,
    ];
    let bootstrap = secured.bootstrap();
    let mut args = vec!["-b", &bootstrap, "-L", "-m", "10"];
    args.extend(properties.iter().flat_map(|property| ["-X", property]));
    kcat(&args)
}

fn by_java(secured: &Secured, mechanism: &str, password: &str) -> Result<String, Error> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "\
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.mechanism={mechanism}
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=ingestion password={password};
",
        authority = secured.ca_file().display(),
    );
    std::fs::write(file.path(), text).expect("written");
    let config = file.path().to_str().expect("a path");
    kafka_tool(
        "TopicCommand",
        &["--bootstrap-server", &secured.bootstrap(), "--command-config", config, "--list"],
    )
}

#[test]
fn the_shared_broker_is_one_and_its_tools_read_it() {
    let test = "the_shared_broker_is_one_and_its_tools_read_it";
    let Some(bootstrap) = or_skip(test, shared_kafka()) else { return };
    assert_eq!(shared_kafka().unwrap(), bootstrap);
    let topic = format!("shared-{}", std::process::id());
    let words = ["--bootstrap-server", &bootstrap, "--create", "--topic", &topic];
    kafka_tool("TopicCommand", &words).unwrap();
    let words = ["--bootstrap-server", &bootstrap, "--topic", &topic];
    assert_eq!(kafka_tool("GetOffsetShell", &words).unwrap().trim(), format!("{topic}:0:0"));
    let failed = kafka_tool("TopicCommand", &["--bootstrap-server", &bootstrap, "--frobnicate"]).unwrap_err();
    assert!(failed.to_string().contains("frobnicate"), "{failed}");
}
