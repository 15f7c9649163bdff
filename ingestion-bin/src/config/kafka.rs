//! `[kafka]`: where topics are, and how records get there. In a build without Kafka every key may only be left at its default
//! (`docs/adr/0005`).

use std::collections::BTreeMap;
use std::time::Duration;

use toml::{Table, Value};

use super::reader::Section;
use super::secret::{SecretError, SecretSource};

/// Whether this build has Kafka.
pub(super) const BUILT: bool = cfg!(feature = "kafka");
pub(super) const NO_KAFKA: &str = "this build has no Kafka (feature \"kafka\")";

/// A property of this name with this ending is a reference to where its value is.
const FROM: &str = "_from";

/// The cluster, and how it is produced to.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// `host:port,...`: some of its brokers.
    pub brokers: String,
    /// How long a batch waits for company.
    pub linger: Duration,
    /// A batch's bytes, before compression.
    pub batch_bytes: usize,
    /// How batches are compressed.
    pub compression: Compression,
    /// What is done with a record that the cluster will never take.
    pub on_reject: OnReject,
    /// What was acknowledged is read back and compared.
    pub audit: bool,
    /// Further properties of librdkafka.
    pub properties: BTreeMap<String, Property>,
}

/// The value of a property of librdkafka.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Property {
    /// As it is.
    Plain(String),
    /// Where it is.
    From(SecretSource),
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By snappy.
    Snappy,
    /// By LZ4.
    Lz4,
    /// By Zstandard.
    Zstd,
}

/// What is done with a record that the cluster will never take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnReject {
    /// It becomes a dead letter and is passed.
    DeadLetter,
    /// The sink stops in front of it, with an alarm, and offers it again.
    Stop,
}

#[cfg(feature = "kafka")]
impl Kafka {
    /// The same for a client, its secrets read.
    ///
    /// # Errors
    ///
    /// When a secret cannot be had.
    pub fn client(&self) -> Result<messaging::kafka::KafkaConfig, SecretError> {
        self.with_values(SecretSource::read)
    }

    fn with_values<E>(
        &self,
        read: impl Fn(&SecretSource) -> Result<String, E>,
    ) -> Result<messaging::kafka::KafkaConfig, E> {
        use messaging::kafka::{Compression as Codec, KafkaConfig};
        let value = |property: &Property| match property {
            Property::Plain(text) => Ok(text.clone()),
            Property::From(source) => read(source),
        };
        let properties = self.properties.iter().map(|(name, property)| Ok((name.clone(), value(property)?)));
        Ok(KafkaConfig {
            brokers: self.brokers.clone(),
            linger: self.linger,
            batch_bytes: self.batch_bytes,
            compression: match self.compression {
                Compression::None => Codec::None,
                Compression::Gzip => Codec::Gzip,
                Compression::Snappy => Codec::Snappy,
                Compression::Lz4 => Codec::Lz4,
                Compression::Zstd => Codec::Zstd,
            },
            properties: properties.collect::<Result<_, E>>()?,
        })
    }
}

pub(super) fn kafka(root: &Section<'_>) -> Kafka {
    let section = root.section("kafka");
    let kafka = if BUILT { built(&section) } else { refused(&section) };
    section.done();
    kafka
}

fn built(section: &Section<'_>) -> Kafka {
    let compressions = [
        ("none", Compression::None),
        ("gzip", Compression::Gzip),
        ("snappy", Compression::Snappy),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ];
    let rejects = [("dead_letter", OnReject::DeadLetter), ("stop", OnReject::Stop)];
    let kafka = Kafka {
        brokers: section.parsed("brokers", "127.0.0.1:9092", brokers).unwrap_or_default(),
        linger: section.millis("linger_ms", 5, 0..=1_000),
        batch_bytes: usize::try_from(section.number("batch_bytes", 1_000_000, 1_024..=100_000_000))
            .unwrap_or(1_000_000),
        compression: section.choice("compression", Compression::Lz4, &compressions),
        on_reject: section.choice("on_reject", OnReject::DeadLetter, &rejects),
        audit: section.flag("audit", true),
        properties: properties(section),
    };
    check(section, &kafka);
    kafka
}

