//! The broker all tests of a process use that hurt none.

use std::sync::OnceLock;

use super::Kafka;
use crate::{Error, machine};

/// `host:port` of a Kafka for this process: what `INGESTION_TEST_KAFKA` names (a list with commas), else one broker, started by the first
/// that asks. Tests share it: each takes topics of its own.
///
/// # Errors
/// As [`Kafka::start`]; everybody gets the same.
pub fn shared_kafka() -> Result<String, Error> {
    static SHARED: OnceLock<Result<Kafka, Error>> = OnceLock::new(); // never dropped: the leash sees to its end
    if let Some(given) = machine::variable("INGESTION_TEST_KAFKA") {
        return Ok(given);
    }
    SHARED.get_or_init(Kafka::start).as_ref().map(Kafka::bootstrap).map_err(Clone::clone)
}
