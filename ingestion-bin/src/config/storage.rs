//! `[journal]` and the five sinks: `[signals]`, `[raw]`, `[gaps]`, `[positions]`, `[dead_letters]`.

use std::time::Duration;

use super::reader::Section;
use super::service::NO_KAFKA;

const NO_SHEDDING: &str = "this build cannot shed yet";

/// Journal and sinks.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The journal.
    pub journal: Journal,
    /// `signal.v1`.
    pub signals: SinkSettings,
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
    /// The directories of the streams that are written into files.
    pub fn file_streams(&self) -> impl Iterator<Item = &'static str> {
        let sinks = [
            ("signals", &self.signals),
            ("gaps", &self.gaps),
            ("dead_letters", &self.dead_letters),
            ("state", &self.positions),
            ("raw", &self.raw),
        ];
        sinks.into_iter().filter(|(_, sink)| sink.kind == SinkKind::File).map(|(name, _)| name)
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
    /// Oldest segments go above this size.
    pub max_bytes: u64,
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
    /// Where a sink that is new to this journal starts.
    pub from: StartFrom,
    /// Oldest files go above this size.
    pub max_bytes: u64,
    /// A file ends at this size.
    pub rotate_bytes: u64,
}

/// Where a sink writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SinkKind {
    /// Files below the data directory.
    File,
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

#[derive(Clone, Copy)]
enum Named {
    Built(SinkKind),
    Kafka,
}

const FILE: (&str, Named) = ("file", Named::Built(SinkKind::File));
const NONE: (&str, Named) = ("none", Named::Built(SinkKind::None));
const KAFKA: (&str, Named) = ("kafka", Named::Kafka);
const STDOUT: (&str, Named) = ("stdout", Named::Built(SinkKind::Stdout));
const PAUSED: (&str, Named) = ("paused", Named::Built(SinkKind::Paused));
const JOURNAL: (&str, Named) = ("journal", Named::Built(SinkKind::Journal));

pub(super) fn storage(root: &Section<'_>) -> Storage {
    let raw = root.section("raw");
    let raw_retention = raw.seconds("retention_s", 2_592_000, 60..=3_153_600_000);
    let signals = root.section("signals");
    signals.not_built("key", "influencer", NO_KAFKA);
    Storage {
        journal: journal(root),
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
    }
}

fn sink(
    section: Section<'_>,
    topic: &str,
    default: (&str, Named),
    choices: &[(&str, Named)],
) -> SinkSettings {
    let kind = match section.choice("sink", default.1, choices) {
        Named::Built(kind) => kind,
        Named::Kafka => {
            section.complain("sink", "\"kafka\"", NO_KAFKA);
            SinkKind::None
        }
    };
    section.not_built("topic", topic, NO_KAFKA);
    let settings = SinkSettings {
        kind,
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
    let journal = Journal {
        fsync: section.choice("fsync", Fsync::Batch, &[("batch", Fsync::Batch), ("always", Fsync::Always)]),
        fsync_interval: section.millis("fsync_interval_ms", 10, 0..=10_000),
        segment_bytes: section.number("segment_bytes", 67_108_864, 1 << 16..=1 << 32),
        max_bytes: section.number("max_bytes", 8_589_934_592, 1 << 18..=1 << 50),
    };
    section.not_built("publish_after", "append", NO_KAFKA);
    if section.choice("when_full", false, &[("stop", false), ("shed", true)]) {
        section.complain("when_full", "\"shed\"", NO_SHEDDING);
    }
    section.not_built("shed_below_priority", 0, NO_SHEDDING);
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
