//! The binary with a real Kafka: recorded fills arrive in `influencer_signals` as exactly the expected signals, in order, whatever is done
//! to the service, the broker or a record. Read back by `kcat`, a client that is not ours.
#![cfg(feature = "kafka")]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic and says what it saw"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use support::judge::{self, Allowed};
use support::play::{Play, stopped};
use support::scene::Scene;
use support::service::Service;
use support::topics::{LONG, REJECTED, Stage, counted, delivered, signals, stored, topics};
use support::{fixture, recorded_data};
use test_services::{Kafka, KafkaSetup, kcat, or_skip, shared_kafka, until};

/// Plays a segment into topics and judges what is in them.
fn play_to_topics(brokers: &str, fills: &Path, segment: Option<&str>, name: &str) -> (Play, usize) {
    let Stage { mut play, users, expected, count, rows } = Stage::set(brokers, fills, segment, name, "");
    let service = Service::start(&play.config, &[]);
    assert_eq!(play.venue.finished(), rows as u64);
    delivered(&service, count);
    stopped(service);

    let (found, repeats) = signals(brokers, &format!("{name}.signals"));
    assert_eq!((found.len(), repeats), (count, 0));
    judge::judge(&found, &expected, &Allowed { origins: &["live"], gaps: None, late: false });
    // A line of a topic is a line of `replay`, byte for byte; keys have one partition each.
    let (code, replayed, said) = play.ask(&["replay"]);
    assert_eq!(code, Some(0), "{said}");
    let mut lines: Vec<&[u8]> =
        replayed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let messages = stored(brokers, &format!("{name}.signals"));
    let mut values: Vec<&[u8]> = messages.iter().map(|message| message.value.as_slice()).collect();
    lines.sort_unstable();
    values.sort_unstable();
    assert!(lines == values, "the topic holds what `replay` gives");
    let partitions: BTreeMap<&str, i32> =
        messages.iter().map(|message| (message.key.as_str(), message.partition)).collect();
    assert!(messages.iter().all(|message| partitions[message.key.as_str()] == message.partition));

    let report = audited(&play, 0);
    let figures = ["signals", "repeats", "refused", "duplicates", "orderBreaks", "undeclared", "lost"];
    let found: Vec<u64> = figures.iter().map(|figure| report[*figure].as_u64().expect("a number")).collect();
    assert_eq!(found, [count as u64, 0, 0, 0, 0, 0, 0], "{report}");

    // Every accepted event is in the raw topic, with its type and its account as key.
    let raw = stored(brokers, &format!("{name}.raw"));
    let of_signals = raw.iter().filter(|message| message.json()["disposition"] == "signal").count();
    assert_eq!(of_signals, count);
    for message in &raw {
        let event = message.json();
        assert_eq!(event["eventType"], *message.headers["eventType"]);
        assert_eq!(event["account"].as_str().unwrap_or(&message.key), message.key);
    }
    // Each followed account is on the state topic.
    let states = stored(brokers, &format!("{name}.positions"));
    for user in &users {
        assert!(states.iter().any(|state| state.key == *user && !state.value.is_empty()), "{user}");
    }
    println!("{segment:?}: {count} signals, {} raw events, {} states", raw.len(), states.len());
    (play, count)
}

/// What `verify --kafka` says, which must end so.
fn audited(play: &Play, code: i32) -> Value {
    let (ended, report) = play.verify(&["--kafka"]);
    assert_eq!(ended, Some(code), "{report}");
    report
}

/// What was taken away behind our back is missed.
#[test]
fn our_fixture_arrives_exactly() {
    let Some(brokers) = or_skip("kafka_fixture", shared_kafka()) else { return };
    if or_skip("kafka_fixture", kcat(&["-V"])).is_none() {
        return;
    }
    let (play, count) = play_to_topics(&brokers, &fixture(), None, "fixture");
    let delete = ["--bootstrap-server", &brokers, "--delete", "--topic", "fixture.signals"];
    if or_skip("kafka_fixture", test_services::kafka_tool("TopicCommand", &delete)).is_none() {
        return;
    }
    let again = || (play.ask(&["topics", "create"]).0 == Some(0)).then(|| play.verify(&["--kafka"]).1);
    let empty = || again().filter(|report| report["signals"] == 0 && report["lost"] == count);
    let report = until(LONG, empty).expect("the new topic is empty, and that is told");
    assert_eq!(report["undeclared"], 0, "{report}");
    audited(&play, 1);
}

