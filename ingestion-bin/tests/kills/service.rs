//! The service as a child process that can be killed, with its log in a file.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http;
use super::support::process::ingestion;

/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(2);
/// The same for a whole status.
const STATUS_LOOK: Duration = Duration::from_millis(20);

/// Looks until `what` is there; panics after `deadline`, with what `context` says.
pub(crate) fn until<T>(
    deadline: Duration,
    mut what: impl FnMut() -> Option<T>,
    context: impl FnOnce() -> String,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {}", context());
        pass(LOOK);
    }
}

/// Lets time pass: the moment of a kill, the length of a pause. Nothing waits for anything here.
pub(crate) fn pass(time: Duration) {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}

/// `ingestion run`, one life of it.
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
    pub(crate) started: Instant,
}

impl Service {
    pub(crate) fn start(config: &Path, log: PathBuf) -> Self {
        let mut command = ingestion();
        command.arg("--config").arg(config).arg("run").stdout(Stdio::null());
        command.stderr(File::create(&log).expect("a log file"));
        let started = Instant::now();
        Self { child: command.spawn().expect("the binary starts"), log, started }
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The first log line with this message.
    pub(crate) fn wait_logged(&mut self, message: &str) -> Value {
        self.wait(Duration::from_secs(60), message, LOOK, |service| {
            let log = service.log();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["message"] == message)
        })
    }

    /// Where its admin server listens.
    pub(crate) fn admin(&mut self) -> SocketAddr {
        let line = self.wait_logged("admin server");
        line["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
    }

    /// Waits until `/ready` says yes.
    pub(crate) fn wait_ready(&mut self, deadline: Duration) {
        let admin = self.admin();
        self.wait(deadline, "ready", LOOK, |_| {
            matches!(http::get(admin, "/ready"), Ok((200, _))).then_some(())
        });
    }

    /// Waits until `/status` fulfils `wanted`.
    pub(crate) fn wait_status(&mut self, deadline: Duration, what: &str, wanted: impl Fn(&Value) -> bool) {
        let admin = self.admin();
        let mut last = String::new();
        let end = Instant::now() + deadline;
        self.wait(deadline * 2, what, STATUS_LOOK, |_| {
            if let Ok((200, body)) = http::get(admin, "/status") {
                last = body;
            }
            let status: Value = serde_json::from_str(&last).unwrap_or_default();
            let there = wanted(&status);
            assert!(there || Instant::now() < end, "not within {deadline:?}: {what}; status:\n{status:#}");
            there.then_some(())
        });
    }

    /// Looks until `what` is there, the child lives and time is left.
    fn wait<T>(
        &mut self,
        deadline: Duration,
        what: &str,
        pause: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let end = Instant::now() + deadline;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "ended by itself with {ended:?}:\n{}", self.log());
            assert!(Instant::now() < end, "not within {deadline:?}: {what}\n{}", self.log());
            pass(pause);
        }
    }

    /// SIGKILL; false when it had ended by itself before.
    pub(crate) fn kill(mut self) -> bool {
        let alive = self.child.try_wait().expect("a child").is_none();
        let _gone = self.child.kill();
        let _status = self.child.wait();
        alive
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &id])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "the child is there");
        let (child, log) = (&mut self.child, &self.log);
        let ended = || child.try_wait().expect("a child");
        until(Duration::from_secs(60), ended, || format!("the end; log in {}", log.display()))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
