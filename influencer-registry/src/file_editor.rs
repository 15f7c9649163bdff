//! Edits a list file the way a person would: one field at a time, comments and unknown fields left alone.
//!
//! Open, edit, save. Every edit is checked against the whole list and refused when it would break it, so what is
//! saved is never worse than what was there. Saving replaces the file in one step (a temporary file beside it,
//! fsync, rename), and refuses when somebody else has written the file in between: open it again then, and edit again. Of editors that
//! save at once, in one process or several, one is first: looking and writing happen under a lock on the directory. No clock: times are
//! arguments.

mod assignment;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use self::assignment::Assignment;
use crate::{
    Address, BadId, InfluencerId, InfluencerSet, ListFileError, Problem, Reason, Refusal, RefusedList, Rule,
    atomic_file,
    influencer::keys,
    list_file::{CONFIRM_EMPTY, ListFile, TABLES},
    rule,
};

/// A list file being edited; nothing reaches the disk before [`FileEditor::save`].
#[derive(Debug)]
pub struct FileEditor {
    path: PathBuf,
    /// What was read, to notice that somebody else writes too; `None`: there was no file.
    read: Option<String>,
    document: DocumentMut,
    rule: Rule,
}

/// Why a list file was not edited. The file is as it was.
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
    /// Somebody else wrote the file since it was opened.
    #[error("{path} was changed by somebody else; nothing was written, try again")]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
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
    /// Whether what was asked for is wrong in itself, whatever the list, the file and the disk are.
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
            | Self::Unknown(_)
            | Self::NotEmpty(_) => false,
        }
    }
}

