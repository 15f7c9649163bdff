//! What the tests share: a source and the waiting for what becomes of it.

use std::time::Duration;

use influencer_registry::{Changes, InfluencerSet, Kept, RedisAddress, RedisList, RedisSource, Reload};
use serde_json::{Value, json};
use test_services::{Redis, or_skip, until};

/// Nothing is found by comparing within a test.
pub(crate) const NEVER: Duration = Duration::from_secs(3_600);

/// The hash of the prefix that is used here.
pub(crate) const LIST: &str = "test:influencers";
pub(crate) const CHANGED: &str = "test:influencers:changed";
pub(crate) const VERSION: &str = "test:influencers:version";

const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn server(test: &str) -> Option<Redis> {
    or_skip(test, Redis::start())
}

pub(crate) fn list(url: &str) -> RedisList {
    RedisList::new(RedisAddress::new(url, None).expect("a URL"), "test")
}

pub(crate) fn address(n: u32) -> String {
    format!("0x{n:040x}")
}

pub(crate) fn entry(n: u32) -> String {
    json!({ "address": address(n) }).to_string()
}

/// Asks the server, which must answer.
pub(crate) fn cli(redis: &Redis, words: &[&str]) -> String {
    redis.cli(words).unwrap_or_else(|failed| panic!("{words:?}: {failed}"))
}

/// As a person does it with `redis-cli`.
pub(crate) fn put(redis: &Redis, id: &str, n: u32) {
    cli(redis, &["HSET", LIST, id, &entry(n)]);
    tell(redis);
}

pub(crate) fn tell(redis: &Redis) {
    cli(redis, &["PUBLISH", CHANGED, "x"]);
}

/// Waits until the list of the replica is as long as it should be.
pub(crate) fn wait_copied(replica: &Redis, entries: u32) {
    let copied = || (cli(replica, &["HLEN", LIST]) == entries.to_string()).then_some(());
    assert!(until(DEADLINE, copied).is_some(), "the replica never had {entries} entries");
}

/// How often the hash was read.
pub(crate) fn readings(redis: &Redis) -> u32 {
    let stats = cli(redis, &["INFO", "commandstats"]);
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_hgetall:calls="));
    calls.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

pub(crate) fn kept(ids: &[(&str, u32)]) -> Kept {
    let entries: Vec<Value> = ids.iter().map(|(id, n)| json!({ "id": id, "address": address(*n) })).collect();
    Kept { set: InfluencerSet::strict(&entries).expect("right entries"), refused: Vec::new(), version: 0 }
}

/// A source and all it reported.
pub(crate) struct Followed {
    pub(crate) source: RedisSource,
    pub(crate) reloads: Vec<Reload>,
}

impl Followed {
    pub(crate) fn start(list: RedisList, refresh: Duration, last_good: Option<Kept>) -> Self {
        let mut source = RedisSource::start(list, refresh, last_good, None).expect("a thread");
        let first = source.load(DEADLINE);
        Self { source, reloads: vec![first] }
    }

    pub(crate) fn of(redis: &Redis) -> Self {
        Self::start(list(&redis.url()), NEVER, None)
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.source.live().iter().map(|influencer| influencer.id().as_str()).collect()
    }

    pub(crate) fn problem(&self) -> String {
        self.source.problem().map(ToString::to_string).unwrap_or_default()
    }

    /// Polls until it is as it should be.
    pub(crate) fn wait(&mut self, what: &str, mut right: impl FnMut(&Self) -> bool) {
        let came = until(DEADLINE, || {
            let reload = self.source.poll();
            self.reloads.extend(reload);
            right(self).then_some(())
        });
        assert!(came.is_some(), "{what} never came: {:?}, refused {:?}", self.source, self.source.refused());
    }

    pub(crate) fn wait_ids(&mut self, ids: &[&str]) {
        self.wait(&format!("{ids:?}"), |followed| followed.ids() == ids && followed.problem().is_empty());
    }

    pub(crate) fn wait_problem(&mut self, text: &str) {
        self.wait(text, |followed| followed.problem().contains(text));
    }

    /// Everything that was ever reported, one after the other.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Changes> {
        self.reloads.iter().map(|reload| &reload.changes)
    }

    pub(crate) fn removed(&self) -> usize {
        self.changes().map(|changes| changes.removed.len()).sum()
    }
}
