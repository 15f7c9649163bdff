//! The Redis all tests of a process use that hurt none.

use std::sync::OnceLock;

use super::Redis;
use crate::{Error, machine};

/// The URL of a Redis for this process: what `INGESTION_TEST_REDIS` names (`redis://HOST:PORT` or `HOST:PORT`), else a server started by
/// the first that asks. Tests share it: each takes keys of its own.
///
/// # Errors
/// As [`Redis::start`]; everybody gets the same.
pub fn shared_redis() -> Result<String, Error> {
    static SHARED: OnceLock<Result<Redis, Error>> = OnceLock::new(); // never dropped: the leash sees to its end
    if let Some(given) = machine::variable("INGESTION_TEST_REDIS") {
        return Ok(if given.contains("://") { given } else { format!("redis://{given}") });
    }
    SHARED.get_or_init(Redis::start).as_ref().map(Redis::url).map_err(Clone::clone)
}
