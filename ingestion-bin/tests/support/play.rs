//! The slice at work: a `sim-venue` that plays a file once everybody listens, and one data directory for services beside it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Venue, configuration, run};
use super::service::Service;

/// Listeners of an account, by default.
const LISTENERS: usize = 2;

/// A venue, and where the data of those who follow it goes.
pub struct Play {
    pub venue: Venue,
    pub directory: TempDir,
    pub config: PathBuf,
}

impl Play {
    /// A venue for `users`; `arguments` choose segment and speed, `extra` goes into the configuration.
    pub fn of(fills: &Path, users: &[String], arguments: &[&str], extra: &str) -> Self {
        let wait = (users.len() * LISTENERS).to_string();
        let fills = fills.to_str().expect("a path in UTF-8");
        // The warm-up lets the first history reads end, so that no fill can belong to the time before.
        let mut all = vec!["--fills", fills, "--wait-subscriptions", &wait, "--warmup-ms", "1000"];
        all.extend_from_slice(arguments);
        let venue = Venue::start(&all);
        let directory = TempDir::new().expect("a temporary directory");
        let config = configuration(directory.path(), &venue, users, extra);
        Self { venue, directory, config }
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A one-shot command on the same configuration: exit code, stdout, stderr.
    pub fn ask(&self, arguments: &[&str]) -> (Option<i32>, Vec<u8>, String) {
        let config = self.config.to_str().expect("a path in UTF-8");
        let output = run(&[&["--config", config], arguments].concat());
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The report of `verify --json` and its exit code.
    pub fn verify(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let (code, stdout, stderr) = self.ask(&[&["--json", "verify"], arguments].concat());
        (code, serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}; stderr: {stderr}")))
    }
}

/// Waits until a service has shown `count` more signals on stdout.
pub fn shows(service: &mut Service, count: usize) {
    for _ in 0..count {
        let line = service.process.line();
        let signal: Value = serde_json::from_str(&line).expect("a signal a line");
        assert_eq!(signal["schema"], "signal.v1", "{line}");
    }
}

/// Stops a service gracefully, which must succeed; what it said on stderr.
pub fn stopped(service: Service) -> String {
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0), "a graceful stop; stderr:\n{}", end.log);
    end.log
}
