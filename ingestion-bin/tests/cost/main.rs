//! What the whole chain costs with a real Kafka, beside the same chain written the textbook way (`examples/textbook`), in turns at the same
//! venue and broker. Judged is only that every fill is in the topic of each, once; figures are told.
//!
//! The venue lives in this process, the chains in their own: their CPU is theirs alone. `cargo xtask cost` runs the long form in release:
//! `INGESTION_COST_FILLS` at full speed in three turns, then 20 s at `INGESTION_COST_RATE` fills a second (5,000).
#![cfg(feature = "kafka")]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by a panic and says what it saw; what is measured is real time"
)]

mod chains;
mod figures;
mod load;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "its `main` is not ours")]
#[path = "../../examples/textbook/main.rs"]
mod textbook;

use chains::{Kind, Stage, WORDS};
use load::{Load, Pace};
use support::number;
use test_services::{KafkaSetup, or_skip};

/// Fills of the short form.
const SHORT: usize = 2_200;
/// Of the long form.
const TURNS: usize = 3;
const STEADY_SECONDS: usize = 20;

#[test]
fn both_chains_publish_every_fill_once() {
    let Some(kafka) = or_skip("both_chains_publish_every_fill_once", KafkaSetup::one().start()) else {
        return;
    };
    let rate = number("INGESTION_COST_RATE").unwrap_or(5_000);
    let (fills, turns, steady) = match number("INGESTION_COST_FILLS") {
        Some(fills) => (fills, TURNS, rate * STEADY_SECONDS),
        None => (SHORT, 1, SHORT),
    };
    let mut stage = Stage::new(kafka.bootstrap());
    let load = Load::new(fills);
    println!("{} fills, {} accounts, at full speed", load.fills(), load.users.len());
    let mut ratios = Vec::new();
    for _ in 0..turns {
        let ours = stage.run(Kind::Ours, &load, Pace::Full);
        let textbook = stage.run(Kind::Textbook, &load, Pace::Full);
        let unaudited = stage.run(Kind::Unaudited, &load, Pace::Full);
        ratios.push([&ours, &unaudited].map(|run| run.cpu_us() / textbook.cpu_us()));
    }
    for [ours, unaudited] in ratios {
        println!("CPU beside the textbook chain: {ours:.2}, without the audit {unaudited:.2}");
    }

    let load = Load::new(steady);
    println!("{} fills, {rate} a second", load.fills());
    for _ in 0..turns.min(2) {
        stage.run(Kind::Ours, &load, Pace::Steady(rate));
        stage.run(Kind::Textbook, &load, Pace::Steady(rate));
    }
}

/// The program of the example, inside of this binary, so that it is always the newest; without words it says how it is used.
#[test]
fn this_is_the_textbook_chain() {
    let asked = std::env::var(WORDS);
    let words: Vec<&str> = asked.iter().flat_map(|words| words.lines()).collect();
    let ended = textbook::run(&words);
    if words.is_empty() {
        let usage = "wants WS_ADDRESS BROKERS TOPIC DIRECTORY FILLS USER...";
        assert_eq!(ended.expect_err("nobody said what to do").to_string(), usage);
    } else {
        ended.expect("it goes on until it is killed");
    }
}
