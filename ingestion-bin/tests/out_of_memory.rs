//! Memory runs out (fault row 48): the system gives the process no more, it dies at an allocation, wherever that is, and the next one goes
//! on: every fill is a signal, once, in order.

mod support;

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use hyperliquid_client::sim::{SimConfig, SimLimits};
use support::document::documents;
use support::eventually;
use support::judge::{self, Allowed};
use support::scene::Scene;
use support::service::{Service, get};

const USERS: [&str; 4] = [
    "0x0000000000000000000000000000000000e10001",
    "0x0000000000000000000000000000000000e10002",
    "0x0000000000000000000000000000000000e10003",
    "0x0000000000000000000000000000000000e10004",
];
/// What it may still get, KiB: the keys of some ten thousand fills.
const LEFT_KIB: u64 = 4 << 10;
const BLOCKS: usize = 250;
const BURSTS: usize = 200;
const ABORTED: i32 = 6;

/// From now on the process gets no more than that.
fn give_no_more(service: &Service) {
    let bytes = (service.memory_kib("VmData") + LEFT_KIB) << 10;
    let limit = format!("--data={bytes}:{bytes}");
    let status = Command::new("prlimit").args(["--pid", &service.process.id().to_string(), &limit]).status();
    assert!(status.expect("prlimit is there").success());
}

#[test]
fn a_process_that_gets_no_more_memory_dies_and_the_next_goes_on() {
    let mut sim = SimConfig::manual();
    sim.venue.limits = SimLimits::generous();
    let entries = USERS.map(|user| format!("{{ address = {user:?} }}")).join(",");
    let mut scene = Scene::at(sim, 10, |_| format!("static = [{entries}]"), "");
    let budget = ["--set", "venue.endpoint.0.limits.info_weight_per_minute=1000000"];
    let mut service = Service::start(&scene.config, &budget);
    service.wait_ready();
    scene.play(&USERS, "ETH");
    service.wait_count("signals", USERS.len() as u64);

    give_no_more(&service);
    let is_dead = (0..BURSTS).any(|_| {
        let written = scene.chains.rows().len() as u64;
        (0..BLOCKS).for_each(|_| scene.play(&USERS, "ETH"));
        // It has taken the burst before this one, or is dead.
        eventually("the burst is taken", || match get(service.admin, "/status") {
            Err(_) => Some(true),
            Ok((_, body)) => {
                let status: serde_json::Value = serde_json::from_str(&body).ok()?;
                let sinks = status["sinks"].as_array()?;
                let signals = sinks.iter().find(|sink| sink["stream"] == "signals")?;
                (signals["lines"].as_u64()? >= written).then_some(false)
            }
        })
    });
    assert!(is_dead, "{} KiB more were enough", LEFT_KIB);
    let (status, _) = service.process.end();
    let log = service.process.errors();
    assert_eq!(status.signal(), Some(ABORTED), "{status}: {log}");
    assert!(log.contains("memory allocation of"), "{log}");

    let service = Service::start(&scene.config, &budget);
    service.wait_ready();
    scene.play(&USERS, "ETH");
    scene.caught_up(&service);
    service.stop_well();
    let users = USERS.map(str::to_owned);
    let expected = documents(scene.chains.rows(), &users);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    judge::judge(&judge::stored(&scene.data()), &expected, &allowed);
    scene.verifies(&[], 0, &["undeclared 0", "in no file 0"]);
}
