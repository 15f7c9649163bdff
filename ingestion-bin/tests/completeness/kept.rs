//! Nobody listens while an account has more fills than the venue keeps of it, 10,000 as the real one: what is kept is published, what is
//! not is declared with its bounds, in-band and for good, and `verify` beside the venue's history agrees.

use std::collections::HashSet;

use hyperliquid_client::sim::{SimConfig, SimLimits};
use serde_json::{Value, json};

use crate::outages::{leave, states, unhurried};
use crate::scene::{ALICE, Scene};

/// What the venue keeps, and the simulated one where nothing else is said.
const KEPT: usize = 10_000;
/// Blocks that nobody hears, and fills in each: two of them are forgotten, and most of a third, inside its millisecond.
const BLOCKS: usize = 42;
const BURST: usize = 255;
const LOST: usize = BLOCKS * BURST - KEPT;

#[test]
fn of_more_fills_than_the_venue_keeps_all_it_still_shows_is_published_and_the_rest_declared() {
    assert_eq!(SimConfig::manual().venue.retention, KEPT);
    // History is read as often as it takes: the budget is tried elsewhere.
    let budget = [("venue.endpoint.0.limits.info_weight_per_minute", "1000000")];
    let mut scene = Scene::of(ALICE, &budget, |sim| sim.venue.limits = SimLimits::generous(), unhurried);
    leave(&mut scene);
    let before = scene.chains.rows().len();
    for _ in 0..BLOCKS {
        scene.burst("ETH", BURST);
    }
    scene.venue.clear_faults();
    scene.wait_signals(before + KEPT);
    for _ in 0..9 {
        scene.play("ETH");
    }
    scene.skip();
    let newest = scene.chains.now();
    let status = scene.certified(newest);
    let total = &status["completeness"]["total"]["sinceStart"];
    assert!(total["missing"].as_u64() > Some(0), "{status}");

    // One gap in the chain, from the last fill before it to the first that is kept, and it stays unfillable.
    let rows = scene.chains.rows().to_vec();
    let first_kept = before + LOST;
    let time = |at: usize| rows[at].fill["time"].clone();
    let gaps = scene.gaps();
    assert_eq!(states(&gaps, "chain"), ["opened", "unfillable"], "{gaps:?}");
    let chain = gaps.iter().rfind(|gap| gap["kind"] == "chain").expect("just found");
    assert_eq!((&chain["fromTime"], &chain["toTime"]), (&time(before - 1), &time(first_kept)), "{chain}");
    assert_eq!(chain["startFound"], rows[first_kept].fill["startPosition"], "{chain}");
    // Nor is the rest of that millisecond known, nor what came before it where nothing was certified yet when the outage began.
    let history: Vec<&Value> = gaps.iter().filter(|gap| gap["kind"] == "history").collect();
    let ids: HashSet<&str> = history.iter().filter_map(|gap| gap["gapId"].as_str()).collect();
    assert!(!ids.is_empty() && ids.len() == history.len(), "each is told once: {gaps:?}");
    for gap in history {
        assert_eq!((&gap["state"], &gap["toTime"]), (&json!("unfillable"), &time(first_kept)), "{gaps:?}");
    }
    let carries: Vec<Value> =
        scene.signals().into_iter().filter(|signal| signal["gapId"] == chain["gapId"]).collect();
    let tids: Vec<&Value> = carries.iter().map(|signal| &signal["metadata"]["tid"]).collect();
    assert_eq!(tids, [&json!(rows[first_kept].fill["tid"].to_string())], "the first one after it says so");

    // Everything else is there, once and in order.
    scene.wait_signals(rows.len() - LOST);
    scene.judge_but(before..first_kept);
    assert!(scene.verify(&[]).0 == Some(0) && scene.verify(&["--strict"]).0 == Some(1));
    let (code, report) = scene.verify(&["--against-info"]);
    assert_eq!(code, Some(0), "{report}");
    let against = &report["againstInfo"];
    for none in ["missing", "missingDeclared", "phantoms", "phantomsDeclared", "different", "unreadable"] {
        assert_eq!(against[none], json!(0), "{none} in {report}");
    }
    // What was played since made the venue forget as many more.
    let since = rows.len() - before - BLOCKS * BURST;
    assert!(
        against["compared"].as_u64() >= Some((KEPT - since) as u64),
        "all of the outage it has: {report}"
    );
    assert_eq!(against["beyondHistory"], json!(before + since), "{report}");
    scene.stop();
}
