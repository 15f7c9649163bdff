//! The real binary as child processes: a simulated venue, the service, and one-shot commands.
//!
//! Nothing sleeps: a test waits for a line of output or for an exit, and fails when neither comes before its deadline.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for what must come.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The binary under test.
pub fn ingestion() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ingestion"));
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    ingestion().args(arguments).output().expect("the binary starts")
}

/// A child whose lines of stdout can be waited for. Killed when dropped.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    errors: Option<std::thread::JoinHandle<String>>,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut stderr = child.stderr.take().expect("piped");
        let (sender, lines) = sync_channel(1 << 20);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ended = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, lines, errors: Some(errors) }
    }

    /// The next line of stdout; panics with what the child said when none comes.
    pub fn line(&mut self) -> String {
        self.next_line(DEADLINE).unwrap_or_else(|why| {
            self.kill();
            panic!("no line ({why}); stderr:\n{}", self.errors());
        })
    }

    /// The next line, if it comes in time.
    pub fn next_line(&mut self, deadline: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(deadline)
    }

    /// Lines that are there already.
    pub fn ready_lines(&mut self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(status.success(), "the child is there");
    }

    /// SIGKILL, and the end awaited.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        // The reader threads end with the child, so its end shows as a closed channel.
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("the child ends"),
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    panic!("the child does not end; stderr:\n{}", self.errors());
                }
            }
        }
    }

    /// Everything on stderr, once the child has ended.
    pub fn errors(&mut self) -> String {
        self.errors.take().map(|thread| thread.join().expect("the reader ends")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A running `sim-venue`.
pub struct Venue {
    pub process: Process,
    pub ws: String,
    pub info: String,
    pub ca_file: Option<PathBuf>,
}

impl Venue {
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = ingestion();
        command.args(["--json", "sim-venue", "--listen", "127.0.0.1:0"]).args(arguments);
        let mut process = Process::start(command);
        let ready: Value = serde_json::from_str(&process.line()).expect("JSON when ready");
        let text = |key: &str| ready[key].as_str().map(str::to_owned);
        Self {
            ws: text("ws").expect("a URL"),
            info: text("info").expect("a URL"),
            ca_file: text("caFile").map(PathBuf::from),
            process,
        }
    }
}

/// A configuration file for following `users` at `venue`, with nothing on a fixed port.
pub fn configuration(directory: &Path, venue: &Venue, users: &[String], extra: &str) -> PathBuf {
    let influencers: Vec<String> = users.iter().map(|user| format!("{{ address = \"{user}\" }}")).collect();
    let ca = venue.ca_file.as_ref().map(|path| format!("ca_file = {path:?}\n")).unwrap_or_default();
    let text = format!(
        "data_dir = {:?}\n[[venue.endpoint]]\nname = \"sim\"\nnetwork = \"sim\"\nws_url = {:?}\ninfo_url = {:?}\n{ca}\n\
         [influencers]\nstatic = [{}]\n[admin]\nlisten = \"127.0.0.1:0\"\n{extra}\n",
        directory.join("data"),
        venue.ws,
        venue.info,
        influencers.join(", "),
    );
    let path = directory.join("ingestion.toml");
    std::fs::write(&path, text).expect("the configuration is written");
    path
}
