//! What edits of a list have in common, wherever it is kept: their errors, `KEY=VALUE`, a new entry, who is meant, and that an edit must
//! leave a right entry. No I/O.

mod assignment;

use std::{io, path::PathBuf};

use serde_json::Value;

pub(crate) use assignment::Assignment;

#[cfg(feature = "redis")]
use crate::EntryName;
use crate::{
    Address, BadId, InfluencerId, InfluencerSet, ListFileError, Problem, Reason, Refusal, RefusedList,
};

/// Edits a list, wherever it is kept: open one, edit, save. Every edit is checked against the whole list and refused when it would break
/// it; nothing is written before [`ListEditor::save`]. No clock: times are arguments.
pub trait ListEditor {
    /// The list as it stands in the editor: what is right, and what is refused.
    ///
    /// # Errors
    /// [`EditError::NotAList`], should an edit have broken the list's shape.
    fn list(&self) -> Result<(InfluencerSet, Vec<Refusal>), EditError>;

    /// Puts an account on the list, with default settings. Takes a confirmation of emptiness back.
    ///
    /// # Errors
    /// [`EditError::Id`]; [`EditError::Refused`] when the address is none, or id or address are taken.
    fn add(&mut self, id: &str, address: &str, added_at_ms: u64) -> Result<(), EditError>;

    /// Sets fields of one influencer, named by id or address: `label=Some text`, `priority=10`, `enabled=false`,
    /// `markets=ETH-PERP,BTC-PERP` or `markets=["ETH-PERP"]`, `backoff.maxMs=5000`; `KEY=` alone takes the field away. Keys in either
    /// spelling; a key that is already there keeps its own.
    ///
    /// # Errors
    /// [`EditError::Unknown`], [`EditError::Assignments`] for an unknown key, one that is identity (`id`,
    /// `address`) or a value of another type, [`EditError::Refused`] for a value out of range. All or nothing.
    fn set(&mut self, id_or_address: &str, assignments: &[&str]) -> Result<(), EditError>;

    /// Takes one influencer, named by id or address, off the list, and says how many are left. When none is left,
    /// the service goes on following until [`ListEditor::confirm_empty`].
    ///
    /// # Errors
    /// [`EditError::Unknown`].
    fn remove(&mut self, id_or_address: &str) -> Result<usize, EditError>;

    /// Says that the empty list is meant: the service then stops following everybody.
    ///
    /// # Errors
    /// [`EditError::NotEmpty`].
    fn confirm_empty(&mut self) -> Result<(), EditError>;

    /// Writes all edits in one step, durably as far as the list's place is.
    ///
    /// # Errors
    /// [`EditError::ChangedMeanwhile`]: somebody else wrote first, so open it again and edit again. [`EditError::Read`],
    /// [`EditError::Write`], [`EditError::Unreachable`].
    fn save(&mut self) -> Result<(), EditError>;
}

/// Why a list was not edited. It is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is no list, so there is nothing to edit safely.
    #[error("{path} is no list of influencers: {why}")]
    NotAList {
        /// The file.
        path: PathBuf,
        /// What is wrong about it.
        why: ListFileError,
    },
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else wrote the list since it was opened.
    #[error("{place} was changed by somebody else; nothing was written, try again")]
    ChangedMeanwhile {
        /// Where the list is.
        place: String,
    },
    /// The Redis that keeps the list does not answer as it should.
    #[error("{place}: {why}")]
    Unreachable {
        /// Where the list is; no password.
        place: String,
        /// One line: what is in the way.
        why: String,
    },
    /// Nobody of that id or address is on the list.
    #[error("no influencer {0:?} is on the list")]
    Unknown(String),
    /// Not an id.
    #[error("{0:?}: {1}")]
    Id(String, BadId),
    /// `KEY=VALUE` is no setting; all that are none.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Assignments(Vec<BadAssignment>),
    /// The list would hold an entry that is refused.
    #[error(transparent)]
    Refused(#[from] RefusedList),
    /// The list is not empty, so there is nothing to confirm.
    #[error("the list holds {0} influencers, so there is no empty list to confirm")]
    NotEmpty(usize),
}

