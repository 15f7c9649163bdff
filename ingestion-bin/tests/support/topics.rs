//! The service with a real Kafka: everything goes to topics, and what is stored there is read by `kcat`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use test_services::{kcat, or_skip, until};

use super::document::{Documents, documents};
use super::expected;
use super::play::Play;
use super::service::Service;

const ACCOUNTS: usize = 10;
/// How long a test waits for what a cluster must do.
pub const LONG: Duration = Duration::from_secs(90);

/// Everything goes to topics of this name's own.
pub fn topics(brokers: &str, name: &str, more: &str) -> String {
    let mut text = format!("[kafka]\nbrokers = \"{brokers}\"\n{more}");
    for section in ["signals", "raw", "gaps", "positions", "dead_letters"] {
        text.push_str(&format!("[{section}]\nsink = \"kafka\"\ntopic = \"{name}.{section}\"\n"));
    }
    text
}

/// One stored message.
pub struct Stored {
    pub partition: i32,
    pub key: String,
    pub headers: BTreeMap<String, String>,
    pub value: Vec<u8>,
}

impl Stored {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.value).expect("a document")
    }
}

/// Everything in a topic, each partition in its order. Values are JSON, so no line break is in them.
pub fn stored(brokers: &str, topic: &str) -> Vec<Stored> {
    let format = "%p\\t%k\\t%h\\t%s\\n";
    let read = kcat(&["-b", brokers, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", format]);
    let text = or_skip("kcat", read).expect("kcat was there before");
    let message = |line: &str| {
        let mut parts = line.splitn(4, '\t');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (partition, key, headers, value) = (part(), part(), part(), part());
        let header =
            |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Stored {
            partition: partition.parse().expect("a number"),
            key,
            headers: headers.split(',').filter_map(header).collect(),
            value: value.into_bytes(),
        }
    };
    text.lines().map(message).collect()
}

/// The signals in a topic without the repeats, which must be of ids that are there already; how many repeats there are.
pub fn signals(brokers: &str, topic: &str) -> (Vec<Value>, usize) {
    let (mut seen, mut signals, mut repeats) = (BTreeSet::new(), Vec::new(), 0);
    for message in stored(brokers, topic) {
        let signal = message.json();
        assert_eq!(signal["influencerId"], *message.key);
        assert_eq!(signal["signalId"], *message.headers["id"]);
        assert_eq!(message.headers["schema"], "signal.v1");
        let id = message.headers["id"].replace('-', "");
        assert_eq!(message.headers["traceparent"], format!("00-{id}-{}-00", &id[16..]));
        if seen.insert(message.headers["id"].clone()) {
            signals.push(signal);
        } else {
            repeats += 1;
        }
    }
    (signals, repeats)
}

/// A venue that plays fills to whoever follows their first ten accounts with perp fills, into topics of this name's own, which are made.
pub struct Stage {
    pub play: Play,
    pub users: Vec<String>,
    pub expected: Documents,
    /// Signals.
    pub count: usize,
    /// Fills.
    pub rows: usize,
}

impl Stage {
    pub fn set(brokers: &str, fills: &Path, segment: Option<&str>, name: &str, more: &str) -> Self {
        let mut rows = expected::in_time(expected::rows(fills));
        rows.retain(|row| segment.is_none_or(|segment| row.segment == segment));
        let users = expected::users_with_perps(&rows, ACCOUNTS);
        let expected = documents(&rows, &users);
        let mut arguments = vec!["--speed", "max"];
        arguments.extend(segment.iter().flat_map(|segment| ["--segment", segment]));
        let play = Play::of(fills, &users, &arguments, &topics(brokers, name, more));
        let (code, made, said) = play.ask(&["topics", "create", "--partitions", "6"]);
        assert_eq!((code, String::from_utf8_lossy(&made).lines().count()), (Some(0), 5), "{said}");
        let count = expected.values().map(Vec::len).sum();
        Self { play, users, expected, count, rows: rows.len() }
    }
}

/// What a counter says.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of hundreds")]
pub fn counted(service: &Service, series: &str) -> usize {
    service.metric(series) as usize
}

const LINES: &str = "ingestion_sink_lines{stream=\"signals\"}";
pub const REJECTED: &str = "ingestion_sink_rejected_lines{stream=\"signals\"}";

/// Waits until the topic has acknowledged or refused so many signals.
pub fn delivered(service: &Service, count: usize) {
    let done = || counted(service, LINES) + counted(service, REJECTED);
    until(LONG, || (done() >= count).then_some(()))
        .unwrap_or_else(|| panic!("{} of {count} signals; {}", done(), service.status()["sinks"]));
}
