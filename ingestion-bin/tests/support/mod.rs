//! What the tests of the whole binary share: expected signals, processes, scratch directories.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "only tests: a panic is a failure, deadlines are real time"
)]

pub mod clock;
pub mod document;
pub mod drill;
#[path = "../../../hyperliquid-client/tests/proxy_support/mod.rs"]
pub mod egress_proxy;
pub mod expected;
pub mod inside;
pub mod judge;
pub mod legs;
pub mod market;
pub mod place;
pub mod play;
pub mod process;
pub mod proxy;
pub mod random;
pub mod scene;
pub mod service;
#[cfg(feature = "kafka")]
pub mod topics;

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// The folder of recorded data, or `None` after saying so in one line.
pub fn recorded_data() -> Option<PathBuf> {
    let folder = std::env::vars()
        .find(|(name, _)| name == "INGESTION_TEST_DATA")
        .map(|(_, value)| PathBuf::from(value));
    if folder.is_none() {
        println!("SKIPPED: INGESTION_TEST_DATA is not set; the same check runs on our own fixture");
    }
    folder
}

/// A number from the environment; one that is none fails by its name.
pub fn number<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Our own fills, made for these tests.
pub fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fills.ndjson"))
}

/// Waits until `look` finds something; fails, naming `what`, when it does not within the deadline.
#[expect(
    clippy::disallowed_methods,
    reason = "a file or a port of another process can only be looked at again"
)]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + process::DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
