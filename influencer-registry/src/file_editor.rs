//! Edits a list file the way a person would: one field at a time, comments and unknown fields left alone.
//!
//! Open, edit, save. Every edit is checked against the whole list and refused when it would break it, so what is
//! saved is never worse than what was there. Saving replaces the file in one step (a temporary file beside it,
//! fsync, rename), and refuses when somebody else has written the file in between. No clock: times are arguments.

mod assignment;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use self::assignment::Assignment;
use crate::{
    Address, BadId, InfluencerId, InfluencerSet, ListFileError, Refusal, RefusedList, Rule, atomic_file,
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
    #[error("{path} is no list of influencers: {source}")]
    NotAList {
        /// The file.
        path: PathBuf,
        /// What is wrong about it.
        source: ListFileError,
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
    Id(String, #[source] BadId),
    /// `KEY=VALUE` is no setting.
    #[error("{text:?}: {reason}")]
    Assignment {
        /// What was given.
        text: String,
        /// What is wrong about it.
        reason: String,
    },
    /// The list would hold an entry that is refused.
    #[error(transparent)]
    Refused(#[from] RefusedList),
    /// The list is not empty, so there is nothing to confirm.
    #[error("the list holds {0} influencers, so there is no empty list to confirm")]
    NotEmpty(usize),
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
        let not_a_list = |source| EditError::NotAList { path: path.clone(), source };
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
    /// [`EditError::Unknown`], [`EditError::Assignment`] for an unknown key, one that is identity (`id`,
    /// `address`) or a value of another type, [`EditError::Refused`] for a value out of range. All or nothing.
    pub fn set<'a>(
        &mut self,
        id_or_address: &str,
        assignments: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), EditError> {
        let place = self.place_of(id_or_address)?;
        let parsed: Vec<Assignment> =
            assignments.into_iter().map(Assignment::parse).collect::<Result<_, _>>()?;
        self.change(|document, _| {
            if let Some(table) = tables(document).and_then(|tables| tables.get_mut(place)) {
                parsed.iter().try_for_each(|assignment| assignment.apply(table))?;
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
        if read(&self.path)? != self.read {
            return Err(EditError::ChangedMeanwhile { path: self.path.clone() });
        }
        let text = self.document.to_string();
        atomic_file::replace(&self.path, text.as_bytes())
            .map_err(|source| EditError::Write { path: self.path.clone(), source })?;
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
    Ok(file.map_err(|source| EditError::NotAList { path: path.to_owned(), source })?.entries)
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