impl FileEditor {
    /// Reads the file; a missing one is an empty list, created by [`FileEditor::save`].
    ///
    /// # Errors
    /// [`EditError::Read`] and [`EditError::NotAList`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EditError> {
        // A symbolic link is followed now, so that saving replaces the file and not the link.
        let path = fs::canonicalize(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned());
        let read = read(&path)?;
        let not_a_list = |why| EditError::NotAList { path: path.clone(), why };
        let text = read.as_deref().unwrap_or_default();
        let document: DocumentMut = text
            .parse()
            .map_err(|e: toml_edit::TomlError| not_a_list(ListFileError::syntax(&e.to_string())))?;
        ListFile::parse(text).map_err(not_a_list)?;
        let inline = document.get(TABLES).is_some_and(|item| !item.is_array_of_tables());
        if inline {
            Err(not_a_list(ListFileError::NotTables))
        } else {
            Ok(Self { path, read, document, rule: rule::none })
        }
    }

    /// Refuses edits by a rule of the program's own, too.
    #[must_use]
    pub fn judged_by(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// The list as it stands in the editor: what is right, and what is refused.
    ///
    /// # Errors
    /// [`EditError::NotAList`], should an edit have broken the file's shape.
    pub fn list(&self) -> Result<(InfluencerSet, Vec<Refusal>), EditError> {
        Ok(InfluencerSet::lenient_by(&self.entries()?, &InfluencerSet::default(), self.rule))
    }

    /// Puts an account on the list, with default settings. Takes a confirmation of emptiness back.
    ///
    /// # Errors
    /// [`EditError::Id`]; [`EditError::Refused`] when the address is none, or id or address are taken.
    pub fn add(&mut self, id: &str, address: &str, added_at_ms: u64) -> Result<(), EditError> {
        let checked: InfluencerId = id.parse().map_err(|e| EditError::Id(id.to_owned(), e))?;
        // Lower case where it can be read; else as written, so that the refusal shows it.
        let address =
            address.parse::<Address>().map_or_else(|_| address.to_owned(), |a| a.as_str().to_owned());
        let mut table = Table::new();
        table.insert("id", toml_edit::value(checked.as_str()));
        table.insert("address", toml_edit::value(address));
        table.insert("addedAt", toml_edit::value(i64::try_from(added_at_ms).unwrap_or(i64::MAX)));
        self.change(|document, entries| {
            document.remove(CONFIRM_EMPTY);
            document.remove(&keys::snake(CONFIRM_EMPTY));
            let item = document.entry(TABLES).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
            if let Some(tables) = item.as_array_of_tables_mut() {
                tables.push(table);
            }
            Ok(entries)
        })
    }

    /// Sets fields of one influencer, named by id or address: `label=Some text`, `priority=10`, `enabled=false`,
    /// `markets=ETH-PERP,BTC-PERP` or `markets=["ETH-PERP"]`, `backoff.maxMs=5000`; `KEY=` alone takes the field away. Keys in either
    /// spelling; a key that is already there keeps its own.
    ///
    /// # Errors
    /// [`EditError::Unknown`], [`EditError::Assignments`] for an unknown key, one that is identity (`id`,
    /// `address`) or a value of another type, [`EditError::Refused`] for a value out of range. All or nothing.
    pub fn set<'a>(
        &mut self,
        id_or_address: &str,
        assignments: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), EditError> {
        let place = self.place_of(id_or_address)?;
        let (mut parsed, mut bad) = (Vec::new(), Vec::new());
        for assignment in assignments {
            match Assignment::parse(assignment) {
                Ok(assignment) => parsed.push(assignment),
                Err(wrong) => bad.push(wrong),
            }
        }
        if !bad.is_empty() {
            return Err(EditError::Assignments(bad));
        }
        self.change(|document, _| {
            if let Some(table) = tables(document).and_then(|tables| tables.get_mut(place)) {
                let applied = parsed.iter().try_for_each(|assignment| assignment.apply(table));
                applied.map_err(|wrong| EditError::Assignments(vec![wrong]))?;
            }
            Ok(place)
        })
    }

    /// Takes one influencer, named by id or address, off the list, and says how many are left. When none is left,
    /// the service goes on following until [`FileEditor::confirm_empty`].
    ///
    /// # Errors
    /// [`EditError::Unknown`].
    pub fn remove(&mut self, id_or_address: &str) -> Result<usize, EditError> {
        let place = self.place_of(id_or_address)?;
        if let Some(tables) = tables(&mut self.document) {
            tables.remove(place);
        }
        Ok(self.entries()?.len())
    }

    /// Says that the empty list is meant: the service then stops following everybody.
    ///
    /// # Errors
    /// [`EditError::NotEmpty`].
    pub fn confirm_empty(&mut self) -> Result<(), EditError> {
        match self.entries()?.len() {
            0 => {
                self.document.remove(&keys::snake(CONFIRM_EMPTY));
                self.document.insert(CONFIRM_EMPTY, toml_edit::value(true));
                Ok(())
            }
            left => Err(EditError::NotEmpty(left)),
        }
    }

    /// Replaces the file in one step, durably.
    ///
    /// # Errors
    /// [`EditError::ChangedMeanwhile`], [`EditError::Read`], [`EditError::Write`].
    pub fn save(&mut self) -> Result<(), EditError> {
        let failed = |source| EditError::Write { path: self.path.clone(), source };
        // The directory's own lock: none has to lie beside the list, and a rename does not lose it. Held until it is closed.
        let folder = File::open(atomic_file::folder(&self.path)).map_err(failed)?;
        folder.lock().map_err(failed)?;
        if read(&self.path)? != self.read {
            return Err(EditError::ChangedMeanwhile { path: self.path.clone() });
        }
        let text = self.document.to_string();
        atomic_file::replace(&self.path, text.as_bytes()).map_err(failed)?;
        self.read = Some(text);
        Ok(())
    }

    /// Makes an edit on a copy and keeps it if the entry at the place it returns is right in the new list.
    fn change(
        &mut self,
        edit: impl FnOnce(&mut DocumentMut, usize) -> Result<usize, EditError>,
    ) -> Result<(), EditError> {
        let entries = self.entries()?.len();
        let mut changed = self.document.clone();
        let place = edit(&mut changed, entries)?;
        let list = parse(&self.path, &changed)?;
        let (_, refused) = InfluencerSet::lenient_by(&list, &InfluencerSet::default(), self.rule);
        let broken: Vec<Refusal> = refused.into_iter().filter(|r| r.entry.number == place + 1).collect();
        if broken.is_empty() {
            self.document = changed;
            return Ok(());
        }
        Err(RefusedList(broken).into())
    }

    fn entries(&self) -> Result<Vec<Value>, EditError> {
        parse(&self.path, &self.document)
    }

    /// Where the entry stands; also one that is refused, so that it can be mended or removed.
    fn place_of(&self, id_or_address: &str) -> Result<usize, EditError> {
        let entries = self.entries()?;
        let wanted: Option<Address> = id_or_address.to_lowercase().parse().ok();
        let field = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let by_id = entries.iter().position(|entry| field(entry, "id").as_deref() == Some(id_or_address));
        let by_address = || {
            let same = |text: String| wanted.is_some() && text.to_lowercase().parse().ok() == wanted;
            entries.iter().position(|entry| field(entry, "address").is_some_and(same))
        };
        by_id.or_else(by_address).ok_or_else(|| EditError::Unknown(id_or_address.to_owned()))
    }
}

fn tables(document: &mut DocumentMut) -> Option<&mut ArrayOfTables> {
    document.get_mut(TABLES).and_then(Item::as_array_of_tables_mut)
}

fn parse(path: &Path, document: &DocumentMut) -> Result<Vec<Value>, EditError> {
    let file = ListFile::parse(&document.to_string());
    Ok(file.map_err(|why| EditError::NotAList { path: path.to_owned(), why })?.entries)
}

fn read(path: &Path) -> Result<Option<String>, EditError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EditError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
