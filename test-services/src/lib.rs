//! Real servers for the tests, and for a person: Apache Kafka in KRaft mode and Redis.
//!
//! A server listens on a free loopback port, lives in a folder of its own, and ends with the process that started it, also when that one
//! is killed (`leash.rs`). Every wait has an end.
//! What the machine lacks is [`Missing`]: the test prints one line and goes on. Whatever else goes wrong is [`Failed`], with the last
//! lines of the server's log.
//! Not here: clients. Nothing is installed from a test but Kafka's jars, into `target/services`; packages are [`install`]'s, when asked.

mod certificates;
mod command;
mod error;
pub mod install;
mod kafka;
mod kcat;
mod leash;
mod machine;
mod port;
mod python;
mod redis;
pub mod standing;
mod wait;

pub use error::{Error, Failed, Missing, or_skip, skipped};
pub use kafka::{Kafka, KafkaSetup, Secured, kafka_tool, kafka_tool_fed, shared_kafka};
pub use kcat::{kcat, kcat_fed};
pub use python::python;
pub use redis::{Redis, RedisSentinel, RedisSetup, shared_redis};
pub use wait::until;
