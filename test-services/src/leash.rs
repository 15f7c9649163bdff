//! A server that ends when its owner does, however that one ends: also by SIGKILL, and whichever of its threads started it.
//!
//! Between us and the server stands a shell whose standard input is a pipe held by us (`leash.sh`); the kernel closes it when we are
//! gone. The shell is in a process group of its own, so Ctrl-C at a terminal reaches us and not it. Only a shell that is itself killed
//! leaves its server behind.

use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::wait::until;
use crate::{Failed, port::Port};

/// The shell answers at once; a server's memory may take its time to go.
const ANSWER: Duration = Duration::from_secs(20);

/// A signal for the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Kill,
    Stop,
    Continue,
}

/// One server, its folder and its ports.
pub(crate) struct Leash {
    folder: PathBuf,
    shell: Mutex<Shell>,
    _ports: Vec<Port>,
}

struct Shell {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Leash {
    /// Takes over the folder and the ports. The command is not started yet; it will run in the folder and print into its `log`.
    pub(crate) fn hold(folder: TempDir, ports: Vec<Port>, command: &[OsString]) -> Result<Self, Failed> {
        let cannot = |error: std::io::Error| Failed::new(format!("a server cannot be held: {error}"));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(include_str!("leash.sh")).arg("leash").arg(folder.path()).args(command);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = shell.spawn().map_err(cannot)?;
        let orders = child.stdin.take();
        let (answer, answers) = sync_channel(4); // one order, one answer: never full
        if let Some(output) = child.stdout.take() {
            std::thread::Builder::new()
                .name("leash".to_owned())
                .spawn(move || {
                    let lines = BufReader::new(output).lines().map_while(Result::ok);
                    lines.map(|line| answer.send(line)).take_while(Result::is_ok).count()
                })
                .map_err(cannot)?;
        }
        let shell = Mutex::new(Shell { child, orders, answers });
        Ok(Self { folder: folder.keep(), shell, _ports: ports })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the server. One that runs already stays.
    pub(crate) fn start(&self) -> Result<(), Failed> {
        if self.lives() { Ok(()) } else { self.order("START").map(drop) }
    }

    /// Whether it runs; a frozen one does.
    pub(crate) fn lives(&self) -> bool {
        self.order("ALIVE").is_ok_and(|answer| answer == "yes")
    }

    /// Sends a signal; a killed server is gone when this returns. One that does not run is told so.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failed> {
        let order = match signal {
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        if self.order(order)? == "yes" {
            Ok(())
        } else {
            Err(Failed::new("the server does not run").with_log(&self.log()))
        }
    }

    /// The end of what the server printed.
    pub(crate) fn log(&self) -> String {
        tail(&self.folder.join("log"))
    }

    fn order(&self, word: &str) -> Result<String, Failed> {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = shell
            .orders
            .as_mut()
            .is_some_and(|orders| orders.write_all(format!("{word}\n").as_bytes()).is_ok());
        let answer = sent.then(|| shell.answers.recv_timeout(ANSWER).ok()).flatten();
        answer.ok_or_else(|| {
            shell.orders = None; // a late answer would be taken for the next one's
            Failed::new(format!("the shell that holds the server does not answer {word}"))
        })
    }
}

/// The last 16 KiB of a log.
pub(crate) fn tail(log: &Path) -> String {
    const BYTES_MAX: u64 = 16 << 10;
    let mut text = Vec::new();
    if let Ok(mut file) = std::fs::File::open(log) {
        let length = file.metadata().map_or(0, |found| found.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX)));
        let _ = file.take(BYTES_MAX).read_to_end(&mut text); // what cannot be read is not shown
    }
    String::from_utf8_lossy(&text).into_owned()
}

impl Drop for Leash {
    /// Returns when the server and its folder are gone.
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap_or_else(PoisonError::into_inner);
        shell.orders = None;
        if until(ANSWER, || shell.child.try_wait().ok().flatten()).is_none() {
            let _ = shell.child.kill();
            let _ = shell.child.wait();
        }
    }
}

impl fmt::Debug for Leash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leash").field("folder", &self.folder).finish_non_exhaustive()
    }
}
