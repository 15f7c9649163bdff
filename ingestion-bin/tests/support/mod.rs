//! What the tests of the whole binary share: expected signals, processes, scratch directories.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod expected;
pub mod process;

use std::path::PathBuf;

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

/// Our own fills, made for these tests.
pub fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fills.ndjson"))
}
