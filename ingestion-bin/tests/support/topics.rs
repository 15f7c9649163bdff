//! Topics of a test's own, read back by `kcat`, a client that is not ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use test_services::{kcat, or_skip};

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
