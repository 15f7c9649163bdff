//! Nobody listens for longer than a snapshot covers.

use std::time::Duration;

use ingestion_bin::account::Settings;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::eventually;
use crate::support::inside::fast;

/// Sweeps far enough apart that an outage has its own reads.
pub(crate) fn unhurried(settings: &Settings) -> Settings {
    let pause = Duration::from_secs(6);
    Settings { first_sweep: pause, sweep_interval: pause, ..fast(settings) }
}

/// Blocks that nobody hears, and fills in each: a snapshot shows the last thirty.
const BLOCKS: usize = 34;
const BURST: usize = 3;
const MISSED: usize = BLOCKS * BURST;

/// Ten fills, and then the venue is down: no sockets, no history.
pub(crate) fn leave(scene: &mut Scene) {
    for _ in 0..10 {
        scene.play("ETH");
    }
    scene.wait_signals(10);
    for fault in ["handshake=503", "info-500=1"] {
        scene.venue.add_fault(fault.parse().expect("a fault"));
    }
    scene.venue.close_sockets(1006);
    eventually("nobody listens", || (scene.service.status().worker().listeners_connected == 0).then_some(()));
}

/// Both listeners away while [`MISSED`] fills happen, then back, and ten more at once. `faults` befall the venue from then on.
fn away(scene: &mut Scene, faults: &[&str]) {
    leave(scene);
    for _ in 0..BLOCKS {
        scene.burst("ETH", BURST);
    }
    scene.venue.clear_faults();
    for fault in faults {
        scene.venue.add_fault(fault.parse().expect("a fault"));
    }
    eventually("they are back", || {
        let worker = scene.service.status().worker();
        (worker.accounts[0].coverage != "blind").then_some(())
    });
    for _ in 0..9 {
        scene.play("ETH");
    }
    scene.skip();
}

pub(crate) fn states(gaps: &[Value], kind: &str) -> Vec<String> {
    // Each epoch begins with a record that voids what was said before.
    let of_kind = gaps.iter().filter(|gap| gap["kind"] == kind && gap["state"] != "reset");
    of_kind.map(|gap| gap["state"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn an_outage_longer_than_a_snapshot_is_repaired_in_order() {
    // Pages end inside a millisecond.
    let mut scene = Scene::start(|sim| sim.venue.page_cap = 40, unhurried);
    // Live rows come before history answers.
    away(&mut scene, &["info-slow=300..400@1"]);
    let mut below = false;
    eventually("all signals", || {
        below |= scene.status()["completeness"]["total"]["sinceStart"]["missing"] != 0;
        (scene.signals().len() >= 10 + MISSED + 10).then_some(())
    });
    let signals = scene.signals();
    let times: Vec<u64> =
        signals.iter().map(|signal| signal["timestamp"].as_u64().expect("a time")).collect();
    assert!(times.is_sorted(), "in order, before what is newer: {times:?}");
    assert!(signals.iter().all(|signal| signal.get("late").is_none()), "nothing comes late");
    let backfilled = signals.iter().filter(|signal| signal["origin"] == "backfill").count();
    assert!(backfilled >= MISSED - 30, "{backfilled} by history");
    let opened = scene.gaps();
    assert!(below || states(&opened, "outage").contains(&"repaired".to_owned()), "below 100 % meanwhile");
    let newest = scene.chains.now();
    let status = scene.certified(newest);
    assert_eq!(status["completeness"]["total"]["sinceStart"]["percent"], 100.0, "{status}");
    let gaps = scene.gaps();
    assert_eq!(states(&gaps, "outage"), ["opened", "repaired"], "{gaps:?}");
    assert!(states(&gaps, "chain").is_empty(), "{gaps:?}");
    scene.wait_signals(scene.chains.rows().len());
    scene.judge();
    let (code, report) = scene.verify(&["--against-info", "--strict"]);
    assert_eq!((code, &report["declaredGaps"]), (Some(0), &json!(0)), "{report}");
    let venue = scene.venue.status();
    assert_eq!(venue.info_over_budget, 0, "{venue:?}");
    scene.stop();
}

/// Half of the answers fail, break off, or are refused: the gap stays open until history has answered, nothing is lost.
#[test]
fn an_outage_is_repaired_by_a_history_that_often_fails() {
    let mut scene = Scene::start(|sim| sim.seed = 5, unhurried);
    away(&mut scene, &["info-500=0.2", "info-half=0.2", "info-429=0.1"]);
    let newest = scene.chains.now();
    let status = scene.certified(newest);
    assert_eq!(status["completeness"]["total"]["sinceStart"]["percent"], 100.0, "{status}");
    scene.wait_signals(scene.chains.rows().len());
    scene.judge();
    assert_eq!(states(&scene.gaps(), "outage").last().map(String::as_str), Some("repaired"));
    let faults = scene.venue.fault_counts();
    let failed: u64 = ["info-500", "info-half", "info-429"].iter().map(|fault| faults[fault]).sum();
    assert!(failed > 0, "{faults:?}");
    scene.stop();
}
