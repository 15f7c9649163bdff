//! Brokers that are away for long while much arrives (fault row 72): it waits in the journal and not in memory, and when they are back
//! everything is delivered, once and in order.
//!
//! `INGESTION_KAFKA_BACKLOG` is how many fills arrive meanwhile, 20,000 unless it is set, `INGESTION_KAFKA_BACKLOG_RATE` how many in a
//! second; without it, as fast as they are taken. The bound is on what is above the idle process. What came in the last two minutes is in
//! memory whatever becomes of it (nothing younger is certified), so a million as fast as they are taken would not fit, nor more than 80 a
//! second of one account (the venue's history has the newest 10,000).
#![cfg(feature = "kafka")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a test fails by a panic and says what it saw; a rate is counted against real time"
)]

mod support;

use std::time::{Duration, Instant};

use hyperliquid_client::sim::{SimConfig, SimLimits};
use support::scene::Scene;
use support::service::Service;
use support::topics::topics;
use support::{eventually, number};
use test_services::{KafkaSetup, or_skip, until};

const NAME: &str = "kafka_backlog";
const ACCOUNTS: usize = 20;
/// MiB above the idle process.
const MEMORY_MIB: u64 = 64;
const LONG: Duration = Duration::from_secs(60);
/// Blocks on their way to the service at once.
const BLOCKS: usize = 50;

/// Signals that the service has made, by its own count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn made(service: &Service) -> usize {
    service.metric("ingestion_events_total{disposition=\"signal\"}") as usize
}

#[test]
fn what_arrives_while_the_brokers_are_away_waits_on_the_disk() {
    let Some(kafka) = or_skip(NAME, KafkaSetup::one().start()) else { return };
    let users: Vec<String> = (0..ACCOUNTS).map(|n| format!("0x{:040x}", 0xa11c_0000 + n)).collect();
    let entries: Vec<String> = users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
    let mut sim = SimConfig::manual();
    sim.venue.limits = SimLimits::generous();
    let list = format!("static = [{}]", entries.join(","));
    let brokers = kafka.bootstrap();
    let mut scene = Scene::at(sim, 1_000, |_| list, &topics(&brokers, NAME, ""));
    scene.ask(&["topics", "create", "--partitions", "3"]);
    // As several addresses have: one may read some 300 rows a second of history.
    let limits = ["users=20", "info_weight_per_minute=1000000"]
        .map(|limit| format!("venue.endpoint.0.limits.{limit}"));
    let limits: Vec<&str> = limits.iter().flat_map(|limit| ["--set", limit]).collect();
    let service = Service::start(&scene.config, &limits);
    service.wait_ready();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    // Every buffer has been used once.
    for _ in 0..50 {
        scene.play(&users, "ETH");
    }
    let warm = scene.chains.rows().len();
    eventually("the first ones", || (made(&service) == warm).then_some(()));
    let idle = service.memory_kib("VmRSS");
    service.forget_peak();
    kafka.kill(1).expect("it runs");

    let count = number("INGESTION_KAFKA_BACKLOG").unwrap_or(20_000_usize) / ACCOUNTS * ACCOUNTS;
    let rate = number::<f64>("INGESTION_KAFKA_BACKLOG_RATE");
    scene.chains.fills_only(10);
    let began = Instant::now();
    let blocks = count / ACCOUNTS;
    for sent in 1..=blocks {
        scene.play(&users, "ETH");
        // No further ahead of the service than its sockets hold.
        if sent % BLOCKS == 0 || sent == blocks {
            let soon = warm + sent.saturating_sub(BLOCKS) * ACCOUNTS;
            let wanted = if sent == blocks { warm + count } else { soon };
            until(LONG, || (made(&service) >= wanted).then_some(())).unwrap_or_else(|| {
                panic!("{} of {wanted}: {}\n{}", made(&service), service.status(), service.process.log())
            });
            let due = rate.map(|rate| Duration::from_secs_f64((sent * ACCOUNTS) as f64 / rate));
            std::thread::sleep(due.map_or(Duration::ZERO, |due| due.saturating_sub(began.elapsed())));
        }
    }
    let arrived = began.elapsed();
    let peak = service.memory_kib("VmHWM");
    let above = peak.saturating_sub(idle) / 1_024;
    println!(
        "{count} fills in {arrived:?} with the broker away: idle {idle} KiB, peak {peak} KiB, {above} MiB above"
    );
    assert!(above < MEMORY_MIB, "{above} MiB above the idle process");

    kafka.restart(1).expect("it starts again");
    let began = Instant::now();
    let is_there = |sink: &serde_json::Value| sink["stream"] == "signals" && sink["lag"] == 0;
    let done = || {
        let status = service.status();
        status["sinks"].as_array().is_some_and(|sinks| sinks.iter().any(is_there)).then_some(())
    };
    until(10 * LONG, done).unwrap_or_else(|| panic!("{}", service.status()["sinks"]));
    let took = began.elapsed();
    let peak = service.memory_kib("VmHWM");
    let above = peak.saturating_sub(idle) / 1_024;
    let topic = format!("{NAME}.signals");
    let ends = kafka.tool("org.apache.kafka.tools.GetOffsetShell", &["--topic", &topic, "--time", "-1"]);
    let ends = or_skip(NAME, ends).expect("the tools are there, a broker is");
    let stored: usize =
        ends.lines().filter_map(|line| line.rsplit(':').next()?.trim().parse::<usize>().ok()).sum();
    assert_eq!(stored, warm + count, "each once: {ends}");
    println!("delivered {took:?} after its return, {above} MiB above the idle process");
    let (code, report) = verified(&scene);
    assert_eq!(
        (code, report["lost"].as_u64(), report["undeclared"].as_u64()),
        (Some(0), Some(0), Some(0)),
        "{report}"
    );
    service.stop_well();
    assert!(above < MEMORY_MIB, "{above} MiB above the idle process");
}

fn verified(scene: &Scene) -> (Option<i32>, serde_json::Value) {
    let output = scene.ask(&["--json", "verify", "--kafka"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
}
