//! Where a person goes wrong: a directory that stays as it is, and a venue that nobody may call.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use super::process::{Process, ingestion};

/// A directory to go wrong in, and a place where the venue would be: nobody may come.
pub struct Place {
    directory: tempfile::TempDir,
    pub venue: TcpListener,
}

impl Place {
    pub fn new() -> Self {
        let venue = TcpListener::bind("127.0.0.1:0").expect("a port");
        venue.set_nonblocking(true).expect("the socket obeys");
        Self { directory: tempfile::tempdir().expect("a temporary directory"), venue }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs the command in the directory, where the venue and a free admin port are configured.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_as(ingestion(), arguments)
    }

    pub fn run_as(&self, mut command: Command, arguments: &[&str]) -> Output {
        let address = self.venue.local_addr().expect("an address");
        command
            .current_dir(self.path())
            .args(["--set", "admin.listen=127.0.0.1:0"])
            .args(["--set", &format!("venue.endpoint.0.ws_url=ws://{address}/ws")])
            .args(["--set", "venue.endpoint.0.network=sim"])
            .args(arguments);
        // A command that should be refused and begins to serve instead is a failure, not a hang.
        let mut process = Process::start(command);
        let (status, lines) = process.end();
        let stdout = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        Output { status, stdout, stderr: process.errors().into_bytes() }
    }

    /// The command ends with `code`, its lines on stderr are exactly `lines`, and nothing was started.
    pub fn refuses(&self, arguments: &[&str], code: i32, lines: &[&str]) {
        let before = self.entries();
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.lines().collect::<Vec<_>>(), lines, "{arguments:?}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(self.entries(), before, "{arguments:?} made a file");
        let called = self.venue.accept().map(|(_, address)| address);
        assert!(called.is_err(), "{arguments:?} called the venue: {called:?}");
    }

    pub fn entries(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("readable") {
                let path = entry.expect("an entry").path();
                names.push(path.display().to_string());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        names.sort();
        names
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("written");
    }
}
