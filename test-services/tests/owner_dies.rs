//! A server ends with its owner, also when that one is killed and the thread that started the server ended long before.
#![expect(clippy::print_stdout, reason = "the owner says where its server is; the test says that it passed")]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use test_services::{Redis, or_skip, shared_redis, until};

const TEST: &str = "a_server_dies_with_its_killed_owner";

fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == "own") {
        own();
    } else if let Some(_there) = or_skip(TEST, Redis::start()) {
        judge();
        println!("{TEST} ... ok");
    }
}

/// Starts servers from a thread that ends, one of them kept in a static, says where they are, and waits to be killed.
fn own() {
    let started =
        std::thread::spawn(|| (Redis::start().expect("a server"), shared_redis().expect("a server")));
    let (redis, shared) = started.join().expect("a thread");
    let port = shared.rsplit(':').next().expect("a port");
    redis.freeze().expect("frozen"); // a frozen server dies as well
    println!("{} {port} {}", redis.port(), redis.folder().display());
    std::io::stdin().lines().for_each(drop); // the test holds the other end
}

fn judge() {
    let own = std::env::current_exe().expect("this test");
    let mut owner = Command::new(own);
    let owner =
        owner.arg("own").env_remove("INGESTION_TEST_REDIS").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut owner = owner.spawn().expect("an owner");
    let mut line = String::new();
    BufReader::new(owner.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let words: Vec<&str> = line.split_whitespace().collect();
    let [port, shared, folder] = words[..] else { panic!("the owner said {line:?}") };
    let listens =
        |port: &str| TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().expect("a port"))).is_ok();
    assert!(listens(port) && listens(shared) && Path::new(folder).exists());

    owner.kill().expect("killed");
    owner.wait().expect("gone");
    until(Duration::from_secs(20), || {
        (!listens(port) && !listens(shared) && !Path::new(folder).exists()).then_some(())
    })
    .expect("no server and no folder outlives its owner");
}
