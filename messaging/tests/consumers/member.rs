//! One sample consumer as a process: what it says, and its end.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Killed when dropped.
pub(crate) struct Member {
    child: Child,
    lines: Receiver<String>,
    /// The last thing it said, and how often it committed.
    pub(crate) last: String,
    pub(crate) commits: u64,
}

impl Member {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (said, lines) = sync_channel(1 << 16);
        pass_on(child.stdout.take().unwrap(), said.clone());
        pass_on(child.stderr.take().unwrap(), said);
        Self { child, lines, last: String::new(), commits: 0 }
    }

    /// Listens until it has committed so often, or for so long.
    pub(crate) fn listen(&mut self, commits: u64, limit: Duration) {
        let until = Instant::now() + limit;
        while self.commits < commits {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { return };
            self.commits += u64::from(line.starts_with("committed"));
            self.last = line;
        }
    }

    /// Listens until it ends by itself; all it said.
    pub(crate) fn all_it_says(&mut self, limit: Duration) -> String {
        let mut all = String::new();
        while let Ok(line) = self.lines.recv_timeout(limit) {
            all.push_str(&line);
            all.push('\n');
        }
        all
    }

    /// SIGKILL; it is gone when this returns.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// It must not have ended by itself.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

fn pass_on(from: impl Read + Send + 'static, said: SyncSender<String>) {
    let lines = BufReader::new(from).lines().map_while(Result::ok);
    std::thread::spawn(move || lines.map(|line| said.send(line)).take_while(Result::is_ok).count());
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill(); // one that is gone is gone
        let _ = self.child.wait();
    }
}
