//! Two listeners compared: one comes late and is no longer the primary; healthy ones take turns.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::eventually;
use crate::support::scene::Scene;
use crate::support::service::Service;
use crate::{ALICE, coverage, each, ready, scene, with_role};

/// The numbers that the venue gave the connections of the two listeners, by name. Found by closing the first one.
fn numbers(scene: &Scene, service: &Service) -> BTreeMap<String, u64> {
    scene.venue.add_fault("close=1000@0#1/1000".parse().expect("a fault"));
    eventually("one listener connects again, as number 3", || {
        let number = |listener: &Value| if listener.get("reconnects") == Some(&1.into()) { 3 } else { 2 };
        let each = each(service);
        let of = |listener: &Value| Some((listener.get("name")?.as_str()?.to_owned(), number(listener)));
        let numbers: BTreeMap<String, u64> = each.iter().filter_map(of).collect();
        (coverage(service) == "full" && numbers.values().any(|number| *number == 3)).then_some(numbers)
    })
}

#[test]
fn a_listener_five_seconds_late_is_not_the_primary_and_delays_nothing() {
    let mut scene = scene("");
    let service = ready(&scene, "full");
    let numbers = numbers(&scene, &service);
    let find = |each: &[Value], name: &str| each.iter().find(|listener| listener["name"] == name).cloned();
    let first = with_role(&each(&service), "primary").expect("one");
    let before = find(&each(&service), &first).expect("it")["failovers"].as_u64().expect("a number");
    // It, and whatever connection it has after this one.
    for number in [numbers[&first]].into_iter().chain(4..50) {
        scene.venue.add_fault(format!("delay=5000..5001@1#{number}/1000").parse().expect("a fault"));
    }
    let (printed, shown) = eventually("the late one is secondary, with its lag and its failover", || {
        scene.play(&[ALICE], "ETH");
        let shown = each(&service);
        let late = find(&shown, &first)?;
        let is_late = late["lagMs"].as_u64() >= Some(4_000) && late["skewMs"].as_u64() >= Some(4_000);
        let lost = late["role"] == "secondary" && late["failovers"] == before + 1;
        (is_late && lost).then(|| (service.printed_status(&[]), shown))
    });
    let other = shown.into_iter().find(|listener| listener["name"] != first.as_str()).expect("the other one");
    assert_eq!(other["role"], "primary", "{other}");
    assert!(other["lagMs"].as_u64() < Some(1_000), "{other}");
    let line =
        printed.lines().find(|line| line.starts_with(&format!("listener   {first} "))).expect(&printed);
    assert!(line.contains(" secondary ") && line.contains(&format!("failovers {}", before + 1)), "{line}");
    assert_eq!(service.metric("ingestion_failovers_total{reason=\"lag\"}"), 1.0);
    assert_eq!(service.metric("ingestion_rotations_total"), 0.0);
    // Nothing waits for it: everything played is out.
    scene.caught_up(&service);
    scene.venue.clear_faults();
    eventually("both are punctual again", || {
        scene.play(&[ALICE], "ETH");
        let punctual = |listener: &Value| listener["lagMs"].as_u64().is_some_and(|lag| lag < 250);
        each(&service).iter().all(punctual).then_some(())
    });
    scene.caught_up(&service);
    let log = service.stop().log;
    assert!(log.contains("another listener is the primary"), "{log}");
    scene.judge(ALICE);
    scene.verifies(&[], 0, &[]);
}

#[test]
fn healthy_listeners_take_turns() {
    let scene = scene("rotate_primary_s = 1\n");
    let service = ready(&scene, "full");
    let mut primaries = BTreeSet::new();
    eventually("each was the primary, and the first one again", || {
        primaries.extend(with_role(&each(&service), "primary"));
        (primaries.len() == 2 && service.metric("ingestion_rotations_total") >= 2.0).then_some(())
    });
    let failed = ["lag", "down"]
        .map(|reason| service.metric(&format!("ingestion_failovers_total{{reason=\"{reason}\"}}")));
    assert_eq!(failed, [0.0; 2], "a turn is no failover");
    assert!(each(&service).iter().all(|listener| listener["failovers"] == 0 && listener["reconnects"] == 0));
    assert_eq!(service.metric("ingestion_connections_open{role=\"secondary\"}"), 1.0);
    service.stop();
}