/// A `KEY=VALUE` that is no setting.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?}: {reason}")]
pub struct BadAssignment {
    /// What was given.
    pub text: String,
    /// What is wrong about it.
    pub reason: String,
}

impl EditError {
    /// Whether what was asked for is wrong in itself, whatever the list and its place are.
    #[must_use]
    pub fn is_asked_wrongly(&self) -> bool {
        match self {
            Self::Id(..) | Self::Assignments(_) => true,
            Self::Refused(RefusedList(refused)) => {
                let taken = |problem: &Problem| {
                    matches!(problem.reason, Reason::DuplicateId { .. } | Reason::DuplicateAddress { .. })
                };
                !refused.iter().flat_map(|refusal| &refusal.problems).all(taken)
            }
            Self::Read { .. }
            | Self::NotAList { .. }
            | Self::Write { .. }
            | Self::ChangedMeanwhile { .. }
            | Self::Unreachable { .. }
            | Self::Unknown(_)
            | Self::NotEmpty(_) => false,
        }
    }
}

/// An account that comes on the list, with default settings.
pub(crate) struct NewEntry {
    pub(crate) id: InfluencerId,
    /// Lower case where it can be read; else as written, so that the refusal shows it.
    pub(crate) address: String,
    pub(crate) added_at_ms: i64,
}

impl NewEntry {
    pub(crate) fn of(id: &str, address: &str, added_at_ms: u64) -> Result<Self, EditError> {
        let id = id.parse().map_err(|e| EditError::Id(id.to_owned(), e))?;
        let address =
            address.parse::<Address>().map_or_else(|_| address.to_owned(), |a| a.as_str().to_owned());
        Ok(Self { id, address, added_at_ms: i64::try_from(added_at_ms).unwrap_or(i64::MAX) })
    }
}

/// Where the entry of this id or address stands among entries and the keys they stand under; also one that is refused, so that it can be
/// mended or removed.
pub(crate) fn place_of(id_or_address: &str, entries: &[(Option<&str>, &Value)]) -> Result<usize, EditError> {
    let wanted: Option<Address> = id_or_address.to_lowercase().parse().ok();
    let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_named = |key: Option<&str>, entry: &Value| {
        key.map_or_else(|| text(entry, "id").as_deref() == Some(id_or_address), |key| key == id_or_address)
    };
    let by_id = entries.iter().position(|(key, entry)| is_named(*key, entry));
    let by_address = || {
        let same = |text: String| wanted.is_some() && text.to_lowercase().parse().ok() == wanted;
        entries.iter().position(|(_, entry)| text(entry, "address").is_some_and(same))
    };
    by_id.or_else(by_address).ok_or_else(|| EditError::Unknown(id_or_address.to_owned()))
}

/// That the entry at `place`, from 0, is none of those that are refused.
pub(crate) fn right_at(place: usize, refused: Vec<Refusal>) -> Result<(), EditError> {
    let broken: Vec<Refusal> = refused.into_iter().filter(|r| r.entry.number == place + 1).collect();
    if broken.is_empty() { Ok(()) } else { Err(RefusedList(broken).into()) }
}

/// That an entry has this id already, the one at `place` of so many; where entries stand under their ids, a second one would replace it.
#[cfg(feature = "redis")]
pub(crate) fn id_taken(id: &str, place: usize, entries: usize) -> EditError {
    let name = |number| EntryName { number, text: Some(id.to_owned()) };
    let reason = Reason::DuplicateId { first: name(place + 1) };
    let problems = vec![Problem::new("id", &Value::from(id), reason)];
    RefusedList(vec![Refusal { entry: name(entries + 1), problems, kept: false }]).into()
}
