//! The first fill of an account that never had one, and a SIGKILL right behind it: before its baseline is made, and after.
//! What a listener brought is a signal, whatever the venue's snapshot shows when the next process asks for it.

mod support;

use std::sync::Arc;

use ingestion_bin::record::{self, Body, Change};
use messaging::journal::{Read, Reader};
use messaging::storage::DiskStorage;
use support::eventually;
use support::scene::Scene;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

fn scene(listeners: u32, more: &str) -> Scene {
    let list = |_: &std::path::Path| format!("static = [{{ address = {ALICE:?} }}]");
    Scene::new(1_000, list, &format!("[listeners]\ncount = {listeners}\n{more}"))
}

fn wait_listening(scene: &Scene, listeners: usize) {
    eventually("everything is subscribed", || {
        (scene.venue.status().user_fills_subscriptions == listeners).then_some(())
    });
}

/// Waits until the journal of a running service holds such a record of its account.
fn wait_journaled(scene: &Scene, what: &str, is: impl Fn(&Change<'_>) -> bool) {
    eventually(what, || {
        let journal = Arc::new(DiskStorage::new(scene.data().join("journal")));
        let mut reader = Reader::open(journal, 0).ok()?;
        while let Some(read) = reader.next().ok()? {
            if let Read::Record(journaled) = read
                && let Ok(Some(Body::Account(body))) = record::decode(&journaled)
                && is(&body.change)
            {
                return Some(());
            }
        }
        None
    });
}

/// The first process is killed where the caller says; the second finds three fills in the snapshot and is shown a fourth.
fn killed(mut scene: Scene, listeners: usize, fault: Option<&str>, until: impl Fn(&Scene)) {
    if let Some(fault) = fault {
        scene.venue.add_fault(fault.parse().expect("a fault"));
    }
    let mut service = Service::start(&scene.config, &[]);
    wait_listening(&scene, listeners);
    scene.play_many(ALICE, 1);
    until(&scene);
    service.process.kill();
    scene.venue.clear_faults();
    scene.play_many(ALICE, 2);
    let service = Service::start(&scene.config, &[]);
    wait_listening(&scene, listeners);
    scene.play_many(ALICE, 1);
    service.wait_lines("signals", 4);
    assert_eq!(service.stop().status.code(), Some(0));
    scene.judge(ALICE);
    scene.verifies(&[], 0, &["undeclared 0"]);
}

fn is_heard(change: &Change<'_>) -> bool {
    matches!(change, Change::Heard { .. })
}

#[test]
fn killed_before_the_baseline_is_made() {
    killed(scene(2, ""), 2, Some("info-500=1"), |scene| wait_journaled(scene, "what was heard", is_heard));
}

#[test]
fn killed_before_the_baseline_of_a_single_listener_is_made() {
    killed(scene(1, ""), 1, None, |scene| wait_journaled(scene, "what was heard", is_heard));
}

#[test]
fn killed_after_the_baseline_is_made() {
    let is_event = |change: &Change<'_>| matches!(change, Change::Event(_));
    killed(scene(2, ""), 2, None, |scene| wait_journaled(scene, "the first event", is_event));
}

/// A stop is a kill that was asked for.
#[test]
fn stopped_before_the_baseline_is_made() {
    let mut scene = scene(1, "");
    let service = Service::start(&scene.config, &[]);
    wait_listening(&scene, 1);
    scene.play_many(ALICE, 1);
    eventually("it waits, and shows", || (service.status()["accounts"][0]["held"] == 1).then_some(()));
    assert_eq!(service.stop().status.code(), Some(0));
    scene.play_many(ALICE, 1);
    let service = Service::start(&scene.config, &[]);
    service.wait_lines("signals", 2);
    assert_eq!(service.stop().status.code(), Some(0));
    scene.judge(ALICE);
}

/// No answer of the info API ever comes: the fills go out all the same.
#[test]
fn without_history_the_first_fill_waits_for_the_repair_hold_only() {
    let mut scene = scene(2, "repair_hold_ms = 500");
    scene.venue.add_fault("info-500=1".parse().expect("a fault"));
    let service = Service::start(&scene.config, &[]);
    wait_listening(&scene, 2);
    scene.play_many(ALICE, 3);
    service.wait_lines("signals", 3);
    assert_eq!(service.stop().status.code(), Some(0));
    scene.judge(ALICE);
}
