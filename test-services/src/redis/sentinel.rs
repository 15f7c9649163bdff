//! A master, its replica, and sentinels that make the replica master when the master is silent for 1.5 s.

use super::{READY, Redis, RedisSetup};
use crate::wait::until;
use crate::{Error, Failed};

/// The servers of one set; they end with this.
#[derive(Debug)]
pub struct RedisSentinel {
    master: Redis,
    replica: Redis,
    sentinels: Vec<Redis>,
}

impl RedisSentinel {
    /// What the sentinels call the set.
    pub const NAME: &'static str = "ingestion";

    /// Starts a set with one sentinel that decides alone, or three that need two; waits until each sentinel knows all others.
    ///
    /// # Errors
    /// There is no Redis, or a server does not start.
    pub fn start(sentinels: u8) -> Result<Self, Error> {
        let master = Redis::start()?;
        let port = master.port().to_string();
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port])?;
        let name = Self::NAME;
        let quorum = sentinels / 2 + 1;
        let lines = format!(
            "\
sentinel monitor {name} 127.0.0.1 {port} {quorum}
sentinel down-after-milliseconds {name} 1500
sentinel failover-timeout {name} 5000
"
        );
        let start = |_| RedisSetup::new().start_as(&["--sentinel"], &lines);
        let set = Self { master, replica, sentinels: (0..sentinels).map(start).collect::<Result<_, _>>()? };
        set.wait_ready()?;
        Ok(set)
    }

    /// The server that was master at the start.
    #[must_use]
    pub fn master(&self) -> &Redis {
        &self.master
    }

    /// The server that was replica at the start.
    #[must_use]
    pub fn replica(&self) -> &Redis {
        &self.replica
    }

    /// The sentinels; a client wants the ports of all.
    #[must_use]
    pub fn sentinels(&self) -> &[Redis] {
        &self.sentinels
    }

    /// The port of the master as the first sentinel that answers sees it.
    #[must_use]
    pub fn master_port(&self) -> Option<u16> {
        self.sentinels.iter().find_map(|sentinel| {
            let answer = sentinel.cli(&["SENTINEL", "get-master-addr-by-name", Self::NAME]).ok()?;
            answer.lines().nth(1)?.parse().ok()
        })
    }

    /// What the master does next reaches the replica, and every sentinel knows the replica and the other sentinels.
    fn wait_ready(&self) -> Result<(), Failed> {
        let up = || info(&self.replica, "master_link_status").filter(|status| status == "up");
        until(READY, up).ok_or_else(|| Failed::new("the replica does not find its master"))?;
        self.master.cli(&["PUBLISH", Self::NAME, "ready"])?; // the link is up before anything flows
        let flows = || {
            let sent = info(&self.master, "master_repl_offset").filter(|offset| offset != "0")?;
            (info(&self.replica, "slave_repl_offset")? == sent).then_some(())
        };
        until(READY, flows).ok_or_else(|| Failed::new("what the master does does not reach the replica"))?;
        let others = self.sentinels.len().saturating_sub(1).to_string();
        let knows_all = |sentinel: &Redis| {
            let said = sentinel.cli(&["SENTINEL", "master", Self::NAME]).unwrap_or_default();
            field(&said, "num-slaves") == Some("1") && field(&said, "num-other-sentinels") == Some(&others)
        };
        until(READY, || self.sentinels.iter().all(knows_all).then_some(()))
            .ok_or_else(|| Failed::new("the sentinels do not come to know each other and the replica"))
    }
}

/// The value after a name in an answer of alternating lines.
fn field<'a>(said: &'a str, name: &str) -> Option<&'a str> {
    said.lines().skip_while(|line| *line != name).nth(1)
}

/// A value of `INFO replication`.
fn info(server: &Redis, name: &str) -> Option<String> {
    let said = server.cli(&["INFO", "replication"]).ok()?;
    said.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}
