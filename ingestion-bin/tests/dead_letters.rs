//! `dead-letters`: what could not be used is listed; what a topic refused is sent again, with the same bytes, once.
//!
//! The real binary, beside a running service; the topics are a real Kafka's.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic and says what it saw"
)]

mod support;

#[cfg(feature = "kafka")]
#[path = "dead_letters/redriven.rs"]
mod redriven;

#[path = "dead_letters/repaired.rs"]
mod repaired;

use std::process::Output;

use support::process::ingestion;
use support::scene::Scene;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

fn ask(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = ingestion();
    command.arg("--config").arg(&scene.config).arg("dead-letters").args(arguments);
    command.output().expect("the binary starts")
}

/// What it prints, which ends so.
fn said(scene: &Scene, arguments: &[&str], code: i32) -> String {
    let output = ask(scene, arguments);
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{errors}");
    format!("{said}{errors}")
}

#[test]
fn letters_in_files_are_listed_by_what_they_are() {
    let list = |_: &std::path::Path| format!("static = [{{ id = \"alice\", address = {ALICE:?} }}]");
    let mut scene = Scene::new(1_000, list, "");
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    scene.play(&[ALICE], "ETH");
    assert_eq!(said(&scene, &["list"], 0), "no dead letters\n");
    let mut fault = |text: &str, count: usize| {
        scene.venue.add_fault(text.parse().unwrap_or_else(|error| panic!("{error}")));
        let block = scene.chains.block(&[ALICE], "ETH");
        scene.venue.play(&block);
        service.wait_lines("dead_letters", count)
    };
    // One of each listener.
    fault("malformed", 2);
    let letters = fault("bad-fill=nan", 3);

    // Stored lines, unchanged.
    let json = said(&scene, &["list", "--json"], 0);
    let files = std::fs::read_dir(scene.data().join("dead_letters")).expect("the folder");
    let mut stored: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    stored.sort();
    let stored: String = stored.iter().map(|file| std::fs::read_to_string(file).expect("text")).collect();
    assert!(json.lines().count() >= 3 && stored.starts_with(&json), "{json}");

    let rows = |arguments: &[&str]| said(&scene, &[&["list"], arguments].concat(), 0).lines().count() - 1;
    assert_eq!(rows(&["--reason", "malformed_frame"]), 2);
    assert_eq!(rows(&["--stage", "decode"]), 2);
    let of_alice = said(&scene, &["list", "--account", "alice"], 0);
    assert!(of_alice.starts_with("time  ") && of_alice.contains("not_a_number"), "{of_alice}");
    assert!(of_alice.contains(ALICE) && !of_alice.contains("malformed_frame"), "{of_alice}");
    let id = letters[0]["id"].as_str().expect("text");
    assert_eq!(rows(&["--id", id]), 1);
    assert_eq!(said(&scene, &["list", "--until", "1"], 0), "no dead letters\n");

    // What is no such thing is said.
    let wrong = said(&scene, &["list", "--reason", "bad", "--id", "x"], 2);
    assert!(wrong.contains("error: --reason bad: \"bad\" is no dead-letter reason"), "{wrong}");
    assert!(wrong.contains("error: --id x: "), "{wrong}");
    let nowhere = said(&scene, &["list", "--kafka"], 2);
    assert!(nowhere.contains("dead letters go to no topic"), "{nowhere}");
    service.stop_well();

    what_is_no_record_cannot_be_sent(&scene, id);
}

/// Only what a topic refused is a record that can be sent again.
fn what_is_no_record_cannot_be_sent(scene: &Scene, id: &str) {
    let nothing = "sent 0, refused again 0, held 0, skipped 0, redriven before 0\n";
    assert_eq!(said(scene, &["redrive"], 0), nothing);
    let told = said(scene, &["redrive", "--id", id], 1);
    assert!(told.contains(&format!("skipped     {id}: the payload is not understood")), "{told}");
    let nobody = "00000000-0000-0000-0000-000000000001";
    let told = said(scene, &["redrive", "--id", nobody], 1);
    assert!(told.contains(&format!("skipped     {nobody}: no dead letter has this id")), "{told}");
}
