//! Why a sink did not deliver.

use std::fmt;
use std::io;

/// See the variants; [`SinkError::is_final`] says whether to try again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The storage did not do what was asked: disk full, device error, permission lost, directory gone.
    #[error("cannot {operation} {name:?}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The file or directory.
        name: String,
        /// What the storage answered.
        #[source]
        source: io::Error,
    },
    /// Somebody else deleted, moved or changed the file being written. The next try begins a new one.
    #[error("{name:?} should have {expected} bytes, it has {found:?}: deleted or changed by another")]
    Changed {
        /// The file.
        name: String,
        /// Its length as written.
        expected: u64,
        /// Its length as found; `None` when it is gone.
        found: Option<u64>,
    },
    /// A [`super::Render`] broke its contract.
    #[error("the record at position {position} makes a line that {what}")]
    BadLine {
        /// The record.
        position: u64,
        /// What is wrong with its line.
        what: &'static str,
    },
    /// The target does not take anything now; what is on its way may or may not be there.
    #[error("{target} does not take records: {why}")]
    Unavailable {
        /// What it is called.
        target: String,
        /// What was said last.
        why: String,
    },
    /// The target will never take this record.
    #[error("the record at position {} is refused by {}: {}", .0.position, .0.target, .0.why)]
    Rejected(Box<Rejected>),
    /// Nobody reads the other end any more.
    #[error("the reader of the stream is gone")]
    Closed,
}

/// A record that a target will never take, for its owner to keep.
#[derive(Clone, Eq, PartialEq)]
pub struct Rejected {
    /// The record.
    pub position: u64,
    /// Who refused it.
    pub target: String,
    /// What the target said.
    pub why: String,
    /// How often it was offered.
    pub attempts: u32,
    /// What was offered.
    pub value: Vec<u8>,
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("position", &self.position)
            .field("target", &self.target)
            .field("why", &self.why)
            .field("attempts", &self.attempts)
            .field("bytes", &self.value.len())
            .finish()
    }
}

impl SinkError {
    pub(super) fn io(operation: &'static str, name: &str, source: io::Error) -> Self {
        Self::Io { operation, name: name.to_owned(), source }
    }

    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Changed { .. } | Self::Unavailable { .. } | Self::Rejected(_) => false,
            Self::BadLine { .. } | Self::Closed => true,
        }
    }
}
