//! Getting what the servers need of this machine: Debian packages, and Kafka's jars.
//!
//! Each function is a no-op where everything is there. What cannot be had is one line that says what to type; nothing else is lost by it.
//! Progress is told in lines, to whoever asked.

mod apt;
mod jars;
mod java;
mod redis;

pub use apt::{build_packages, packages};
pub use jars::kafka_jars;
pub(crate) use java::java;
pub(crate) use redis::{redis_cli, redis_server};

/// The version everything here is written for.
pub const KAFKA_VERSION: &str = "4.1.1";
