//! Fuzzes the journal's reader.
#![no_main]

#[path = "../checks/journal.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
