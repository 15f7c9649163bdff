//! Servers that stay when the one who started them goes, for a person: one broker and one Redis on known ports.
//!
//! They stand in `target/services/running`, a folder each with its `pid` and `log`; taking them down deletes it with all they stored.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kafka::{self, Cluster, Listeners, Program, metadata};
use crate::leash::tail;
use crate::port::{self, Port};
use crate::wait::until;
use crate::{Error, Failed, install, machine, redis};

/// Starts both, and returns when both are ready.
///
/// # Errors
/// Something is missing, a port is taken, or a server does not start; then none is left running.
pub fn up(kafka_port: u16, redis_port: u16, tell: &dyn Fn(&str)) -> Result<(), Error> {
    let running = running()?;
    if running.exists() {
        return Err(Failed::new("servers are up already; cargo xtask services down takes them down").into());
    }
    for port in [kafka_port, redis_port] {
        if !port::is_free(port) {
            return Err(Failed::new(format!("port {port} is taken; another one can be given")).into());
        }
    }
    let program = Program::find()?;
    let redis_server = install::redis_server()?;
    tell("starting Redis and one Kafka broker");
    let started = redis(&running.join("redis"), redis_server, redis_port)
        .and_then(|()| kafka(&running.join("kafka"), program, kafka_port));
    if started.is_err() {
        down(tell)?;
    }
    Ok(started?)
}

fn redis(folder: &Path, server: PathBuf, port: u16) -> Result<(), Failed> {
    make(folder, "redis.conf", &redis::config(port, None, None))?;
    detached(folder, &[server.into(), "redis.conf".into()])?;
    until(redis::READY, || redis::ping(port).then_some(()))
        .ok_or_else(|| Failed::new("redis-server does not answer").with_log(&tail(&folder.join("log"))))
}

fn kafka(folder: &Path, program: Program, port: u16) -> Result<(), Failed> {
    make(folder, "log", "")?;
    let listeners = Listeners { plain: port, controller: Port::claim()?.number() };
    let cluster = Cluster { program, listeners: vec![listeners], secured: None, properties: Vec::new() };
    for node in cluster.nodes([folder.to_owned()]) {
        node.format()?;
        detached(folder, &node.command())?;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    until(kafka::READY, || metadata::brokers(address).filter(|known| !known.is_empty()).map(drop)).ok_or_else(
        || Failed::new("the broker is not ready after a minute").with_log(&tail(&folder.join("log"))),
    )
}

/// Ends what [`up`] started and deletes what they stored; each has 20 s to end by itself.
///
/// # Errors
/// Nothing is up, or a folder cannot be deleted.
pub fn down(tell: &dyn Fn(&str)) -> Result<(), Failed> {
    let running = running()?;
    if !running.exists() {
        return Err(Failed::new("no servers are up"));
    }
    for name in ["kafka", "redis"] {
        let folder = running.join(name);
        let Some(pid) =
            std::fs::read_to_string(folder.join("pid")).ok().and_then(|pid| pid.trim().parse().ok())
        else {
            continue;
        };
        let ended = || (!is_ours(pid, &folder)).then_some(());
        if ended().is_some() {
            tell(&format!("{name} had ended before"));
            continue;
        }
        signal("TERM", pid);
        if until(Duration::from_secs(20), ended).is_none() {
            signal("KILL", pid);
            until(Duration::from_secs(20), ended);
        }
        tell(&format!("{name} is down"));
    }
    std::fs::remove_dir_all(&running).map_err(|error| at(&running, &error))
}

/// Whether that process still is the server of this folder, and not a stranger who got its number.
fn is_ours(pid: u32, folder: &Path) -> bool {
    let working = std::fs::read_link(format!("/proc/{pid}/cwd"));
    working.is_ok_and(|working| folder.canonicalize().is_ok_and(|folder| folder == working))
}

fn signal(name: &str, pid: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s $0 $1", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Starts a command that no terminal's end and no Ctrl-C reaches, and keeps its `pid`.
fn detached(folder: &Path, command: &[OsString]) -> Result<(), Failed> {
    const START: &str = "trap '' HUP; \"$@\" </dev/null >>log 2>&1 & echo $! >pid";
    let mut shell = Command::new("sh");
    shell.args(["-c", START, "sh"]).args(command).current_dir(folder).process_group(0);
    let started = shell.stdin(Stdio::null()).status().map_err(|error| at(folder, &error))?;
    if started.success() { Ok(()) } else { Err(Failed::new("no server can be started")) }
}

fn make(folder: &Path, name: &str, text: &str) -> Result<(), Failed> {
    let made = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(name), text));
    made.map_err(|error| at(folder, &error))
}

fn running() -> Result<PathBuf, Failed> {
    let cache = machine::cache().map_err(|error| Failed::new(format!("target/services: {error}")))?;
    Ok(cache.join("running"))
}

fn at(folder: &Path, error: &io::Error) -> Failed {
    Failed::new(format!("{}: {error}", folder.display()))
}