/// Fault row 71: what was acknowledged is read back while the service runs; when the topic is deleted behind its back, log, metrics, `/status`
/// and `/ready` say so. The other topics are as they were.
#[test]
fn what_a_topic_loses_raises_the_alarm() {
    let Some(brokers) = or_skip("kafka_audit", shared_kafka()) else { return };
    if or_skip("kafka_audit", kcat(&["-V"])).is_none() {
        return;
    }
    let Stage { play, count, .. } = Stage::set(&brokers, &fixture(), None, "audit", "");
    let service = Service::start(&play.config, &[]);
    delivered(&service, count);
    let audited = "ingestion_kafka_audit_records{stream=\"signals\"}";
    until(LONG, || (counted(&service, audited) == count).then_some(())).expect("every signal is read back");
    assert_eq!(service.get("/ready").0, 200);
    let delete = ["--bootstrap-server", &brokers, "--delete", "--topic", "audit.signals"];
    if or_skip("kafka_audit", test_services::kafka_tool("TopicCommand", &delete)).is_none() {
        return;
    }
    let differing = "ingestion_kafka_audit_differences_total{stream=\"signals\"}";
    until(LONG, || (counted(&service, differing) == count).then_some(())).expect("every signal is missed");
    let told = "acknowledged records are gone, the partition's end went back";
    let alarmed = || {
        let (code, why) = service.get("/ready");
        (code == 503 && why.contains("topic audit.signals, partition ") && why.contains(told)).then_some(())
    };
    until(LONG, alarmed).expect("it is not ready any more");
    let status = service.status();
    let audits: BTreeMap<&str, &Value> = status["audit"]
        .as_array()
        .expect("audits")
        .iter()
        .map(|of| (of["stream"].as_str().expect("a name"), of))
        .collect();
    let streams: Vec<&str> = audits.keys().copied().collect();
    assert_eq!(streams, ["dead_letters", "gaps", "raw", "signals", "state"]);
    for (stream, audit) in &audits {
        let lost = if *stream == "signals" { count } else { 0 };
        assert_eq!(audit["differing"], lost, "{audit}");
        assert_eq!(audit["skipped"], 0, "{audit}");
    }
    let printed = service.printed_status(&[]);
    assert!(printed.contains(&format!("different {count}, the newest: topic audit.signals, ")), "{printed}");
    let log = service.stop().log;
    let line = log.lines().find(|line| line.contains(told)).expect("a line of the log");
    println!("{line}");
    assert!(
        line.contains("ERROR")
            && line.contains("topic=\"audit.signals\" partition=")
            && line.contains(" first=0 last="),
        "{line}"
    );
}

#[test]
fn recorded_fills_arrive_exactly() {
    let Some(folder) = recorded_data() else { return };
    let Some(brokers) = or_skip("kafka_recorded", shared_kafka()) else { return };
    if or_skip("kafka_recorded", kcat(&["-V"])).is_some() {
        for segment in ["s3", "s4"] {
            play_to_topics(&brokers, &folder.join("fills.ndjson.gz"), Some(segment), segment);
        }
    }
}

/// A service and a broker that are killed again and again: nothing is lost, order holds, a repeat is of an id that is there already.
#[test]
fn service_and_broker_may_die_any_time() {
    let Some(kafka) = or_skip("kafka_kills", KafkaSetup::one().start()) else { return };
    if or_skip("kafka_kills", kcat(&["-V"])).is_none() {
        return;
    }
    let brokers = kafka.bootstrap();
    let Stage { play, expected, count, .. } = Stage::set(&brokers, &fixture(), None, "kills", "");
    for round in 0..6 {
        let service = Service::start(&play.config, &[]);
        if round % 2 == 0 {
            kill_and_restart(&kafka);
        }
        // Dropped is killed.
        drop(service);
    }
    let service = Service::start(&play.config, &[]);
    let end = || {
        let (found, repeats) = signals(&brokers, "kills.signals");
        (found.len() >= count).then_some((found, repeats))
    };
    let (found, repeats) = until(LONG, end).expect("every signal");
    // No broker has lost anything, and the audit does not say so.
    assert!(
        service.status()["audit"].as_array().expect("audits").iter().all(|audit| audit["differing"] == 0)
    );
    stopped(service);
    let origins = ["live", "snapshot", "backfill"];
    judge::judge(&found, &expected, &Allowed { origins: &origins, gaps: None, late: true });
    println!("6 kills of the service, 3 of the broker: {count} signals, {repeats} repeats");
}

fn kill_and_restart(kafka: &Kafka) {
    kafka.kill(1).expect("it runs");
    kafka.restart(1).expect("it starts again");
}

