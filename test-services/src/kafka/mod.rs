//! Apache Kafka, one broker or three: started, killed, frozen, wiped, asked with its own tools.
//!
//! Every broker is also a controller. Its plain listener is open to everybody on the loopback; a secured one stands beside it on request.

mod java;
pub(crate) mod metadata;
mod node;
mod properties;
mod secured;
mod setup;
mod shared;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::leash::{Leash, Signal};
use crate::wait::until;
use crate::{Error, Failed};
use node::Node;

pub(crate) use java::Program;
pub use java::{kafka_tool, kafka_tool_fed};
pub(crate) use node::{Cluster, Listeners};
pub use secured::Secured;
pub use setup::KafkaSetup;
pub use shared::shared_kafka;

/// A start takes seconds; on a loaded machine more.
pub(crate) const READY: Duration = Duration::from_secs(60);

/// Running brokers; they end with this.
#[derive(Debug)]
pub struct Kafka {
    brokers: Vec<Broker>,
}

#[derive(Debug)]
struct Broker {
    node: Node,
    leash: Leash,
}

impl Kafka {
    /// One broker with the usual settings.
    ///
    /// # Errors
    /// Java or Kafka's jars cannot be had, or it does not start.
    pub fn start() -> Result<Self, Error> {
        KafkaSetup::one().start()
    }

    /// `host:port` of every broker's plain listener, separated by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses = self.brokers.iter().map(|broker| address(broker.node.listeners.plain).to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The listeners with TLS and SASL, if they were asked for.
    #[must_use]
    pub fn secured(&self) -> Option<&Secured> {
        self.brokers.first()?.node.cluster.secured.as_ref()
    }

    /// Ends a broker as a power cut would: SIGKILL. It is gone when this returns.
    ///
    /// # Errors
    /// It does not run, or there is no such broker; ids count from 1.
    pub fn kill(&self, id: u8) -> Result<(), Failed> {
        self.broker(id)?.leash.signal(Signal::Kill)
    }

    /// Starts a broker again where it was, killed before if it still ran, and waits until all that run are ready.
    ///
    /// # Errors
    /// As [`Self::wait_ready`].
    pub fn restart(&self, id: u8) -> Result<(), Failed> {
        let leash = &self.broker(id)?.leash;
        if leash.lives() {
            leash.signal(Signal::Kill)?;
        }
        leash.start()?;
        self.wait_ready()
    }

    /// Stops a broker in the middle of whatever it does: its connections stay open and nothing is answered.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn freeze(&self, id: u8) -> Result<(), Failed> {
        self.broker(id)?.leash.signal(Signal::Stop)
    }

    /// Lets a frozen broker go on.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn thaw(&self, id: u8) -> Result<(), Failed> {
        self.broker(id)?.leash.signal(Signal::Continue)
    }

    /// Takes everything a killed broker ever stored, as a new disk would.
    ///
    /// # Errors
    /// It runs, or its folder cannot be formatted.
    pub fn wipe(&self, id: u8) -> Result<(), Failed> {
        let broker = self.broker(id)?;
        if broker.leash.lives() {
            return Err(Failed::new(format!("broker {id} runs: kill it before its disk is wiped")));
        }
        broker.node.wipe()?;
        broker.node.format()
    }

    /// The only broker is killed, loses the last quarter of a topic's only partition, and starts again.
    ///
    /// # Errors
    /// It does not run, has no such log, or does not start again.
    pub fn lose_end(&self, topic: &str) -> Result<(), Failed> {
        self.kill(1)?;
        let log = self.log_dir(1)?.join(format!("{topic}-0/00000000000000000000.log"));
        let cut = || {
            let file = std::fs::OpenOptions::new().write(true).open(&log)?;
            file.set_len(file.metadata()?.len() * 3 / 4)
        };
        cut().map_err(|error: std::io::Error| Failed::new(format!("{}: {error}", log.display())))?;
        self.restart(1)
    }

    /// Where a broker keeps its partitions.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn log_dir(&self, id: u8) -> Result<PathBuf, Failed> {
        Ok(self.broker(id)?.node.log_dir())
    }

    /// Waits, at most a minute, until every broker that runs knows every other one that runs and there is a controller.
    ///
    /// # Errors
    /// They do not come to that; the last lines of the log of the broker that kept us waiting are in it.
    pub fn wait_ready(&self) -> Result<(), Failed> {
        let running = || self.brokers.iter().filter(|broker| broker.leash.lives());
        let ids: Vec<i32> = running().map(|broker| i32::from(broker.node.id)).collect();
        for broker in running() {
            let id = broker.node.id;
            let ready = until(READY, || {
                if !broker.leash.lives() {
                    return Some(Err("ended by itself"));
                }
                let known = metadata::brokers(address(broker.node.listeners.plain))?;
                ids.iter().all(|id| known.contains(id)).then_some(Ok(()))
            });
            ready
                .unwrap_or(Err("is not ready after a minute"))
                .map_err(|how| Failed::new(format!("broker {id} {how}")).with_log(&broker.leash.log()))?;
        }
        Ok(())
    }

    /// Runs one of Kafka's tools against these brokers, as `TopicCommand` or `consumer.ConsoleConsumer`, and returns what it printed.
    ///
    /// # Errors
    /// As [`kafka_tool`].
    pub fn tool(&self, class: &str, args: &[&str]) -> Result<String, Error> {
        kafka_tool(class, &[&["--bootstrap-server", &self.bootstrap()], args].concat())
    }

    fn broker(&self, id: u8) -> Result<&Broker, Failed> {
        let found = self.brokers.iter().find(|broker| broker.node.id == id);
        found.ok_or_else(|| Failed::new(format!("there is no broker {id}")))
    }
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
