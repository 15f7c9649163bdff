//! After the last fault: everything heals by itself, and the topics hold what they must.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use test_services::until;

use super::NAME;
use super::support::judge::{self, Allowed};
use super::support::process::run;
use super::support::service::Service;
use super::support::topics::signals;
use super::world::World;

/// Gaps are looked at four times, half a minute apart, before history counts as unable to fill them.
pub(crate) const LONG: Duration = Duration::from_secs(400);
/// What history may lag, venue time, and a little more.
const MARGIN_MS: u64 = 130_000;

/// Waits until the service is well, and no gap of those who stay is open; fills flow meanwhile.
pub(crate) fn healed(world: &mut World) -> Service {
    let users: BTreeSet<String> = world.users.iter().cloned().collect();
    let service = world.take_service();
    let is_well = |status: &Value| {
        // It may stand by until the lease of the one before it is over: then it has none.
        let Some(accounts) = status["accounts"].as_array() else { return false };
        let well = |user: &String| {
            let of = |account: &&Value| account["influencerId"] == user.as_str();
            let account = accounts.iter().find(of);
            account.is_some_and(|account| account["based"] == true && account["coverage"] == "full")
        };
        users.iter().all(well)
    };
    until(LONG, || (is_well(&service.status()) && service.get("/ready").0 == 200).then_some(()))
        .unwrap_or_else(|| panic!("not well: {}\n{}", service.get("/ready").1, service.status()));
    // What is read now is older than what history may lack.
    world.legs().chains.skip(MARGIN_MS);
    let open = |status: &Value| {
        let gaps = status["gaps"].as_array().expect("gaps").iter();
        let is_open = |gap: &&Value| {
            gap["state"] == "opened" && gap["influencerId"].as_str().is_some_and(|id| users.contains(id))
        };
        gaps.filter(is_open).count()
    };
    until(LONG, || (open(&service.status()) == 0).then_some(()))
        .unwrap_or_else(|| panic!("gaps stay open: {}", service.status()["gaps"]));
    service
}

/// That every fill of those who were followed all the time is in the topic, in order for each key and epoch, and nothing is undeclared.
pub(crate) fn judge(mut world: World, service: Service, fills: usize) {
    let brokers = world.kafka.bootstrap();
    let delivered = |status: &Value| {
        let sinks = status["sinks"].as_array().expect("sinks");
        let is_there = |sink: &Value| sink["delivered"].as_u64() >= status["journal"]["synced"].as_u64();
        sinks.iter().all(is_there)
    };
    let (expected, config) = (world.expected(), world.legs().config.clone());
    let count = expected.values().map(Vec::len).sum::<usize>();
    let of = |signal: &Value| world.users.iter().any(|user| signal["influencerId"] == user.as_str());
    let all = || {
        let status = service.status();
        let (found, repeats) = Some(())
            .filter(|()| delivered(&status))
            .map(|()| signals(&brokers, &format!("{NAME}.signals")))?;
        let (found, of_guest): (Vec<Value>, Vec<Value>) = found.into_iter().partition(of);
        (found.len() >= count).then_some((found, of_guest.len(), repeats))
    };
    let (found, of_guest, repeats) =
        until(LONG, all).unwrap_or_else(|| panic!("not all of {count} signals: {}", service.status()));
    let origins = ["live", "snapshot", "backfill"];
    judge::judge(&found, &expected, &Allowed { origins: &origins, gaps: None, late: true });
    assert!(of_guest > 0, "the guest was never followed");
    let status = service.status();
    let unfillable = status["gaps"].as_array().map_or(0, Vec::len);
    assert_eq!(service.get("/ready").0, 200, "{}", service.get("/ready").1);
    world.peak_kib = world.peak_kib.max(service.memory_kib("VmHWM"));
    service.stop_well();
    let config = config.to_str().expect("UTF-8");
    let verify = run(&["--config", config, "--json", "verify", "--kafka"]);
    let report: Value = serde_json::from_slice(&verify.stdout).expect("a report");
    assert_eq!(
        (verify.status.code(), &report["lost"], &report["undeclared"]),
        (Some(0), &0.into(), &0.into()),
        "{report}"
    );
    println!(
        "{fills} fills: {count} signals of those who stay, all there; {of_guest} of the guest, {repeats} repeats, \
         {unfillable} gaps unfillable, at most {} KiB",
        world.peak_kib
    );
}
