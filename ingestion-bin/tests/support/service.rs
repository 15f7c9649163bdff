//! A running service as a child process, asked over its admin port as an operator would, and its files read as a consumer would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use hyperliquid_client::sim::SimHandle;
use serde_json::Value;

use super::eventually;
use super::process::{Process, ingestion};

/// A `run`. Killed when dropped.
pub struct Service {
    pub process: Process,
    pub admin: SocketAddr,
    pub config: PathBuf,
    pub data: PathBuf,
}

/// How a service ended, and all it wrote to stderr.
pub struct End {
    pub status: ExitStatus,
    pub log: String,
}

impl Service {
    /// Starts `ingestion run` and waits for its admin port. The data directory is `data` beside the configuration.
    pub fn start(config: &Path, arguments: &[&str]) -> Self {
        Self::start_as(ingestion(), config, arguments)
    }

    /// The same, started in another way: `command` is the binary in surroundings of the test's own.
    pub fn start_as(mut command: Command, config: &Path, arguments: &[&str]) -> Self {
        command.arg("run").arg("--config").arg(config).args(arguments);
        let process = Process::start(command);
        let line = process.log_line("admin server address=");
        let admin = line.rsplit_once("address=").expect("just found").1.trim();
        Self {
            admin: admin.parse().unwrap_or_else(|error| panic!("{admin:?} is no address: {error}")),
            config: config.to_owned(),
            data: config.with_file_name("data"),
            process,
        }
    }

    /// `GET path`: status code and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(self.admin, path).unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.process.log()))
    }

    /// `/status`.
    pub fn status(&self) -> Value {
        let (code, body) = self.get("/status");
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// One series of `/metrics`, 0 when it is not there yet.
    pub fn metric(&self, series: &str) -> f64 {
        series_of(&self.get("/metrics").1, series)
    }

    /// What `ingestion status` prints.
    pub fn printed_status(&self, arguments: &[&str]) -> String {
        let listen = format!("admin.listen={}", self.admin);
        let mut command = ingestion();
        command.arg("status").arg("--config").arg(&self.config).args(["--set", &listen]).args(arguments);
        let output = command.output().expect("the binary starts");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Waits until every account has its baseline and `/ready` says 200.
    pub fn wait_ready(&self) {
        eventually("baselines and readiness", || {
            let status = self.status();
            let accounts = status["accounts"].as_array().expect("an array");
            let based = !accounts.is_empty() && accounts.iter().all(|account| account["based"] == true);
            (based && self.get("/ready").0 == 200).then_some(())
        });
    }

    /// The lines of a stream's files, in name order.
    pub fn lines(&self, stream: &str) -> Vec<Value> {
        lines(&self.data, stream)
    }

    /// Waits until so many lines of a stream are on disk; all of them.
    pub fn wait_lines(&self, stream: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} lines of {stream}; stderr:\n{}", self.process.log()), || {
            Some(self.lines(stream)).filter(|lines| lines.len() >= count)
        })
    }

    /// Waits until a stream's sink has written so many lines in this run, as it says itself.
    pub fn wait_count(&self, stream: &str, count: u64) {
        eventually(&format!("{count} lines of {stream}"), || {
            let status = self.status();
            let sinks = status["sinks"].as_array().expect("sinks");
            let lines = sinks.iter().find(|sink| sink["stream"] == stream).map(|sink| &sink["lines"]);
            (lines?.as_u64()? >= count).then_some(())
        });
    }

    /// A figure of the process' memory (`VmRSS`, `VmHWM`), KiB.
    pub fn memory_kib(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()).expect("a figure in kB")
    }

    /// From now on `VmHWM` is the most since now.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").expect("it runs");
    }

    /// SIGTERM, and it ends well: everything accepted is in the journal.
    pub fn stop_well(self) {
        let end = self.stop();
        assert_eq!(end.status.code(), Some(0), "{}", end.log);
    }

    /// SIGTERM and the end awaited.
    pub fn stop(mut self) -> End {
        self.process.terminate();
        let status = self.process.wait();
        End { status, log: self.process.errors() }
    }
}

/// `GET path` at an admin port: status code and body.
pub fn get(admin: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((code, body.to_owned()))
}

/// The value of a series in a Prometheus page, 0 when it is absent.
pub fn series_of(page: &str, series: &str) -> f64 {
    let line = page.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit_once(' ')).map_or(0.0, |(_, value)| value.parse().expect("a number"))
}

/// The whole lines of a stream's files below a data directory, in name order.
pub fn lines(data: &Path, stream: &str) -> Vec<Value> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(data.join(stream)) {
        Err(_) => Vec::new(),
        Ok(entries) => entries.map(|entry| entry.expect("an entry").path()).collect(),
    };
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file is read");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        lines.extend(whole.lines().map(|line| serde_json::from_str(line).expect("a JSON line")));
    }
    lines
}

/// A configuration file in `directory` for a venue inside the test; `influencers` is the table's inside.
pub fn configuration(directory: &Path, venue: &SimHandle, influencers: &str, extra: &str) -> PathBuf {
    let path = directory.join("ingestion.toml");
    let text = format!(
        "data_dir = {:?}\n[[venue.endpoint]]\nname = \"sim\"\nnetwork = \"sim\"\nws_url = {:?}\ninfo_url = {:?}\n\
         [influencers]\n{influencers}\n[admin]\nlisten = \"127.0.0.1:0\"\n{extra}\n",
        directory.join("data"),
        venue.ws_url(),
        venue.info_url(),
    );
    std::fs::write(&path, text).expect("the configuration is written");
    path
}
