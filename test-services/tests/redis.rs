//! Redis as the tests get it: asked, killed, frozen, with a user over TLS, behind sentinels.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use test_services::{Redis, RedisSentinel, RedisSetup, or_skip, shared_redis, until};

#[test]
fn a_killed_server_comes_back_empty_unless_it_stores() {
    let test = "a_killed_server_comes_back_empty_unless_it_stores";
    let Some(redis) = or_skip(test, Redis::start()) else { return };
    let stored = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(storing) = or_skip(test, Redis::start_with(&stored)) else { return };
    for (server, kept) in [(&redis, ""), (&storing, "1")] {
        assert_eq!(server.cli(&["SET", "a", "1"]).unwrap(), "OK");
        assert_eq!(server.cli(&["GET", "a"]).unwrap(), "1");
        server.kill().unwrap();
        assert!(server.cli(&["PING"]).is_err() && server.kill().is_err(), "it is gone at once");
        server.restart().unwrap();
        assert_eq!(server.cli(&["GET", "a"]).unwrap(), kept);
    }
    assert!(redis.cli(&["INCR"]).unwrap_err().to_string().contains("wrong number of arguments"));
}

#[test]
fn a_frozen_server_keeps_connections_and_answers_nothing() {
    let test = "a_frozen_server_keeps_connections_and_answers_nothing";
    let Some(redis) = or_skip(test, Redis::start()) else { return };
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    redis.freeze().unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(stream.read(&mut [0; 7]).is_err());
    redis.thaw().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
fn only_the_named_user_comes_in_and_tls_is_trusted_by_the_authority() {
    let test = "only_the_named_user_comes_in_and_tls_is_trusted_by_the_authority";
    let setup = RedisSetup::new().tls().user("ingestion", "s3cret");
    let Some(redis) = or_skip(test, setup.start()) else { return };
    assert_eq!(redis.cli(&["ACL", "WHOAMI"]).unwrap(), "ingestion");
    let over_tls = |user: &str, authority: &str| {
        let uri = redis.tls_url().unwrap().replace("//", &format!("//{user}@"));
        redis.cli(&["--tls", "--cacert", authority, "-u", &uri, "ACL", "WHOAMI"])
    };
    let authority = redis.ca_file().unwrap().to_str().unwrap();
    assert_eq!(over_tls("ingestion:s3cret", authority).unwrap(), "ingestion");
    assert!(over_tls("ingestion:wrong", authority).is_err());
    let stranger = RedisSetup::new().tls().start().unwrap();
    assert!(over_tls("ingestion:s3cret", stranger.ca_file().unwrap().to_str().unwrap()).is_err());
}

#[test]
fn sentinels_make_the_replica_master() {
    let test = "sentinels_make_the_replica_master";
    for sentinels in [1, 3] {
        let Some(set) = or_skip(test, RedisSentinel::start(sentinels)) else { return };
        assert_eq!(set.master_port(), Some(set.master().port()));
        assert_eq!(set.master().cli(&["SET", "a", "1"]).unwrap(), "OK");
        // Not WAIT: it speaks of what its own connection wrote, and every redis-cli has a new one.
        until(Duration::from_secs(10), || set.replica().cli(&["GET", "a"]).ok().filter(|a| a == "1"))
            .expect("replicated");
        set.master().kill().unwrap();
        let promoted = Some(set.replica().port());
        until(Duration::from_secs(30), || (set.master_port() == promoted).then_some(()))
            .expect("a new master");
        until(Duration::from_secs(10), || set.replica().cli(&["SET", "b", "2"]).ok())
            .expect("it takes writes");
        assert_eq!(set.replica().cli(&["GET", "a"]).unwrap(), "1");
    }
}

#[test]
fn the_shared_server_is_one() {
    let test = "the_shared_server_is_one";
    let Some(first) = or_skip(test, shared_redis()) else { return };
    assert_eq!(shared_redis().unwrap(), first);
}
