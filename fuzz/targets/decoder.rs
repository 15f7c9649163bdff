//! Fuzzes the venue's decoders.
#![no_main]

#[path = "../checks/decoder.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
