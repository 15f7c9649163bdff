//! The sample consumers of `messaging/examples`, killed with SIGKILL again and again while they read a topic that repeats itself: in the
//! end their totals are exactly those of the truth (fault row 78).
//!
//! The short form kills each ten times. The long one: `INGESTION_CONSUMER_KILLS=100 cargo test -p messaging --features kafka --test
//! consumers`, with `INGESTION_CONSUMER_SEED=N` for other random moments. The one in Python runs where a `python3`, or the
//! `INGESTION_TEST_PYTHON` that is named, has `confluent_kafka`.
#![cfg(feature = "kafka")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that panics fails; environment and real time are part of what is tried here"
)]
#![allow(clippy::print_stdout, reason = "a test says what it saw")]

mod drill;
mod ledgers;
mod member;
#[allow(dead_code, reason = "its `main` is not ours")]
#[path = "../../examples/exact_total/main.rs"]
mod program;
mod stream;

use std::path::Path;
use std::process::Command;

use test_services::{or_skip, python, shared_kafka};

use drill::Drill;

/// Where this process is to be the sample consumer, what that one is asked for, a word a line.
const WORDS: &str = "INGESTION_SAMPLE_CONSUMER";

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

fn drill(name: &'static str, brokers: String, command: impl Fn(&[&str]) -> Command + 'static) -> Drill {
    let kills = number("INGESTION_CONSUMER_KILLS").unwrap_or(10);
    let seed = number("INGESTION_CONSUMER_SEED").unwrap_or(78);
    Drill { name, brokers, kills, seed, command: Box::new(command) }
}

/// With the sample in Rust.
fn in_rust(test: &str) -> Option<Drill> {
    let brokers = or_skip(test, shared_kafka())?;
    Some(drill("rust", brokers, |words| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = "this_is_the_sample_consumer";
        command.args(["--exact", name, "--nocapture", "--quiet", "--test-threads=2"]);
        command.env(WORDS, words.join("\n"));
        command
    }))
}

/// With the sample in Python.
fn in_python(test: &str) -> Option<Drill> {
    let python = or_skip(test, python("confluent_kafka"))?;
    let brokers = or_skip(test, shared_kafka())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/exact_total.py");
    Some(drill("python", brokers, move |words| {
        let mut command = Command::new(&python);
        command.arg(&script).args(words);
        command
    }))
}

#[test]
fn the_rust_consumers_total_is_exact_however_often_it_is_killed() {
    in_rust("consumer_in_rust").into_iter().for_each(Drill::run);
}

#[test]
fn the_python_consumers_total_is_exact_however_often_it_is_killed() {
    in_python("consumer_in_python").into_iter().for_each(Drill::run);
}

#[test]
fn records_that_were_deleted_before_they_were_read_are_told() {
    in_rust("deleted_for_rust").into_iter().for_each(Drill::lose);
    in_python("deleted_for_python").into_iter().for_each(Drill::lose);
}

/// The program of the example, inside of this binary, so that it is always the newest; without words it says how it is used.
#[test]
fn this_is_the_sample_consumer() {
    let asked = std::env::var(WORDS);
    let words: Vec<&str> = asked.iter().flat_map(|words| words.lines()).collect();
    let ended = program::run(&words);
    if words.is_empty() {
        assert_eq!(ended.unwrap_err().to_string(), "wants BROKERS TOPIC STORE [INSTANCE], or --show STORE");
    } else {
        ended.unwrap();
    }
}
