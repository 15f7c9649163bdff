//! What is wanted of a server, and starting it.

use std::ffi::OsString;
use std::path::Path;

use super::Redis;
use crate::certificates::Certificates;
use crate::leash::Leash;
use crate::port::Port;
use crate::{Error, Failed, install};

/// A server to be started: with more arguments, TLS, a user.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is started before `start`"]
pub struct RedisSetup {
    args: Vec<String>,
    tls: bool,
    user: Option<(String, String)>,
}

impl RedisSetup {
    /// The usual settings: one plain port, nothing stored, no user.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more word of the server's command line; it wins over ours.
    pub fn arg(mut self, word: &str) -> Self {
        self.args.push(word.to_owned());
        self
    }

    /// With a TLS port beside the plain one; clients show no certificate.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// With this user, who may do everything, and with nobody else: the default user is off.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// There is no Redis, or it does not start.
    pub fn start(self) -> Result<Redis, Error> {
        self.start_as(&[], "")
    }

    /// With words in front of the caller's, and lines of `redis.conf`.
    pub(super) fn start_as(self, words: &[&str], lines: &str) -> Result<Redis, Error> {
        let server = install::redis_server()?;
        install::redis_cli()?; // we shall be asked for it
        let folder = tempfile::Builder::new().prefix("ingestion-redis-").tempdir();
        let folder = folder.map_err(|error| Failed::new(format!("no folder for redis-server: {error}")))?;
        let (plain, secured) = (Port::claim()?, Port::claim()?);
        let (port, tls_port) = (plain.number(), secured.number());
        let certificates = if self.tls { Some(Certificates::make(folder.path())?) } else { None };
        let config = config(port, certificates.as_ref().map(|made| (tls_port, made)), self.user.as_ref());
        std::fs::write(folder.path().join("redis.conf"), config + lines)
            .map_err(|error| Failed::new(format!("{}: {error}", folder.path().display())))?;
        let mut command: Vec<OsString> = vec![server.into(), "redis.conf".into()];
        command.extend(words.iter().map(OsString::from));
        command.extend(self.args.iter().map(OsString::from));
        let leash = Leash::hold(folder, vec![plain, secured], &command)?;
        let tls = certificates.map(|made| (tls_port, made));
        let redis = Redis { leash, port, tls, user: self.user };
        redis.restart()?;
        Ok(redis)
    }
}

/// `redis.conf` of a server that stores nothing. The folder is where it is started.
pub(crate) fn config(
    port: u16,
    tls: Option<(u16, &Certificates)>,
    user: Option<&(String, String)>,
) -> String {
    let mut lines = vec![
        "bind 127.0.0.1".to_owned(),
        format!("port {port}"),
        "save \"\"".to_owned(),
        "appendonly no".to_owned(),
        "repl-diskless-sync-delay 0".to_owned(), // a replica is there at once, not after 5 s
    ];
    if let Some((port, made)) = tls {
        let file = |name: &str, file: &Path| format!("{name} {}", file.display());
        lines.extend([
            format!("tls-port {port}"),
            file("tls-cert-file", &made.certificate),
            file("tls-key-file", &made.key),
            file("tls-ca-cert-file", &made.authority),
            "tls-auth-clients no".to_owned(),
        ]);
    }
    if let Some((name, password)) = user {
        lines.push(format!("user {name} on >{password} ~* &* +@all"));
        lines.push("user default off".to_owned());
    }
    lines.join("\n") + "\n"
}
