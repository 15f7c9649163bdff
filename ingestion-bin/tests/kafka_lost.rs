//! A broker comes back without the end of its log (fault row 71): the audit tells it, `verify --kafka` names what is lost, and
//! `topics resend` sends that from the journal, with the same bytes, ids and numbers.
#![cfg(feature = "kafka")]
#![allow(clippy::print_stdout, reason = "a test says what it saw")]

mod support;

use hyperliquid_client::sim::{SimConfig, SimLimits};
use serde_json::Value;
use support::document::documents;
use support::judge::{self, Allowed};
use support::scene::Scene;
use support::service::Service;
use support::topics::{LONG, delivered, signals, topics};
use test_services::{KafkaSetup, kcat, or_skip, until};

const NAME: &str = "kafka_lost";
const USERS: [&str; 2] =
    ["0x0000000000000000000000000000000000105001", "0x0000000000000000000000000000000000105002"];
const BLOCKS: usize = 200;

fn verified(scene: &Scene) -> Value {
    let output = scene.ask(&["--json", "verify", "--kafka"]);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What `topics resend` says of the signals.
fn resent(scene: &Scene, more: &[&str]) -> (u64, u64) {
    let said = scene.lines(&[&["--json", "topics", "resend", "--stream", "signals"], more].concat());
    let [report] = said.as_slice() else { panic!("{said:?}") };
    let figure = |name: &str| report[name].as_u64().expect("a number");
    println!("topics resend {}: {report}", more.join(" "));
    (figure("lost"), figure("sent"))
}

#[test]
fn what_a_topic_has_lost_is_sent_again_from_the_journal() {
    let Some(kafka) = or_skip(NAME, KafkaSetup::one().start()) else { return };
    if or_skip(NAME, kcat(&["-V"])).is_none() {
        return;
    }
    let mut sim = SimConfig::manual();
    sim.venue.limits = SimLimits::generous();
    let entries = USERS.map(|user| format!("{{ address = {user:?} }}")).join(",");
    let brokers = kafka.bootstrap();
    let list = format!("static = [{entries}]");
    let mut scene = Scene::at(sim, 1_000, |_| list, &topics(&brokers, NAME, ""));
    scene.ask(&["topics", "create", "--partitions", "1"]);
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    (0..BLOCKS).for_each(|_| scene.play(&USERS, "ETH"));
    delivered(&service, scene.chains.rows().len());
    let topic = format!("{NAME}.signals");
    until(LONG, || (verified(&scene)["signals"] == scene.chains.rows().len()).then_some(()))
        .expect("all of them");
    assert_eq!(resent(&scene, &[]), (0, 0), "nothing is lost");

    kafka.lose_end(&topic).expect("it starts again");
    // Others take the place of what is lost.
    (0..BLOCKS).for_each(|_| scene.play(&USERS, "ETH"));
    let count = scene.chains.rows().len();
    delivered(&service, count);
    let lost = count - signals(&brokers, &topic).0.len();
    assert!(lost > 0, "a quarter of the log is gone");
    // The place of the sink is stored some time after its acknowledgements.
    until(LONG, || (verified(&scene)["lost"] == lost).then_some(()))
        .unwrap_or_else(|| panic!("{lost} are lost: {}", verified(&scene)));
    until(LONG, || {
        service.status()["audit"].to_string().contains("the partition's end went back").then_some(())
    })
    .unwrap_or_else(|| panic!("the audit does not tell: {}", service.status()["audit"]));

    assert_eq!(resent(&scene, &["--dry-run"]), (lost as u64, 0));
    assert_eq!(signals(&brokers, &topic).0.len(), count - lost, "a rehearsal sends nothing");
    assert_eq!(resent(&scene, &[]), (lost as u64, lost as u64));
    assert_eq!(resent(&scene, &[]), (0, 0), "once");
    all_there(&scene, &brokers, &topic, 0);
    let report = verified(&scene);
    let figures = ["lost", "resent", "orderBreaks", "undeclared", "duplicates", "repeats"];
    let found = figures.map(|figure| report[figure].as_u64().expect("a number"));
    assert_eq!(found, [0, lost as u64, 0, 0, 0, 0], "{report}");
    assert!(report["findings"].as_array().is_some_and(Vec::is_empty), "{report}");
    println!("{lost} of {count} signals lost with the end of a log, and sent again");
    service.stop_well();
}

/// Every fill is a signal in the topic, as it would have been.
fn all_there(scene: &Scene, brokers: &str, topic: &str, repeats: usize) {
    let (mut found, again) = signals(brokers, topic);
    assert_eq!(again, repeats);
    let place = |signal: &Value| (signal["epoch"].as_u64(), signal["seq"].as_u64());
    found.sort_by_key(place);
    let expected = documents(scene.chains.rows(), &USERS.map(str::to_owned));
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false };
    judge::judge(&found, &expected, &allowed);
}
