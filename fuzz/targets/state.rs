//! Fuzzes the journal's checkpoints.
#![no_main]

#[path = "../checks/state.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
