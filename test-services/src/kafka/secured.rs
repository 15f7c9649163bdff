//! The listener with TLS and SASL: who may come in, and what a client needs.

use std::path::{Path, PathBuf};

use crate::certificates::Certificates;

/// What a client needs to come in by TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512).
#[derive(Clone, Debug)]
pub struct Secured {
    ports: Vec<u16>,
    certificates: Certificates,
    users: Vec<(String, String)>,
}

impl Secured {
    pub(super) fn new(ports: Vec<u16>, certificates: Certificates, users: Vec<(String, String)>) -> Self {
        Self { ports, certificates, users }
    }

    /// `host:port` of every broker's secured listener, separated by commas.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }

    /// The authority to trust, a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.certificates.authority
    }

    /// Where that broker listens; ids count from 1.
    pub(super) fn port(&self, id: u8) -> Option<u16> {
        self.ports.get(usize::from(id).checked_sub(1)?).copied()
    }

    /// Lines of `server.properties`.
    pub(super) fn properties(&self) -> Vec<String> {
        const MODULES: &str = "org.apache.kafka.common.security";
        const LISTENER: &str = "listener.name.secured";
        let keystore: &PathBuf = &self.certificates.keystore;
        let plain = self.users.iter().map(|(name, password)| format!(" user_{name}=\"{password}\""));
        let plain: String = plain.collect();
        let mut lines = vec![
            format!("{LISTENER}.ssl.keystore.type=PEM"),
            format!("{LISTENER}.ssl.keystore.location={}", keystore.display()),
            format!("{LISTENER}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
            format!("{LISTENER}.plain.sasl.jaas.config={MODULES}.plain.PlainLoginModule required{plain};"),
        ];
        lines.extend(["scram-sha-256", "scram-sha-512"].map(|mechanism| {
            format!("{LISTENER}.{mechanism}.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;")
        }));
        lines
    }

    /// Words for the format of a store: it knows the users from its first start.
    pub(super) fn scram(&self) -> Vec<String> {
        let both = |(name, password): &(String, String)| {
            ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(|how| format!("{how}=[name={name},password={password}]"))
        };
        let users = self.users.iter().flat_map(both);
        users.flat_map(|user| ["--add-scram".to_owned(), user]).collect()
    }
}
