//! One broker's files and command: its folder holds `server.properties`, the partitions in `data`, and what it prints in `log`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::java::Program;
use super::properties;
use super::secured::Secured;
use crate::Failed;
use crate::command::Bounded;

/// Ports of one broker, on the loopback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listeners {
    pub(crate) plain: u16,
    pub(crate) controller: u16,
}

/// What the brokers of one set share.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) program: Program,
    /// In the order of the brokers' ids.
    pub(crate) listeners: Vec<Listeners>,
    pub(crate) secured: Option<Secured>,
    /// More lines of `server.properties`.
    pub(crate) properties: Vec<String>,
}

/// One broker's place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) id: u8,
    pub(crate) folder: PathBuf,
    pub(crate) listeners: Listeners,
    pub(crate) cluster: Arc<Cluster>,
}

impl Cluster {
    /// One for each broker, in these folders.
    pub(crate) fn nodes(self, folders: impl IntoIterator<Item = PathBuf>) -> Vec<Node> {
        let cluster = Arc::new(self);
        let places = folders.into_iter().zip(&cluster.listeners);
        let node = |(id, (folder, listeners)): (u8, (PathBuf, &Listeners))| Node {
            id,
            folder,
            listeners: *listeners,
            cluster: Arc::clone(&cluster),
        };
        (1..).zip(places).map(node).collect()
    }

    /// 16 bytes in base64, as Kafka wants it; of another set's brokers on the same ports it makes strangers.
    fn id(&self) -> String {
        let port = self.listeners.first().map_or(0, |first| first.controller);
        format!("test{:010}x{port:05}AA", std::process::id())
    }
}

impl Node {
    /// Writes its settings and makes an empty store that knows the users.
    pub(crate) fn format(&self) -> Result<(), Failed> {
        self.io(std::fs::write(self.folder.join("server.properties"), properties::text(self)))?;
        let mut words = self.cluster.program.command(&["-Xmx128m"], "kafka.tools.StorageTool");
        words.extend(["format", "-t", &self.cluster.id(), "-c", "server.properties"].map(OsString::from));
        words.extend(self.cluster.secured.iter().flat_map(Secured::scram).map(OsString::from));
        let command = Bounded::of(&words, Duration::from_secs(60));
        Bounded { folder: Some(&self.folder), ..command }.output().map(drop)
    }

    /// Takes everything it stored.
    pub(crate) fn wipe(&self) -> Result<(), Failed> {
        self.io(std::fs::remove_dir_all(self.log_dir()))
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The server's command, to be run in the folder.
    pub(crate) fn command(&self) -> Vec<OsString> {
        let mut words = self.cluster.program.command(&["-Xmx320m", "-Dlevel=info"], "kafka.Kafka");
        words.push("server.properties".into());
        words
    }

    fn io<T>(&self, result: std::io::Result<T>) -> Result<T, Failed> {
        result
            .map_err(|error| Failed::new(format!("broker {} in {}: {error}", self.id, self.folder.display())))
    }
}
