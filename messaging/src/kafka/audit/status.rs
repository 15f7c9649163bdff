//! What an audit says: how far it is, and what is not as it was acknowledged.

use std::fmt;

/// Of one stream, in records, since the process began.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditStatus {
    /// Read back, and as they were acknowledged.
    pub audited: u64,
    /// Acknowledged, and not read back yet.
    pub lag: u64,
    /// Acknowledged while too much waited, or without an offset: never read back.
    pub skipped: u64,
    /// Deleted at the topic's beginning, or compacted, before they were read back.
    pub not_auditable: u64,
    /// Met between ours, and not ours.
    pub foreign: u64,
    /// Gone, or not as they were acknowledged.
    pub differing: u64,
    /// The newest difference, in words.
    pub difference: Option<String>,
    /// Why not everything could be read back in the last round.
    pub error: Option<String>,
    /// Rounds of which that is so.
    pub failures: u64,
}

/// How records are not as they were acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Differs {
    /// They are missing between others.
    Missing,
    /// One of them at least has other content.
    Changed,
    /// The partition ended before them: its end went back.
    EndWentBack,
}

/// Acknowledged records that are gone, or not as they were. Its text is one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Whose.
    pub stream: String,
    /// Where.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The first and the last offset.
    pub offsets: (i64, i64),
    /// How many of ours lie there; of [`Differs::Changed`] how many are in doubt.
    pub records: u64,
    /// How.
    pub differs: Differs,
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Changed => "not as they were acknowledged",
            Self::EndWentBack => "gone, the partition's end went back",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, offsets: (first, last), records, differs, .. } = self;
        write!(f, "topic {topic}, partition {partition}, offsets {first} to {last}: ")?;
        write!(f, "{records} acknowledged records are {differs}")
    }
}