/// `host:port`, several of them with commas.
fn brokers(text: &str) -> Result<String, &'static str> {
    let is_broker = |broker: &str| {
        broker.trim().rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && !host.contains(['/', '@', ' '])
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    if text.split(',').all(is_broker) {
        Ok(text.to_owned())
    } else {
        Err("wants HOST:PORT, several with commas")
    }
}

fn properties(section: &Section<'_>) -> BTreeMap<String, Property> {
    let table = match section.raw("properties", &[]) {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(_) => {
            section.complain("properties", "", "wants a table");
            Table::new()
        }
    };
    let mut flat = BTreeMap::new();
    flatten("", table, &mut flat);
    let mut properties = BTreeMap::new();
    for (name, value) in flat {
        let key = format!("properties.{name}");
        let Some(text) = value else {
            section.complain(&key, "", "wants text, a number, true or false");
            continue;
        };
        let property = match name.strip_suffix(FROM) {
            None => Some((name.clone(), Property::Plain(text))),
            // What was written is not shown, in case it is the secret itself.
            Some(real) => match text.parse() {
                Ok(source) => Some((real.to_owned(), Property::From(source))),
                Err(error) => {
                    let error: SecretError = error;
                    section.complain(&key, "", &error.to_string());
                    None
                }
            },
        };
        let Some((real, property)) = property else { continue };
        if properties.insert(real, property).is_some() {
            section.complain(&key, "", "is given twice, by itself and by reference");
        }
    }
    properties
}

/// Names with dots may be written in quotes or as tables in tables.
fn flatten(above: &str, table: Table, flat: &mut BTreeMap<String, Option<String>>) {
    for (name, value) in table {
        let name = if above.is_empty() { name } else { format!("{above}.{name}") };
        match value {
            Value::Table(table) => flatten(&name, table, flat),
            Value::String(text) => drop(flat.insert(name, Some(text))),
            Value::Integer(number) => drop(flat.insert(name, Some(number.to_string()))),
            Value::Float(number) => drop(flat.insert(name, Some(number.to_string()))),
            Value::Boolean(flag) => drop(flat.insert(name, Some(flag.to_string()))),
            Value::Array(_) | Value::Datetime(_) => drop(flat.insert(name, None)),
        }
    }
}

/// Names every property that librdkafka would not take, or that nobody may change.
#[cfg(feature = "kafka")]
fn check(section: &Section<'_>, kafka: &Kafka) {
    for (name, property) in &kafka.properties {
        if matches!(property, Property::Plain(_)) && messaging::kafka::is_secret(name) {
            let wants = format!("is a secret: write {name}{FROM} = \"env:NAME\" or \"file:PATH\"");
            section.complain(&format!("properties.{name}"), "", &wants);
        }
    }
    let shape: Result<_, std::convert::Infallible> = kafka.with_values(|_| Ok("a secret".to_owned()));
    for bad in shape.map(|config| config.check()).ok().and_then(Result::err).into_iter().flatten() {
        section.complain(&format!("properties.{}", bad.name), "", &bad.why);
    }
}

#[cfg(not(feature = "kafka"))]
fn check(_: &Section<'_>, _: &Kafka) {}

fn refused(section: &Section<'_>) -> Kafka {
    section.not_built("brokers", "127.0.0.1:9092", NO_KAFKA);
    section.not_built("linger_ms", 5, NO_KAFKA);
    section.not_built("batch_bytes", 1_000_000, NO_KAFKA);
    section.not_built("compression", "lz4", NO_KAFKA);
    section.not_built("on_reject", "dead_letter", NO_KAFKA);
    section.not_built("audit", true, NO_KAFKA);
    section.not_built("properties", Table::new(), NO_KAFKA);
    built(&section.absent("kafka"))
}
