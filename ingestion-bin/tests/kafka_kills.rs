//! The service killed at random moments under load, and now and then the broker too, with a real Kafka: nothing is lost, order holds for
//! each key and epoch, and a repeat is of an id that is there already (fault rows 45, 71, 73).
//!
//! `INGESTION_KAFKA_KILLS` is how many kills of the service, 12 unless it is set; `INGESTION_KAFKA_KILLS_SEED` draws the moments.
#![cfg(feature = "kafka")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by a panic and says what it saw; a kill comes after a time"
)]

mod support;

use std::time::Duration;

use hyperliquid_client::sim::{SimConfig, SimLimits};
use support::document::documents;
use support::judge::{self, Allowed};
use support::number;
use support::random::Random;
use support::scene::Scene;
use support::service::Service;
use support::topics::{signals, topics};
use test_services::{Kafka, KafkaSetup, kcat, or_skip, until};

const USERS: [&str; 3] = [
    "0x0000000000000000000000000000000a11ce0001",
    "0x0000000000000000000000000000000a11ce0002",
    "0x0000000000000000000000000000000a11ce0003",
];
const NAME: &str = "kafka_kills";
/// One broker death for so many of the service.
const BROKER_DIES: u64 = 8;
const LONG: Duration = Duration::from_secs(180);

fn broker_dies(kafka: &Kafka) {
    kafka.kill(1).expect("it runs");
    kafka.restart(1).expect("it starts again");
}

#[test]
fn killed_at_random_moments_nothing_is_lost_in_the_topic() {
    let Some(kafka) = or_skip(NAME, KafkaSetup::one().start()) else { return };
    if or_skip(NAME, kcat(&["-V"])).is_none() {
        return;
    }
    let (kills, seed) = (
        number("INGESTION_KAFKA_KILLS").unwrap_or(12_u64),
        number("INGESTION_KAFKA_KILLS_SEED").unwrap_or(1),
    );
    let mut draw = Random::new(seed);
    println!("{kills} kills, INGESTION_KAFKA_KILLS_SEED={seed}");
    let mut sim = SimConfig::manual();
    // What the venue allows a minute is tried elsewhere.
    sim.venue.limits = SimLimits::generous();
    let entries = USERS.map(|user| format!("{{ address = {user:?} }}")).join(",");
    let brokers = kafka.bootstrap();
    let extra = topics(&brokers, NAME, "");
    let list = |_: &std::path::Path| format!("static = [{entries}]");
    let mut scene = Scene::at(sim, 1_000, list, &extra);
    scene.ask(&["topics", "create", "--partitions", "3"]);
    let budget = ["--set", "venue.endpoint.0.limits.info_weight_per_minute=1000000"];

    let service = Service::start(&scene.config, &budget);
    service.wait_ready();
    let (mut service, mut broker_deaths, mut peak) = (Some(service), 0_u64, 0);
    for kill in 1..=kills {
        for _ in 0..=draw.below(12) {
            scene.play(&USERS, "ETH");
        }
        // Some die while they start, some while they repair, some in the middle of what is live.
        std::thread::sleep(draw.millis(900));
        let running = service.take().expect("one runs");
        peak = peak.max(running.memory_kib("VmHWM"));
        drop(running);
        if draw.below(BROKER_DIES) == 0 {
            broker_deaths += 1;
            broker_dies(&kafka);
        }
        scene.play(&USERS, "ETH");
        service = Some(Service::start(&scene.config, &budget));
        if kill % 50 == 0 {
            println!(
                "kill {kill}: {} fills, {broker_deaths} deaths of the broker",
                scene.chains.rows().len()
            );
        }
    }
    let service = service.expect("one runs");
    service.wait_ready();
    scene.play(&USERS, "ETH");
    let count = scene.chains.rows().len();
    let topic = format!("{NAME}.signals");
    let all = || {
        let (found, repeats) = signals(&brokers, &topic);
        (found.len() >= count).then_some((found, repeats))
    };
    let (found, repeats) = until(LONG, all).unwrap_or_else(|| {
        panic!("{} of {count} signals; {}", signals(&brokers, &topic).0.len(), service.status())
    });
    let users = USERS.map(str::to_owned);
    let origins = ["live", "snapshot", "backfill"];
    let expected = documents(scene.chains.rows(), &users);
    judge::judge(&found, &expected, &Allowed { origins: &origins, gaps: None, late: true });
    service.stop_well();
    println!(
        "{kills} kills of the service, {broker_deaths} of the broker: {count} signals, none lost, {repeats} repeats, at most {peak} KiB"
    );
}
