//! Topics of a real Kafka that follow a journal: everything once per key and in order, whatever happens to brokers and producers.
//!
//! What is stored is read back by `kcat`, a client that is not ours. Where the machine has no Java or no kcat each test prints one
//! SKIPPED line.
#![cfg(feature = "kafka")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test that panics is a test that fails"
)]

mod audit;
mod brokers;
mod partitions;
mod proxy;
mod rejected;
mod resend;
mod rig;
mod secured;
#[path = "../sink_support/mod.rs"]
mod sink_support;
