//! Another server takes over: by hand, with the last writes lost, and by sentinels.

use std::time::Duration;

use influencer_registry::{Kept, ListEditor, RedisAddress, RedisEditor, RedisList};
use test_services::{Redis, RedisSentinel, or_skip, until};

use super::stage::{
    Followed, LIST, NEVER, VERSION, address, cli, entry, list, put, readings, server, wait_copied,
};

const DEADLINE: Duration = Duration::from_secs(60);

fn add(redis: &Redis, id: &str, n: u32) {
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    editor.add(id, &address(n), 1).expect("a right entry");
    editor.save().expect("saved");
}

fn wait_linked(replica: &Redis) {
    let linked = || cli(replica, &["INFO", "replication"]).contains("master_link_status:up").then_some(());
    until(DEADLINE, linked).expect("the replica follows its master");
}

/// The replica is promoted, the old master takes two more edits, and becomes its replica: those two are lost in Redis, and nobody is
/// unsubscribed for that. The first edit after it is somebody's will again.
#[test]
fn a_failover_that_loses_writes_takes_nothing_back() {
    let Some(old) = server("a_failover_that_loses_writes_takes_nothing_back") else { return };
    let port = |redis: &Redis| redis.port().to_string();
    let new = Redis::start_with(&["--replicaof", "127.0.0.1", &port(&old)]).expect("a second one");
    wait_linked(&new);
    add(&old, "alice", 1);
    wait_copied(&new, 1);
    let mut followed = Followed::start(list(&old.url()), Duration::from_secs(1), None);
    followed.wait_ids(&["alice"]);

    cli(&new, &["REPLICAOF", "NO", "ONE"]);
    add(&old, "bob", 2);
    add(&old, "carol", 3);
    followed.wait_ids(&["alice", "bob", "carol"]);
    cli(&old, &["REPLICAOF", "127.0.0.1", &port(&new)]);
    wait_linked(&old);
    followed.wait_problem("its version went back from ");
    assert_eq!(followed.ids(), ["alice", "bob", "carol"]);
    // It stays so however often it is compared, and whatever is written without a version.
    cli(&new, &["HSET", LIST, "erin", &entry(5)]);
    let reports = followed.reloads.len();
    let before = readings(&old);
    until(DEADLINE, || (readings(&old) >= before + 3).then_some(())).expect("compared three times");
    followed.reloads.extend(followed.source.poll());
    assert_eq!((followed.ids().len(), followed.removed()), (3, 0), "{reports} reports before");

    // Nor does a service that starts now take them back, from what was kept.
    let version = followed.source.version();
    let last_good = Kept { set: followed.source.live().clone(), refused: Vec::new(), version };
    let started = Followed::start(list(&old.url()), NEVER, Some(last_good));
    assert!(
        started.problem().contains("its version went back from ") && started.ids().len() == 3,
        "{}",
        started.problem()
    );

    add(&new, "dave", 4);
    followed.wait_ids(&["alice", "dave", "erin"]);
    let version: u64 = cli(&new, &["GET", VERSION]).parse().expect("a number");
    assert!(version > 1_600_000_000_000, "{version} is a time, so it is newer than what was lost");
}

#[test]
fn a_failover_by_sentinels_is_followed() {
    let Some(set) = or_skip("a_failover_by_sentinels_is_followed", RedisSentinel::start(1)) else { return };
    let sentinel = set.sentinels().first().expect("one").port();
    let url = format!("redis-sentinel://127.0.0.1:{sentinel}?sentinelServiceName={}", RedisSentinel::NAME);
    let list = RedisList::new(RedisAddress::new(&url, None).expect("a URL"), "test");
    put(set.master(), "whale", 1);
    wait_copied(set.replica(), 1);
    let mut followed = Followed::start(list.clone(), NEVER, None);
    followed.wait_ids(&["whale"]);

    set.master().kill().expect("killed");
    let taken = || (set.master_port() == Some(set.replica().port())).then_some(());
    until(DEADLINE, taken).expect("the replica is the master");
    followed.wait_ids(&["whale"]);
    let mut editor = RedisEditor::open(list).expect("the new master answers");
    editor.add("shrimp", &address(2), 1).expect("a right entry");
    editor.save().expect("saved");
    followed.wait_ids(&["shrimp", "whale"]);
    assert_eq!(followed.removed(), 0);
}
