//! What a producer is told, in the words of librdkafka. Everything may be passed on but what our promises rest on: order
//! and completeness are not to be had with other values of those ([`PROTECTED`]).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By snappy.
    Snappy,
    /// By LZ4.
    #[default]
    Lz4,
    /// By Zstandard.
    Zstd,
}

impl Compression {
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Properties that cannot be passed on, each with what stands in their way.
pub const PROTECTED: [(&str, &str); 27] = [
    ("acks", ACKNOWLEDGED),
    ("request.required.acks", ACKNOWLEDGED),
    ("enable.idempotence", ONCE),
    ("enable.gapless.guarantee", "nothing may be stored behind a batch that failed"),
    ("max.in.flight", ONCE),
    ("max.in.flight.requests.per.connection", ONCE),
    ("transactional.id", "records are sent outside of transactions"),
    ("message.timeout.ms", FOR_EVER),
    ("delivery.timeout.ms", FOR_EVER),
    ("retries", FOR_EVER),
    ("message.send.max.retries", FOR_EVER),
    ("partitioner", "records of one key go where Java clients look for them"),
    ("queuing.strategy", "records of one key keep their order"),
    ("queue.buffering.max.messages", WAITS),
    ("queue.buffering.max.kbytes", WAITS),
    ("delivery.report.only.error", REPORTED),
    ("dr_cb", REPORTED),
    ("dr_msg_cb", REPORTED),
    ("enabled_events", REPORTED),
    ("bootstrap.servers", "kafka.brokers says it"),
    ("metadata.broker.list", "kafka.brokers says it"),
    ("linger.ms", "kafka.linger_ms says it"),
    ("queue.buffering.max.ms", "kafka.linger_ms says it"),
    ("batch.size", "kafka.batch_bytes says it"),
    ("batch.num.messages", "kafka.batch_bytes says it"),
    ("compression.codec", "kafka.compression says it"),
    ("compression.type", "kafka.compression says it"),
];

const ACKNOWLEDGED: &str = "only what all in-sync replicas have counts as delivered";
const ONCE: &str = "a resent batch must not be stored twice";
const FOR_EVER: &str = "no record is given up";
const WAITS: &str = "what waits is in the journal";
const REPORTED: &str = "every acknowledgement is counted";

/// Where records are produced to, and how.
#[derive(Clone, Eq, PartialEq)]
pub struct KafkaConfig {
    /// `host:port,...`: some of the cluster's brokers.
    pub brokers: String,
    /// How long a batch waits for company.
    pub linger: Duration,
    /// A batch's bytes, before compression.
    pub batch_bytes: usize,
    /// How batches are compressed.
    pub compression: Compression,
    /// Further properties of librdkafka, secrets among them.
    pub properties: BTreeMap<String, String>,
}

/// Names of properties only: their values may be secret.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("linger", &self.linger)
            .field("batch_bytes", &self.batch_bytes)
            .field("compression", &self.compression)
            .field("properties", &self.properties.keys())
            .finish()
    }
}

/// A property that cannot be passed on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("property {name}: {why}")]
pub struct BadProperty {
    /// Its name.
    pub name: String,
    /// What is wrong; without its value where that may be secret.
    pub why: String,
}

impl KafkaConfig {
    /// For these brokers, with lz4 and batches of 1 MB that wait 5 ms.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            linger: Duration::from_millis(5),
            batch_bytes: 1_000_000,
            compression: Compression::Lz4,
            properties: BTreeMap::new(),
        }
    }

    /// Whether librdkafka takes it all. Contacts nobody.
    ///
    /// # Errors
    /// All properties that are protected, or the first that librdkafka does not take.
    pub fn check(&self) -> Result<(), Vec<BadProperty>> {
        let protected: Vec<BadProperty> = self
            .properties
            .keys()
            .filter_map(|name| {
                let (_, why) = PROTECTED.iter().find(|(protected, _)| protected == name)?;
                Some(BadProperty { name: name.clone(), why: format!("cannot be changed: {why}") })
            })
            .collect();
        if !protected.is_empty() {
            return Err(protected);
        }
        self.producer(false).create_native_config().map(drop).map_err(|error| vec![bad(error)])
    }

    /// What a client of any kind is told.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "ingestion");
        // A topic that is not there is told after this long.
        config.set("topic.metadata.propagation.max.ms", "5000");
        config.set_log_level(RDKafkaLogLevel::Warning);
        // A statically built OpenSSL knows no system store by itself.
        let is_tls = self.properties.get("security.protocol").is_some_and(|name| is_tls(name));
        if is_tls && !self.properties.contains_key("ssl.ca.location") {
            config.set("ssl.ca.location", "probe");
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
    }

    /// What a producer is told. One that is `single` is given one record at a time: it keeps order without numbered batches, and goes
    /// on behind a record that is refused.
    pub(super) fn producer(&self, single: bool) -> ClientConfig {
        let mut config = self.client();
        let linger = if single { Duration::ZERO } else { self.linger };
        config
            .set("acks", "all")
            .set("enable.idempotence", (!single).to_string())
            .set("enable.gapless.guarantee", (!single).to_string())
            .set("message.timeout.ms", "0")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", linger.as_millis().to_string())
            .set("batch.size", self.batch_bytes.to_string())
            .set("compression.codec", self.compression.name())
            .set("statistics.interval.ms", "5000");
        config
    }
}

fn is_tls(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("ssl") || protocol.eq_ignore_ascii_case("sasl_ssl")
}

/// Whether a property's value is nobody's business.
#[must_use]
pub fn is_secret(property: &str) -> bool {
    ["password", "passphrase", "secret", "token", "key.pem", "kinit", "jaas", "oauthbearer.config"]
        .iter()
        .any(|part| property.contains(part))
}

/// An error without the value that may be secret.
pub(super) fn bad(error: KafkaError) -> BadProperty {
    let KafkaError::ClientConfig(_, why, name, _) = error else {
        return BadProperty { name: "kafka".to_owned(), why: error.to_string() };
    };
    let why = if is_secret(&name) { "is not taken by librdkafka".to_owned() } else { why };
    BadProperty { name, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(properties: &[(&str, &str)]) -> KafkaConfig {
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        KafkaConfig { properties, ..KafkaConfig::new("127.0.0.1:9092") }
    }

    #[test]
    fn what_promises_rest_on_is_refused_and_the_rest_goes_to_librdkafka() {
        assert_eq!(with(&[("socket.keepalive.enable", "true")]).check(), Ok(()));
        for (name, _) in PROTECTED {
            let refused = with(&[(name, "1"), ("socket.timeout.ms", "1000")]).check().unwrap_err();
            assert_eq!(refused.len(), 1);
            assert!(refused[0].to_string().starts_with(&format!("property {name}: cannot be changed: ")));
        }
        let unknown = with(&[("no.such.property", "1")]).check().unwrap_err();
        assert!(unknown[0].name == "no.such.property", "{unknown:?}");
        let wrong = with(&[("socket.timeout.ms", "soon")]).check().unwrap_err();
        assert!(wrong[0].name == "socket.timeout.ms" && wrong[0].why.contains("Invalid value"), "{wrong:?}");
    }

    #[test]
    fn no_value_of_a_property_is_shown() {
        let config = with(&[("sasl.password", "swordfish"), ("ssl.key.password", "tuna")]);
        let shown = format!("{config:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("swordfish") && !shown.contains("tuna"));
    }
}
