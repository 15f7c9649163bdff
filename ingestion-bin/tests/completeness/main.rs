//! Completeness as a number, and how it comes back: what no listener showed is found by reading history, what cannot be found is
//! declared, and nothing is certified before it may be. The real service at a simulated venue, audited by the real commands beside it.

#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by a panic and says what it saw"
)]

mod kept;
mod lag;
mod outages;
mod scene;
#[path = "../support/mod.rs"]
mod support;

use scene::{ALICE, Scene};
use serde_json::json;
use support::eventually;
use support::inside::fast;

/// A run that nets to zero, one at the end of a chain, one in a market never seen before.
#[test]
fn what_no_listener_showed_is_found_by_the_sweep() {
    let mut scene = Scene::start(|_| {}, fast);
    for _ in 0..5 {
        scene.play("ETH");
        scene.play("SOL");
    }
    scene.wait_signals(10);
    let zero = [scene.hide("ETH", "B", "2"), scene.hide("ETH", "A", "2")];
    scene.play("ETH");
    let end = scene.hide("SOL", "B", "1.5");
    let unseen = scene.hide("DOGE", "A", "100");
    scene.play("ETH");
    let status = scene.certified(unseen);
    scene.wait_signals(scene.chains.rows().len());
    scene.judge();
    for time in zero {
        let signal = scene.signal_at(time);
        assert_eq!((&signal["origin"], &signal["late"]), (&json!("backfill"), &json!(true)), "{signal}");
    }
    for time in [end, unseen] {
        assert_eq!(scene.signal_at(time)["origin"], "backfill");
    }
    let total = &status["completeness"]["total"];
    assert_eq!(total["sinceStart"]["percent"], 100.0, "{total}");
    assert_eq!(total["lastHour"]["missing"], 0, "{total}");
    let printed = audited(&scene);
    assert!(printed.contains("compared "), "{printed}");
    let metrics = scene.service.status().json();
    assert_eq!(metrics["completeness"]["accounts"][0]["influencerId"], "alice");
    scene.stop();
}

/// `verify --against-info` beside the running service finds nothing wrong; its words.
fn audited(scene: &Scene) -> String {
    let (code, report) = scene.verify(&["--against-info"]);
    let against = &report["againstInfo"];
    assert_eq!(code, Some(0), "{report}");
    assert!(against["compared"].as_u64() > Some(10), "{against}");
    for none in ["missing", "missingDeclared", "phantoms", "different", "unreadable"] {
        assert_eq!(against[none], 0, "{none} in {against}");
    }
    let (code, words) = scene.ask(&["verify", "--against-info"]);
    assert_eq!(code, Some(0), "{words}");
    words
}

/// Both listeners are shown a fill under a tid that is not its own; history has it under the true one. (Where one listener alone shows it
/// so, the wrong signal is replaced: `account/tests/missing.rs`.)
#[test]
fn a_tid_flipped_for_both_listeners_is_declared() {
    let mut scene = Scene::start(|_| {}, fast);
    for _ in 0..5 {
        scene.play("ETH");
    }
    scene.wait_signals(5);
    let time = scene.hide("ETH", "B", "2");
    let mut phantom = scene.chains.rows().last().expect("just played").fill.clone();
    phantom["tid"] = json!(777_000_000_000_001_u64);
    let frame = json!({ "channel": "userFills", "data": { "user": ALICE, "fills": [phantom] } });
    assert_eq!(scene.venue.inject(Some(ALICE), frame.to_string().as_bytes()), 2, "both listeners");
    scene.wait_signals(6);
    scene.skip();
    let gap = eventually("a conflict", || {
        let status = scene.status();
        let gaps = status["gaps"].as_array().expect("gaps").clone();
        gaps.into_iter().find(|gap| gap["kind"] == "conflict" && gap["state"] == "unfillable")
    });
    assert_eq!((&gap["fromTime"], &gap["market"]), (&json!(time), &json!("ETH-PERP")), "{gap}");
    let status = scene.certified(time);
    let total = &status["completeness"]["total"]["sinceStart"];
    assert_eq!(total["missing"], 0, "the true one replaces the wrong signal: {status}");
    let at: Vec<_> = scene.signals().into_iter().filter(|signal| signal["timestamp"] == time).collect();
    let tids: Vec<_> = at.iter().map(|signal| signal["metadata"]["tid"].as_str().expect("text")).collect();
    assert!(tids.len() == 2 && tids[0] == "777000000000001", "{at:?}");
    assert_eq!((&at[1]["supersedes"], &at[1]["late"]), (&at[0]["signalId"], &json!(true)), "{at:?}");
    let (code, report) = scene.verify(&["--against-info"]);
    let against = &report["againstInfo"];
    let phantoms = (&against["phantoms"], &against["phantomsDeclared"]);
    assert_eq!((code, phantoms), (Some(0), (&json!(0), &json!(1))), "{report}");
    assert_eq!(scene.verify(&["--against-info", "--strict"]).0, Some(1));
    scene.stop();
}

/// `inspect` tells an agent wallet, a sub-account and a trader apart.
#[test]
fn an_address_is_told_before_one_follows_it() {
    let (agent, sub) = (ALICE.replace('a', "b"), ALICE.replace('a', "c"));
    let (of_agent, of_sub) = (agent.clone(), sub.clone());
    let change = move |sim: &mut hyperliquid_client::sim::SimConfig| {
        sim.venue.agents = vec![(of_agent, ALICE.to_owned())];
        sim.venue.sub_accounts = vec![("second".to_owned(), ALICE.to_owned(), of_sub)];
    };
    let mut scene = Scene::start(change, Clone::clone);
    for _ in 0..4 {
        scene.play("ETH");
    }
    scene.wait_signals(4);
    let inspect = |address: &str| {
        let (code, said) = scene.ask(&["--json", "inspect", address]);
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str::<serde_json::Value>(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    };
    let report = inspect(ALICE);
    assert_eq!((&report["role"], &report["fillsADay"]), (&json!("user"), &json!(4)), "{report}");
    assert_eq!(report["subAccounts"], json!([["second", sub]]), "{report}");
    let last = scene.chains.rows().last().expect("played").fill.clone();
    assert_eq!(report["lastFill"], last["time"], "{report}");
    assert_eq!(report["positions"][0]["market"], "ETH-PERP", "{report}");
    assert!(report["equity"][""].is_string(), "{report}");
    let report = inspect(&agent);
    assert_eq!((&report["role"], &report["owner"]), (&json!("agent"), &json!(ALICE)), "{report}");
    let (code, said) = scene.ask(&["inspect", &agent]);
    assert!(code == Some(0) && said.contains("follow that account instead"), "{said}");
    assert_eq!(inspect(&sub)["role"], "subAccount");
    scene.stop();
}
