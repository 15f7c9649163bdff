//! `kcat`: a plain client of Kafka that is not ours. Debian 12's is built on librdkafka 2.0, and Kafka 4 refuses the SCRAM
//! of librdkafka before 2.6.1 (it repeats the nonce): that kcat comes in by PLAIN only.

use std::time::Duration;

use crate::command::Bounded;
use crate::{Error, Missing, machine};

/// Runs `kcat` with these arguments and returns what it printed. At most a minute: a consumer wants `-e` or `-c`.
///
/// # Errors
/// There is no kcat, or it failed.
pub fn kcat(args: &[&str]) -> Result<String, Error> {
    kcat_fed(args, "")
}

/// [`kcat`] that reads `input`: for `-P`, a record a line.
///
/// # Errors
/// As [`kcat`].
pub fn kcat_fed(args: &[&str], input: &str) -> Result<String, Error> {
    const LIMIT: Duration = Duration::from_secs(60);
    let Some(program) = machine::program("kcat") else {
        return Err(Missing::new("no kcat; type: apt-get install kcat").into());
    };
    let command = Bounded { input: input.as_bytes(), ..Bounded::new(&program, LIMIT) };
    Ok(command.args(args).output()?)
}
