//! `[journal]` and the five sinks: `[signals]`, `[raw]`, `[gaps]`, `[positions]`, `[dead_letters]`.

use std::time::Duration;

use super::kafka::{self, NO_KAFKA};
use super::reader::Section;

/// Journal and sinks.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The journal.
    pub journal: Journal,
    /// `signal.v1`.
    pub signals: SinkSettings,
    /// What a signal's key is in its topic.
    pub signal_key: SignalKey,
    /// `raw.v1`.
    pub raw: SinkSettings,
    /// How long raw events are kept in the journal.
    pub raw_retention: Duration,
    /// `gap.v1`.
    pub gaps: SinkSettings,
    /// `state.v1`.
    pub positions: SinkSettings,
    /// `deadletter.v1`.
    pub dead_letters: SinkSettings,
}

impl Storage {
    /// All sinks, with their streams' names.
    pub fn sinks(&self) -> [(&'static str, &SinkSettings); 5] {
        [
            ("signals", &self.signals),
            ("gaps", &self.gaps),
            ("dead_letters", &self.dead_letters),
            ("state", &self.positions),
            ("raw", &self.raw),
        ]
    }

    /// The directories of the streams that are written into files.
    pub fn file_streams(&self) -> impl Iterator<Item = &'static str> {
        self.sinks().into_iter().filter(|(_, sink)| sink.kind == SinkKind::File).map(|(name, _)| name)
    }
}

/// The journal's bounds.
#[derive(Clone, Debug)]
pub struct Journal {
    /// When to fsync.
    pub fsync: Fsync,
    /// Between fsyncs of a batch.
    pub fsync_interval: Duration,
    /// A segment ends at this size.
    pub segment_bytes: u64,
    /// Batches that may wait for the disk; a frame of fills is one, and what is not fsynced counts.
    pub queue_batches: usize,
    /// Oldest segments go above this size.
    pub max_bytes: u64,
    /// When a record may go to a topic.
    pub publish_after: PublishAfter,
    /// Influencers of a lower priority are shed while a sink is far behind; `None`: nobody is.
    pub shed_below: Option<i32>,
}

/// When a record may go to a topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PublishAfter {
    /// Once it is written: what power loss takes of it is fetched again and has the same ids.
    Append,
    /// Once it is fsynced.
    Fsync,
}

/// What a signal's key is in its topic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignalKey {
    /// The influencer: one consumer has all of an account.
    Influencer,
    /// Influencer and market.
    InfluencerMarket,
}

/// When to fsync.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fsync {
    /// When the interval has passed.
    Batch,
    /// After every write.
    Always,
}

/// One sink.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// Where it writes.
    pub kind: SinkKind,
    /// The topic, where it writes to one.
    pub topic: String,
    /// Where a sink that is new to this journal starts.
    pub from: StartFrom,
    /// Oldest files go above this size.
    pub max_bytes: u64,
    /// A file ends at this size.
    pub rotate_bytes: u64,
}

impl SinkSettings {
    /// The name of the journal's cursor for `stream` where the sink is of this kind: another target is another cursor.
    #[must_use]
    pub fn cursor(&self, stream: &str, kind: SinkKind) -> String {
        match kind {
            SinkKind::Kafka => format!("{stream}.kafka.{}", self.topic),
            SinkKind::Stdout => format!("{stream}.stdout"),
            SinkKind::File | SinkKind::Paused | SinkKind::Journal | SinkKind::None => {
                format!("{stream}.file")
            }
        }
    }
}

/// Where a sink writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SinkKind {
    /// Files below the data directory.
    File,
    /// A topic of Kafka.
    Kafka,
    /// Standard output.
    Stdout,
    /// Kept in the journal only.
    Journal,
    /// Nowhere.
    None,
    /// Nowhere for now; its cursor waits.
    Paused,
}

/// Where a new sink starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartFrom {
    /// At the journal's end.
    End,
    /// At its oldest record.
    Oldest,
}

const FILE: (&str, SinkKind) = ("file", SinkKind::File);
const NONE: (&str, SinkKind) = ("none", SinkKind::None);
const KAFKA: (&str, SinkKind) = ("kafka", SinkKind::Kafka);
const STDOUT: (&str, SinkKind) = ("stdout", SinkKind::Stdout);
const PAUSED: (&str, SinkKind) = ("paused", SinkKind::Paused);
const JOURNAL: (&str, SinkKind) = ("journal", SinkKind::Journal);

