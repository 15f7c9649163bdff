//! Replays a corpus in the tests: no fuzzer, no C++ compiler.

#![allow(clippy::print_stdout, reason = "cargo shows it only when a check fails")]

use std::fs;
use std::path::Path;

/// Gives every file of fuzz/corpus/`target` to `check`, and names the one that fails.
///
/// # Panics
/// When a check fails, or there is no corpus.
pub(crate) fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let inputs = fs::read_dir(&folder).expect("a corpus for every target");
    let mut inputs: Vec<_> = inputs.map(|entry| entry.expect("a readable corpus").path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        println!("{}", input.display()); // shown when the check fails
        check(&fs::read(&input).expect("a readable input"));
    }
}
