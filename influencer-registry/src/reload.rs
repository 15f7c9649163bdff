//! What a watched list says of itself: what became different, and why it is not taken as a whole.

use std::{io, path::PathBuf};

use crate::{Changes, FILE_BYTES_MAX, InfluencerSet, ListFileError, Refusal, changes::diff};

/// Something about the list became different.
#[derive(Clone, Debug, PartialEq)]
pub struct Reload {
    /// Everything that is live now.
    pub set: InfluencerSet,
    /// What made it out of the set before.
    pub changes: Changes,
    /// Entries that are refused now.
    pub refused: Vec<Refusal>,
    /// Why the list as a whole was not taken and the last good one stayed.
    pub problem: Option<ListProblem>,
}

impl Reload {
    pub(crate) fn between(
        before: &InfluencerSet,
        live: &InfluencerSet,
        refused: Vec<Refusal>,
        problem: Option<ListProblem>,
    ) -> Self {
        Self { set: live.clone(), changes: diff(before, live), refused, problem }
    }
}

/// Why a list as a whole is not taken; the last good one stays live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListProblem {
    /// There is no such file.
    #[error("{path}: there is no such file")]
    Vanished {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{path}: cannot be read: {kind}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The file is larger than [`FILE_BYTES_MAX`].
    #[error("{path}: larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no list.
    #[error("{path}: {source}")]
    Unparsable {
        /// The file.
        path: PathBuf,
        /// What is wrong about it.
        source: ListFileError,
    },
    /// The list is suddenly empty, and nobody confirmed that it should be.
    #[error("{place}: the list is empty but {live} are live; `influencers confirm-empty` if that is meant")]
    Emptied {
        /// Where the list is.
        place: String,
        /// How many influencers stay live.
        live: usize,
    },
    /// No entry of the list is right.
    #[error("{place}: none of the {entries} entries is right, so the {live} that are live stay")]
    AllRefused {
        /// Where the list is.
        place: String,
        /// How many entries there are.
        entries: usize,
        /// How many influencers stay live.
        live: usize,
    },
    /// The Redis that keeps the list does not answer as it should.
    #[error("{place}: {why}")]
    Unreachable {
        /// Where the list is; no password.
        place: String,
        /// One line: what is in the way.
        why: String,
    },
    /// The list is an older one than the one that is live: its Redis forgot changes.
    #[error(
        "{place}: its version went back from {highest} to {version} (a failover or FLUSHALL lost changes), so the {live} that are live \
         stay; `influencers add|set|remove` makes it the newest list as it stands, a version of {highest} or more accepts it"
    )]
    WentBack {
        /// Where the list is.
        place: String,
        /// The version it has now.
        version: u64,
        /// The version of the list that is live.
        highest: u64,
        /// How many influencers stay live.
        live: usize,
    },
}