pub(super) fn storage(root: &Section<'_>) -> Storage {
    let raw = root.section("raw");
    let raw_retention = raw.seconds("retention_s", 2_592_000, 60..=3_153_600_000);
    let signals = root.section("signals");
    let keys = [("influencer", SignalKey::Influencer), ("influencer_market", SignalKey::InfluencerMarket)];
    if !kafka::BUILT {
        signals.not_built("key", "influencer", NO_KAFKA);
    }
    let storage = Storage {
        journal: journal(root),
        signal_key: signals.choice("key", SignalKey::Influencer, &keys),
        signals: sink(signals, "influencer_signals", FILE, &[KAFKA, FILE, STDOUT, NONE, PAUSED]),
        raw: sink(raw, "hyperliquid_raw_events", JOURNAL, &[JOURNAL, KAFKA, FILE, NONE]),
        raw_retention,
        gaps: sink(
            root.section("gaps"),
            "influencer_signals_gaps",
            FILE,
            &[KAFKA, FILE, STDOUT, NONE, PAUSED],
        ),
        positions: sink(
            root.section("positions"),
            "influencer_state",
            FILE,
            &[KAFKA, FILE, STDOUT, NONE, PAUSED],
        ),
        dead_letters: sink(
            root.section("dead_letters"),
            "influencer_signals_dlq",
            FILE,
            &[KAFKA, FILE, STDOUT, NONE, PAUSED],
        ),
    };
    one_stream_a_topic(root, &storage);
    storage
}

/// Records of two streams in one topic would be read as each other's.
fn one_stream_a_topic(root: &Section<'_>, storage: &Storage) {
    let mut topics = std::collections::BTreeMap::new();
    for (stream, sink) in storage.sinks().into_iter().filter(|(_, sink)| sink.kind == SinkKind::Kafka) {
        if let Some(other) = topics.insert(sink.topic.as_str(), stream) {
            let section = if stream == "state" { "positions" } else { stream };
            let problem = format!("is the topic of {other} too");
            root.complain(&format!("{section}.topic"), &format!("{:?}", sink.topic), &problem);
        }
    }
}

/// What brokers take, a little shorter: the name of the cursor is made of it.
fn topic_name(text: &str) -> Result<String, &'static str> {
    let is_name = (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !matches!(text, "." | "..");
    if is_name { Ok(text.to_owned()) } else { Err("wants 1 to 100 letters, digits, '.', '_', '-'") }
}

fn sink(
    section: Section<'_>,
    topic: &str,
    default: (&str, SinkKind),
    choices: &[(&str, SinkKind)],
) -> SinkSettings {
    let kind = section.choice("sink", default.1, choices);
    if !kafka::BUILT {
        section.not_built("topic", topic, NO_KAFKA);
        if kind == SinkKind::Kafka {
            section.complain("sink", "\"kafka\"", NO_KAFKA);
        }
    }
    let settings = SinkSettings {
        kind,
        topic: section.parsed("topic", topic, topic_name).unwrap_or_else(|| topic.to_owned()),
        from: section.choice(
            "from",
            StartFrom::End,
            &[("end", StartFrom::End), ("oldest", StartFrom::Oldest)],
        ),
        max_bytes: section.number("max_bytes", 8_589_934_592, 1 << 16..=1 << 50),
        rotate_bytes: section.number("rotate_bytes", 134_217_728, 1 << 12..=1 << 40),
    };
    if settings.rotate_bytes > settings.max_bytes {
        section.complain("rotate_bytes", &settings.rotate_bytes.to_string(), "is more than max_bytes");
    }
    section.done();
    settings
}

fn journal(root: &Section<'_>) -> Journal {
    let section = root.section("journal");
    let shed_below = section.signed("shed_below_priority", 0);
    let sheds = section.choice("when_full", false, &[("stop", false), ("shed", true)]);
    let journal = Journal {
        fsync: section.choice("fsync", Fsync::Batch, &[("batch", Fsync::Batch), ("always", Fsync::Always)]),
        fsync_interval: section.millis("fsync_interval_ms", 10, 0..=10_000),
        segment_bytes: section.number("segment_bytes", 67_108_864, 1 << 16..=1 << 32),
        queue_batches: usize::try_from(section.number("queue_batches", 16_384, 64..=1 << 20))
            .unwrap_or(16_384),
        max_bytes: section.number("max_bytes", 8_589_934_592, 1 << 18..=1 << 50),
        publish_after: section.choice(
            "publish_after",
            PublishAfter::Append,
            &[("append", PublishAfter::Append), ("fsync", PublishAfter::Fsync)],
        ),
        shed_below: sheds.then_some(shed_below),
    };
    if !kafka::BUILT {
        section.not_built("publish_after", "append", NO_KAFKA);
    }
    if !sheds && shed_below != 0 {
        let why = "means something only with journal.when_full = \"shed\"";
        section.complain("shed_below_priority", &shed_below.to_string(), why);
    }
    if journal.max_bytes < 4 * journal.segment_bytes {
        section.complain(
            "max_bytes",
            &journal.max_bytes.to_string(),
            "wants room for four segments (segment_bytes)",
        );
    }
    section.done();
    journal
}
