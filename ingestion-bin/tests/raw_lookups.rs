//! Raw events are found by account, market, type, source event id and time, each alone and together, without reading the whole journal.
//!
//! `INGESTION_RAW_EVENTS` is how many there are, 40,000 in small segments unless it is set (`cargo xtask lookups`: 1,000,000 in segments
//! of the usual size). What every question reads is told.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "only a test: what is read is told, a panic is a failure"
)]

mod support;

use hyperliquid_client::sim::{Block, SimConfig, SimLimits, Stream};
use support::scene::Scene;
use support::service::Service;
use support::{eventually, number};

const USERS: [&str; 8] = [
    "0x00000000000000000000000000000000100c0001",
    "0x00000000000000000000000000000000100c0002",
    "0x00000000000000000000000000000000100c0003",
    "0x00000000000000000000000000000000100c0004",
    "0x00000000000000000000000000000000100c0005",
    "0x00000000000000000000000000000000100c0006",
    "0x00000000000000000000000000000000100c0007",
    "0x00000000000000000000000000000000100c0008",
];
/// Trades in every thousandth block only.
const RARE: &str = "0x00000000000000000000000000000000100c0009";
const RARELY: usize = 1_000;
/// Blocks on their way to the service at once.
const AHEAD: usize = 100;
/// Of what is stored, at most one part in so many is read for one question.
const SHARE: u64 = 5;

/// What there is, by the ways in which it is asked for.
#[derive(Default)]
struct Made {
    all: usize,
    rare_account: usize,
    rare_market: usize,
    slices: usize,
    /// Venue times of ten blocks in the middle, and how many events they have.
    span: (u64, u64, usize),
}

/// The middle block has a market and slices that no other has.
fn special(scene: &mut Scene, made: &mut Made) {
    let mut blocks = vec![scene.chains.block(&USERS[..3], "SOL")];
    let mut slices = scene.chains.block(&USERS[..2], "ETH");
    for fill in &mut slices.fills {
        (fill.stream, fill.twap_id) = (Stream::Twap, Some(7));
    }
    blocks.push(slices);
    made.rare_market = 3;
    made.slices = 2;
    made.all += 5;
    blocks.iter().for_each(|block| scene.venue.play(block));
}

fn fill(scene: &mut Scene, service: &Service, events: usize) -> Made {
    let mut made = Made::default();
    let blocks = events / USERS.len();
    let all: Vec<&str> = USERS.into_iter().chain([RARE]).collect();
    for number in 1..=blocks {
        let users = if number % RARELY == 0 { &all } else { &all[..USERS.len()] };
        let block: Block = scene.chains.block(users, if number % 2 == 0 { "ETH" } else { "BTC" });
        made.all += users.len();
        made.rare_account += usize::from(number % RARELY == 0);
        if (blocks / 3..blocks / 3 + 10).contains(&number) {
            let (first, _, events) = made.span;
            made.span = (if first == 0 { block.time } else { first }, block.time, events + users.len());
        }
        scene.venue.play(&block);
        if number == blocks / 2 {
            special(scene, &mut made);
        }
        if number % AHEAD == 0 || number == blocks {
            let taken = if number == blocks { made.all } else { made.all.saturating_sub(AHEAD * all.len()) };
            service.wait_count("signals", taken as u64);
        }
    }
    made
}

/// How many lines the command prints, and what it read of how much.
fn asked(scene: &Scene, arguments: &[&str]) -> (usize, u64, u64) {
    let output = scene.ask(&[&["raw", "--stats"], arguments].concat());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{arguments:?}: {said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    let ["read", read, "of", stored, "bytes"] = words.as_slice() else { panic!("{arguments:?}: {said}") };
    let lines = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    (lines, read.parse().expect("a number"), stored.parse().expect("a number"))
}

#[test]
fn an_event_is_found_without_reading_the_whole_journal() {
    let mut sim = SimConfig::manual();
    sim.venue.limits = SimLimits::generous();
    let entries: Vec<String> =
        USERS.iter().chain([&RARE]).map(|user| format!("{{ address = {user:?} }}")).collect();
    let list = format!("static = [{}]", entries.join(","));
    let given: Option<usize> = number("INGESTION_RAW_EVENTS");
    let segments = if given.is_some() { "" } else { "[journal]\nsegment_bytes = 1048576\n" };
    let mut scene = Scene::at(sim, 100, |_| list, segments);
    let budget = ["--set", "venue.endpoint.0.limits.info_weight_per_minute=1000000"];
    let service = Service::start(&scene.config, &budget);
    service.wait_ready();
    let based = |service: &Service| {
        let status = service.status();
        let all_based =
            status["accounts"].as_array().is_some_and(|all| all.iter().all(|one| one["based"] == true));
        all_based.then_some(())
    };
    eventually("all accounts have a baseline", || based(&service));
    scene.chains.fills_only(100);
    if given.is_none() {
        // Few events are a large store.
        scene.chains.long_fills(2_000);
    }
    let made = fill(&mut scene, &service, given.unwrap_or(40_000));
    service.stop_well();

    let (lines, read, stored) = asked(&scene, &["--type", "FILL"]);
    println!("{} events in {stored} bytes; all fills: {read} bytes read", made.all);
    assert_eq!(lines, made.all - made.slices);
    let event = scene.lines(&["raw", "--type", "FILL", "--market", "SOL-PERP"]).swap_remove(0);
    let text = |key: &str| event[key].as_str().expect("text");
    let (id, source) = (text("id"), text("sourceEventId"));
    let (since, until) = (made.span.0.to_string(), made.span.1.to_string());
    // Nearly all are fills; positions that are shown in between are not counted.
    let questions: [(&[&str], usize); 8] = [
        (&["--type", "FILL", "--account", RARE], made.rare_account),
        (&["--type", "FILL", "--market", "SOL-PERP"], made.rare_market),
        (&["--type", "TWAP_FILL"], made.slices),
        (&["--event", source], 1),
        (&["--type", "FILL", "--since", &since, "--until", &until], made.span.2),
        (&["--type", "FILL", "--account", USERS[0], "--since", &since, "--until", &until], 10),
        (&["--account", USERS[2], "--market", "SOL-PERP", "--type", "FILL"], 1),
        (&["--market", "NOBODY-PERP"], 0),
    ];
    for (arguments, expected) in questions {
        let (lines, read, _) = asked(&scene, arguments);
        println!("{}: {lines} events, {read} bytes read, one part in {}", arguments.join(" "), stored / read);
        assert_eq!(lines, expected, "{arguments:?}");
        assert!(read * SHARE < stored, "{arguments:?}: {read} of {stored} bytes");
    }
    assert_eq!(scene.lines(&["raw", "--event", id, "--market", "SOL-PERP"]), std::slice::from_ref(&event));
}
