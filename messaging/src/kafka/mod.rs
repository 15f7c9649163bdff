//! Records to Apache Kafka, by librdkafka. Feature `kafka`; TLS and SASL-SCRAM with `kafka-tls` (the system's OpenSSL) or
//! `kafka-tls-static` (one built along).
//!
//! - [`KafkaSink`] is a topic as a [`crate::sink::Sink`]; [`Compose`] says what message a record makes.
//! - [`KafkaConfig`] says which cluster and how; what order and completeness rest on cannot be configured away.
//! - [`Auditor`] reads back what was acknowledged, and tells what is not there any more.
//! - [`create_topics`] makes topics; [`read_topic`] reads one to its end, for audits.
//! - [`Resender`] sends single messages again, by hand.
//!
//! At least once, in order for each key, always the same content for one record. The journal is the buffer: what a producer
//! does not get rid of stays there, for ever if it must; in memory is what is on its way, bounded by the pump.

mod audit;
mod config;
mod figures;
mod in_flight;
mod message;
mod producer;
mod read;
mod refusal;
mod resend;
mod sink;
mod topics;
mod trial;

pub use audit::{AuditPace, AuditStatus, AuditTrail, Auditor, Difference, Differs, OnDifference};
pub use config::{BadProperty, Compression, KafkaConfig, PROTECTED, is_secret};
pub use figures::{Figures, FiguresWatch};
pub use message::{Compose, Message};
pub use read::{ReadTopicError, Stored, read_topic};
pub use resend::{Placed, ResendError, Resender};
pub use sink::{KafkaSink, OnAcknowledged};
pub use topics::{Made, Topic, TopicError, create_topics};
