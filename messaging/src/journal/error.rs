//! Why a journal cannot start, and what a start found.

use std::io;

use super::config::ConfigError;
use super::format::JournalId;

/// The journal did not start. Nothing was changed on the disk that a later start could miss.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting cannot work.
    #[error("journal settings")]
    Config(#[from] ConfigError),
    /// Another process (or another `Journal` of this one) has it open.
    #[error("the journal is in use by another process")]
    InUse,
    /// The disk did not do what was asked.
    #[error("journal: {what} failed")]
    Io {
        /// The operation and the file.
        what: String,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// There are segments but no readable `identity`; it can be written anew from the UUID in their headers.
    #[error("the journal has segments but its identity is {found}; segments name {segments:?}")]
    Identity {
        /// `missing` or what is wrong with it.
        found: String,
        /// The identity the newest readable header names.
        segments: Option<JournalId>,
    },
    /// A segment of another journal lies among ours.
    #[error("segment {segment} belongs to journal {found}, not to {ours}")]
    Foreign {
        /// The segment's first position.
        segment: u64,
        /// Whose it is.
        found: JournalId,
        /// Whose directory it is.
        ours: JournalId,
    },
    /// A later version of this program wrote here; this one would misread it.
    #[error("{file} has format version {version}, this program reads 1")]
    Newer {
        /// The file.
        file: String,
        /// Its version.
        version: u16,
    },
    /// Every checkpoint is damaged: the state is lost, the records may not be.
    #[error("none of {segments} segments has a good checkpoint")]
    NoCheckpoint {
        /// How many there are.
        segments: usize,
    },
    /// The owner cannot use a checkpoint whose bytes are as they were written.
    #[error("the checkpoint of segment {segment} cannot be restored")]
    Restore {
        /// The segment's first position.
        segment: u64,
        /// The owner's reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No position is left above this one, or the clock is absurd.
    #[error("position {0} is out of range: check the clock")]
    Position(u64),
    /// The writer's thread could not be started.
    #[error("journal thread")]
    Thread(#[source] io::Error),
}

/// Something in the durable part that cannot be read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Damage {
    /// The first position that is missing.
    pub from: u64,
    /// The position behind the last.
    pub to: u64,
    /// The first position of the segment it is in: its file's name.
    pub segment: u64,
    /// Where in that file it begins.
    pub offset: u64,
}

/// A segment whose front is damaged: its checkpoint cannot be used. Its records are not touched by that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PassedOver {
    /// The segment's first position.
    pub segment: u64,
    /// The header too, not only the checkpoint.
    pub header: bool,
}

/// The end of the journal as the last run left it, cut to what is whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TornTail {
    /// The segment's first position.
    pub segment: u64,
    /// Where it was cut.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// The first position that may have been in them.
    pub position: u64,
}

/// What a start found and did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StartReport {
    /// There was no journal.
    pub new: bool,
    /// Unreadable parts behind the checkpoint that was used.
    pub damage: Vec<Damage>,
    /// Damaged checkpoints and headers.
    pub passed_over: Vec<PassedOver>,
    /// What was cut off.
    pub torn_tail: Option<TornTail>,
    /// Positions that a sink had read and that are not there any more: the end was damaged or taken away.
    pub lost_end: Option<(u64, u64)>,
    /// Bytes of the tail written again and made durable before they were trusted.
    pub rewritten: u64,
    /// Segments whose batches were read.
    pub segments_read: usize,
    /// Segments there are.
    pub segments: usize,
    /// Records the state took in.
    pub records: u64,
    /// The position behind the last record of the earlier runs.
    pub end: u64,
}
