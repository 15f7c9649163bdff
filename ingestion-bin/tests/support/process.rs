//! The real binary as child processes: a simulated venue, the service, and one-shot commands.
//!
//! Nothing sleeps: a test waits for a line of output or for an exit, and fails when neither comes before its deadline.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
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
    errors: Option<std::thread::JoinHandle<()>>,
    log: Arc<(Mutex<String>, Condvar)>,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, lines) = sync_channel(1 << 20);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let log = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let written = Arc::clone(&log);
        let errors = std::thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                written.0.lock().expect("no reader panics").push_str(&String::from_utf8_lossy(&line));
                written.1.notify_all();
                line.clear();
            }
        });
        Self { child, lines, errors: Some(errors), log }
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

    /// Everything on stderr so far.
    pub fn log(&self) -> String {
        self.log.0.lock().expect("no writer panics").clone()
    }

    /// Waits until stderr has a line with `text`; that line.
    pub fn log_line(&self, text: &str) -> String {
        let find = |log: &String| log.lines().find(|line| line.contains(text)).map(str::to_owned);
        let log = self.log.0.lock().expect("no writer panics");
        let (log, _) = self
            .log
            .1
            .wait_timeout_while(log, DEADLINE, |log| find(log).is_none())
            .expect("no writer panics");
        find(&log).unwrap_or_else(|| panic!("no line with {text:?} on stderr:\n{log}"))
    }

    /// The process' number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Lines that are there already.
    pub fn ready_lines(&mut self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// A signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let kill = format!("kill -{name} \"$0\"");
        let status = Command::new("sh").args(["-c", &kill, &id]).status().expect("kill runs");
        assert!(status.success(), "the child is there");
    }

    /// SIGKILL, and the end awaited.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        self.end().0
    }

    /// Waits for the end; the lines of stdout that nobody had read.
    pub fn end(&mut self) -> (ExitStatus, Vec<String>) {
        let until = Instant::now() + DEADLINE;
        let mut lines = Vec::new();
        // The reader threads end with the child, so its end shows as a closed channel.
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => {
                    return (self.child.wait().expect("the child ends"), lines);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    panic!("the child does not end; stderr:\n{}", self.errors());
                }
            }
        }
    }

    /// Everything on stderr, once the child has ended.
    pub fn errors(&mut self) -> String {
        if let Some(thread) = self.errors.take() {
            thread.join().expect("the reader ends");
        }
        self.log()
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
        command.args(["--json", "sim-venue"]).args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
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

    /// Waits until everything is played; how many fills that were.
    pub fn finished(&mut self) -> u64 {
        let line: Value = serde_json::from_str(&self.process.line()).expect("JSON when finished");
        assert_eq!(line["finished"], true, "{line}");
        line["fills"].as_u64().expect("a number of fills")
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
