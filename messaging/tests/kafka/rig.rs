//! A journal in memory, a topic that follows it, and what `kcat` finds there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use messaging::journal::{From, Journal, Limit, Record};
use messaging::kafka::{AuditTrail, Compose, KafkaConfig, KafkaSink, Message, Topic, create_topics};
use messaging::sink::{Hole, Owner, Pump, PumpConfig, Rejected, SinkStatus, SinkThread, Verdict};
use messaging::storage::FaultyStorage;
use test_services::{Error, kcat, until};

use crate::sink_support::{LINE, append_synced, line_of, open_journal};

/// Records of as many keys.
pub(crate) const KEYS: u64 = 7;
const LONG: Duration = Duration::from_secs(120);

/// Lines of [`line_of`], their key by their number.
struct Numbered;

impl Compose for Numbered {
    fn compose(&mut self, record: &Record<'_>, message: &mut Message) -> bool {
        let Some((number, padding)) = record.body.split_first_chunk::<8>() else { return false };
        let number = u64::from_le_bytes(*number);
        message.key.extend_from_slice(key_of(number).as_bytes());
        message.value.extend_from_slice(line_of(number, padding.len()).as_bytes());
        message.headers.push(("id", number.to_string().into_bytes()));
        message.timestamp_ms = 1_790_000_000_000 + i64::try_from(number).unwrap();
        record.kind == LINE
    }
}

pub(crate) fn key_of(number: u64) -> String {
    format!("key-{}", number % KEYS)
}

/// Keeps what is refused, and passes it if it may.
struct Keeper {
    kept: Arc<Mutex<Vec<Rejected>>>,
    passes: bool,
}

impl Owner for Keeper {
    fn on_hole(&mut self, _: &Hole) -> Verdict {
        Verdict::Wait
    }
    fn on_rejected(&mut self, rejected: &Rejected) -> Verdict {
        self.kept.lock().unwrap().push(rejected.clone());
        if self.passes { Verdict::Pass } else { Verdict::Wait }
    }
}

pub(crate) struct Rig {
    journal: Journal,
    thread: SinkThread,
    next: u64,
    kept: Arc<Mutex<Vec<Rejected>>>,
}

impl Rig {
    /// A topic that follows a new journal.
    pub(crate) fn start(brokers: &str, topic: &str) -> Self {
        Self::with(&KafkaConfig::new(brokers), topic, true)
    }

    /// The same; refused records are passed, or hold everything up.
    pub(crate) fn with(config: &KafkaConfig, topic: &str, passes: bool) -> Self {
        Self::of(config, topic, passes, None)
    }

    /// The same; what is acknowledged is noted.
    pub(crate) fn audited(config: &KafkaConfig, topic: &str, trail: &AuditTrail) -> Self {
        Self::of(config, topic, true, Some(trail))
    }

    fn of(config: &KafkaConfig, topic: &str, passes: bool, trail: Option<&AuditTrail>) -> Self {
        let journal = open_journal(Arc::new(FaultyStorage::new(1)), 1_000, 32 << 20);
        let cursor = journal.register_cursor("numbers.kafka", From::Oldest).unwrap();
        let kept = Arc::<Mutex<Vec<Rejected>>>::default();
        let owner = Keeper { kept: Arc::clone(&kept), passes };
        let pace = PumpConfig {
            batch_bytes: 4 << 20,
            deliver_interval: Duration::ZERO,
            limit: Limit::Appended,
            ..PumpConfig::default()
        };
        let sink = KafkaSink::new(config.clone(), topic, Numbered);
        let sink = match trail {
            Some(trail) => sink.audited(trail.clone()),
            None => sink,
        };
        let pump = Pump::new(sink, &journal, cursor, Box::new(owner), pace);
        Self { journal, thread: SinkThread::spawn("numbers", pump).unwrap(), next: 0, kept }
    }

    /// The next `count` numbers.
    pub(crate) fn append(&mut self, count: u64) {
        let records: Vec<_> = (self.next..self.next + count).map(|number| (LINE, number, 40)).collect();
        self.append_records(&records);
    }

    /// The next number, with so much beside it.
    pub(crate) fn append_padded(&mut self, padding: usize) {
        self.append_records(&[(LINE, self.next, padding)]);
    }

    fn append_records(&mut self, records: &[(u8, u64, usize)]) {
        for records in records.chunks(1_000) {
            append_synced(&self.journal, records);
        }
        self.next += records.len() as u64;
    }

    pub(crate) fn appended(&self) -> u64 {
        self.next
    }

    pub(crate) fn status(&self) -> SinkStatus {
        self.thread.watch().status()
    }

    /// Waits until `is_so` of the status.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&SinkStatus) -> bool) -> SinkStatus {
        let found = until(LONG, || Some(self.status()).filter(|status| is_so(status)));
        found.unwrap_or_else(|| panic!("not {what} after {LONG:?}: {:?}", self.status()))
    }

    /// Waits until everything appended is delivered.
    pub(crate) fn delivered(&self) -> SinkStatus {
        let end = self.journal.progress().synced();
        self.until("delivered", |status| status.delivered >= end)
    }

    /// What was refused for good so far.
    pub(crate) fn kept(&self) -> Vec<Rejected> {
        self.kept.lock().unwrap().clone()
    }
}

/// A topic with these settings.
pub(crate) fn create(brokers: &str, name: &str, partitions: i32, settings: &[(&'static str, &str)]) {
    // Records say they are from a day long past: they are kept all the same.
    let settings = settings.iter().chain(&[("retention.ms", "-1")]);
    let settings = settings.map(|(name, value)| (*name, (*value).to_owned())).collect();
    let topic = Topic { name: name.to_owned(), partitions, replication: None, settings };
    let made = create_topics(&KafkaConfig::new(brokers), &[topic], Duration::from_secs(60)).unwrap();
    for made in made {
        made.unwrap();
    }
}

/// One record as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    pub(crate) partition: i32,
    pub(crate) key: String,
    pub(crate) number: u64,
}

/// Everything in a topic, each partition in its order.
pub(crate) fn stored(brokers: &str, topic: &str) -> Result<Vec<Stored>, Error> {
    let format = "%p %k %T %h %S\\n";
    let listed = kcat(&["-b", brokers, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", format])?;
    Ok(listed
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            let number: u64 = parts[3].strip_prefix("id=").unwrap().parse().unwrap();
            assert_eq!(parts[2], (1_790_000_000_000 + number).to_string(), "the record's time");
            Stored { partition: parts[0].parse().unwrap(), key: parts[1].to_owned(), number }
        })
        .collect())
}

/// Each of `expected` is there; in each key first copies come in order, and a repeat only of what is there already.
/// How many repeats there are.
pub(crate) fn judge(stored: &[Stored], expected: impl IntoIterator<Item = u64>) -> usize {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut seen, mut repeats) = (BTreeSet::new(), 0);
    for record in stored {
        assert_eq!(record.key, key_of(record.number));
        if !seen.insert(record.number) {
            repeats += 1;
            continue;
        }
        let before = newest.insert(&record.key, record.number);
        assert!(before.is_none_or(|before| before < record.number), "{record:?} after {before:?}");
    }
    assert_eq!(seen, expected.into_iter().collect(), "every record is there, and no other");
    repeats
}
