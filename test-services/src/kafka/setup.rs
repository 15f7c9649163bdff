//! What is wanted of the brokers, and starting them.

use std::path::Path;

use tempfile::TempDir;

use super::java::Program;
use super::node::{Cluster, Listeners};
use super::secured::Secured;
use super::{Broker, Kafka};
use crate::certificates::Certificates;
use crate::leash::Leash;
use crate::port::Port;
use crate::{Error, Failed};

/// Brokers to be started: how many, with which settings, secured or not.
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `start`"]
pub struct KafkaSetup {
    brokers: u8,
    users: Vec<(String, String)>,
    properties: Vec<String>,
}

/// One broker's ports.
struct Claims {
    plain: Port,
    controller: Port,
    secured: Port,
}

impl KafkaSetup {
    /// One broker.
    pub fn one() -> Self {
        Self { brokers: 1, users: Vec::new(), properties: Vec::new() }
    }

    /// Three brokers; topics have three replicas, two of which must have a record before it is acknowledged.
    pub fn three() -> Self {
        Self { brokers: 3, ..Self::one() }
    }

    /// A line of `server.properties`, for every broker; it wins over ours.
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.push(format!("{name}={value}"));
        self
    }

    /// With a TLS listener that lets this user in, by SASL PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. For more users: again.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// Starts them, and waits until they are ready.
    ///
    /// # Errors
    /// Java or Kafka's jars cannot be had, or a broker does not start.
    pub fn start(self) -> Result<Kafka, Error> {
        let program = Program::find()?;
        let claims = (0..self.brokers).map(|_| Claims::get()).collect::<Result<Vec<_>, _>>()?;
        let folders = (0..self.brokers).map(|_| folder()).collect::<Result<Vec<_>, _>>()?;
        let cluster = Cluster {
            program,
            listeners: claims.iter().map(Claims::listeners).collect(),
            secured: folders.first().map_or(Ok(None), |first| self.secured(&claims, first.path()))?,
            properties: self.properties,
        };
        let nodes = cluster.nodes(folders.iter().map(|folder| folder.path().to_owned()));
        let mut brokers = Vec::new();
        for ((node, folder), claims) in nodes.into_iter().zip(folders).zip(claims) {
            let ports = vec![claims.plain, claims.controller, claims.secured];
            let leash = Leash::hold(folder, ports, &node.command())?;
            brokers.push(Broker { node, leash });
        }
        format(&brokers)?;
        for broker in &brokers {
            broker.leash.start()?;
        }
        let kafka = Kafka { brokers };
        kafka.wait_ready()?;
        Ok(kafka)
    }

    /// The certificates are in the first broker's folder; all brokers are one machine.
    fn secured(&self, claims: &[Claims], folder: &Path) -> Result<Option<Secured>, Failed> {
        if self.users.is_empty() {
            return Ok(None);
        }
        let ports = claims.iter().map(|claims| claims.secured.number()).collect();
        Ok(Some(Secured::new(ports, Certificates::make(folder)?, self.users.clone())))
    }
}

impl Claims {
    fn get() -> Result<Self, Failed> {
        Ok(Self { plain: Port::claim()?, controller: Port::claim()?, secured: Port::claim()? })
    }

    fn listeners(&self) -> Listeners {
        Listeners { plain: self.plain.number(), controller: self.controller.number() }
    }
}

fn folder() -> Result<TempDir, Failed> {
    let made = tempfile::Builder::new().prefix("ingestion-kafka-").tempdir();
    made.map_err(|error| Failed::new(format!("no folder for a broker: {error}")))
}

/// All at once: each costs the start of a virtual machine.
fn format(brokers: &[Broker]) -> Result<(), Failed> {
    std::thread::scope(|scope| {
        let formats: Vec<_> = brokers.iter().map(|broker| scope.spawn(|| broker.node.format())).collect();
        formats.into_iter().try_for_each(|format| {
            format.join().unwrap_or_else(|_| Err(Failed::new("a broker's folder cannot be formatted")))
        })
    })
}