/// Fault row 75: a topic that takes no record of such a size. Each becomes a dead letter, and everything else arrives; fault row 84: also while
/// the topic of the dead letters is not there, whose sink waits and gives all of them once it is.
#[test]
fn what_a_topic_refuses_is_a_dead_letter() {
    let Some(brokers) = or_skip("kafka_refused", shared_kafka()) else { return };
    if or_skip("kafka_refused", kcat(&["-V"])).is_none() {
        return;
    }
    let more = "compression = \"none\"\n";
    let Stage { play, count, .. } = Stage::set(&brokers, &fixture(), None, "narrow", more);
    let alter = ["--alter", "--entity-type", "topics", "--entity-name", "narrow.signals"];
    let limit = ["--add-config", "max.message.bytes=1060"];
    let tool = [&["--bootstrap-server", &brokers], &alter[..], &limit[..]].concat();
    if or_skip("kafka_refused", test_services::kafka_tool("kafka.admin.ConfigCommand", &tool)).is_none() {
        return;
    }
    let delete = ["--bootstrap-server", &brokers, "--delete", "--topic", "narrow.dead_letters"];
    if or_skip("kafka_refused", test_services::kafka_tool("TopicCommand", &delete)).is_none() {
        return;
    }
    let service = Service::start(&play.config, &[]);
    delivered(&service, count);
    let refused = counted(&service, REJECTED);
    assert!(refused > 0 && refused < count, "{refused} of {count} are refused");
    assert_eq!(counted(&service, "ingestion_refusals_total{reason=\"rejected_by_sink\"}"), refused);
    let waiting = || {
        let (code, why) = service.get("/ready");
        (code == 503 && why.contains("sink dead_letters: topic narrow.dead_letters")).then_some(())
    };
    until(LONG, waiting).expect("it is not ready while dead letters have no topic");
    assert_eq!(play.ask(&["topics", "create"]).0, Some(0));
    let letters = || {
        let letters = stored(&brokers, "narrow.dead_letters");
        (letters.len() >= refused).then_some(letters)
    };
    let letters = until(LONG, letters).expect("a letter for each");
    stopped(service);
    let (mut found, _) = signals(&brokers, "narrow.signals");
    for letter in &letters {
        let letter = letter.json();
        assert_eq!(
            (&letter["stage"], &letter["reason"]),
            (&"publish".into(), &"rejected_by_sink".into()),
            "{letter}"
        );
        assert!(
            letter["detail"].as_str().is_some_and(|detail| detail.contains("narrow.signals")),
            "{letter}"
        );
        let signal: Value =
            serde_json::from_str(letter["payload"].as_str().expect("text")).expect("the signal");
        assert_eq!(signal["account"], letter["account"]);
        assert_eq!(signal["sourceEventId"], letter["sourceEventId"]);
        found.push(signal);
    }
    assert_eq!(found.len(), count, "what the topic lacks is in the letters");
    assert_eq!(audited(&play, 0)["refused"], refused);
    let ids: std::collections::BTreeSet<&str> =
        found.iter().filter_map(|signal| signal["signalId"].as_str()).collect();
    assert_eq!(ids.len(), count);
}

/// Fault row 46: asked to end while the broker is away, the service ends in time and cleanly, because everything is in the journal; the next
/// one delivers it.
#[test]
fn a_stop_does_not_wait_for_a_broker_that_is_away() {
    let Some(kafka) = or_skip("kafka_stop", KafkaSetup::one().start()) else { return };
    if or_skip("kafka_stop", kcat(&["-V"])).is_none() {
        return;
    }
    let brokers = kafka.bootstrap();
    let more = "[shutdown]\ngrace_ms = 3000\n";
    let Stage { mut play, expected, count, rows, .. } = Stage::set(&brokers, &fixture(), None, "stop", more);
    let service = Service::start(&play.config, &[]);
    service.wait_ready();
    kafka.kill(1).expect("it runs");
    assert_eq!(play.venue.finished(), rows as u64);
    let told = stopped(service);
    assert!(told.contains("sink signals is not drained"), "{told}");
    let (code, replayed, said) = play.ask(&["replay"]);
    assert_eq!(code, Some(0), "{said}");
    let kept = replayed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();

    kafka.restart(1).expect("it starts again");
    let service = Service::start(&play.config, &[]);
    let all = || (signals(&brokers, "stop.signals").0.len() >= count).then_some(());
    until(LONG, all).expect("every signal");
    stopped(service);
    let (found, repeats) = signals(&brokers, "stop.signals");
    let origins = ["live", "snapshot", "backfill"];
    judge::judge(&found, &expected, &Allowed { origins: &origins, gaps: None, late: true });
    println!("stopped with {kept} of {count} signals in the journal and none taken; {repeats} repeats");
}

/// A stream that is paused goes on in its topic where it stopped.
#[test]
fn a_paused_stream_goes_on_where_it_stopped() {
    const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
    let Some(brokers) = or_skip("kafka_paused", shared_kafka()) else { return };
    if or_skip("kafka_paused", kcat(&["-V"])).is_none() {
        return;
    }
    let list = |_: &Path| format!("static = [{{ address = {ALICE:?} }}]");
    let mut scene = Scene::new(1_000, list, &topics(&brokers, "paused", ""));
    scene.ask(&["topics", "create"]);
    let mut played = 0;
    for (sink, blocks) in [("kafka", 3), ("paused", 4), ("kafka", 2)] {
        let service = Service::start(&scene.config, &["--set", &format!("signals.sink={sink}")]);
        service.wait_ready();
        scene.play_many(ALICE, blocks);
        let made = "ingestion_events_total{disposition=\"signal\"}";
        until(LONG, || (counted(&service, made) >= blocks).then_some(())).expect("all are in the journal");
        played += blocks;
        let arrived = || (signals(&brokers, "paused.signals").0.len() == played).then_some(());
        if sink == "kafka" {
            until(LONG, arrived).expect("also what came while it was paused");
        }
        stopped(service);
    }
    assert_eq!(signals(&brokers, "paused.signals").1, 0, "and nothing twice");
}
