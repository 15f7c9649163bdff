//! Redis: started, killed, frozen, asked through `redis-cli`. Nothing is stored unless asked for: what is killed comes back empty.

mod cli;
mod sentinel;
mod setup;
mod shared;

use std::path::Path;
use std::time::Duration;

use crate::certificates::Certificates;
use crate::leash::{Leash, Signal};
use crate::wait::until;
use crate::{Error, Failed};

pub(crate) use cli::ping;
pub use sentinel::RedisSentinel;
pub use setup::RedisSetup;
pub(crate) use setup::config;
pub use shared::shared_redis;

/// A start takes milliseconds; a loaded machine more.
pub(crate) const READY: Duration = Duration::from_secs(20);

/// A running server; it ends with this.
#[derive(Debug)]
pub struct Redis {
    leash: Leash,
    port: u16,
    tls: Option<(u16, Certificates)>,
    user: Option<(String, String)>,
}

impl Redis {
    /// A server with the usual settings.
    ///
    /// # Errors
    /// There is no Redis, or it does not start.
    pub fn start() -> Result<Self, Error> {
        RedisSetup::new().start()
    }

    /// A server with more arguments, as `--appendonly yes`; they win over ours.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(args: &[&str]) -> Result<Self, Error> {
        args.iter().fold(RedisSetup::new(), |setup, arg| setup.arg(arg)).start()
    }

    /// `redis://127.0.0.1:PORT`, without user or password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `rediss://127.0.0.1:PORT`, if TLS was asked for.
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        self.tls.as_ref().map(|(port, _)| format!("rediss://127.0.0.1:{port}"))
    }

    /// The authority to trust, a PEM file, if TLS was asked for.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.tls.as_ref().map(|(_, certificates)| certificates.authority.as_path())
    }

    /// Its port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.leash.folder()
    }

    /// Asks it through `redis-cli`, as the user who was asked for, and returns the answer without the last line's end. Every question is
    /// a connection of its own: `WAIT` and `MULTI` know nothing of the one before.
    ///
    /// # Errors
    /// It does not answer within 10 s, or answers with an error.
    pub fn cli(&self, words: &[&str]) -> Result<String, Failed> {
        cli::ask(self.port, self.user.as_ref(), words)
    }

    /// Ends it as a power cut would: SIGKILL. It is gone when this returns.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self) -> Result<(), Failed> {
        self.leash.signal(Signal::Kill)
    }

    /// Starts it again where it was, killed before if it still ran, and waits until it answers.
    ///
    /// # Errors
    /// It does not start; the last lines of its log are in it.
    pub fn restart(&self) -> Result<(), Failed> {
        if self.leash.lives() {
            self.kill()?;
        }
        self.leash.start()?;
        self.wait_ready()
    }

    /// Stops it in the middle of whatever it does: its connections stay open and nothing is answered.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn freeze(&self) -> Result<(), Failed> {
        self.leash.signal(Signal::Stop)
    }

    /// Lets a frozen one go on.
    ///
    /// # Errors
    /// As [`Self::kill`].
    pub fn thaw(&self) -> Result<(), Failed> {
        self.leash.signal(Signal::Continue)
    }

    /// Waits, at most 20 s, until it answers and has loaded what it had stored.
    ///
    /// # Errors
    /// It does not; the last lines of its log are in it.
    pub fn wait_ready(&self) -> Result<(), Failed> {
        let ready = until(READY, || {
            if self.leash.lives() { ping(self.port).then_some(Ok(())) } else { Some(Err("ended by itself")) }
        });
        ready.unwrap_or(Err("does not answer")).map_err(|how| {
            Failed::new(format!("redis-server on port {} {how}", self.port)).with_log(&self.leash.log())
        })
    }
}
