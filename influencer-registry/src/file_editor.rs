//! Edits a list file the way a person would: one field at a time, comments and unknown fields left alone.
//!
//! Open, edit, save. Every edit is checked against the whole list and refused when it would break it, so what is
//! saved is never worse than what was there. Saving replaces the file in one step (a temporary file beside it,
//! fsync, rename), and refuses when somebody else has written the file in between: open it again then, and edit again. Of editors that
//! save at once, in one process or several, one is first: looking and writing happen under a lock on the directory. No clock: times are
//! arguments.

mod fields;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use crate::{
    EditError, InfluencerSet, ListFileError, Refusal, Rule, atomic_file,
    edit::{self, Assignment, ListEditor, NewEntry},
    influencer::keys,
    list_file::{CONFIRM_EMPTY, ListFile, TABLES},
    rule,
};

/// A list file being edited; nothing reaches the disk before [`ListEditor::save`].
#[derive(Debug)]
pub struct FileEditor {
    path: PathBuf,
    /// What was read, to notice that somebody else writes too; `None`: there was no file.
    read: Option<String>,
    document: DocumentMut,
    rule: Rule,
}

impl FileEditor {
    /// Reads the file; a missing one is an empty list, created by [`ListEditor::save`].
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
        edit::right_at(place, refused)?;
        self.document = changed;
        Ok(())
    }

    fn entries(&self) -> Result<Vec<Value>, EditError> {
        parse(&self.path, &self.document)
    }

    /// Where the entry stands; also one that is refused, so that it can be mended or removed.
    fn place_of(&self, id_or_address: &str) -> Result<usize, EditError> {
        let entries = self.entries()?;
        edit::place_of(id_or_address, &entries.iter().map(|entry| (None, entry)).collect::<Vec<_>>())
    }
}

impl ListEditor for FileEditor {
    fn list(&self) -> Result<(InfluencerSet, Vec<Refusal>), EditError> {
        Ok(InfluencerSet::lenient_by(&self.entries()?, &InfluencerSet::default(), self.rule))
    }

    fn add(&mut self, id: &str, address: &str, added_at_ms: u64) -> Result<(), EditError> {
        let new = NewEntry::of(id, address, added_at_ms)?;
        let mut table = Table::new();
        table.insert("id", toml_edit::value(new.id.as_str()));
        table.insert("address", toml_edit::value(new.address));
        table.insert("addedAt", toml_edit::value(new.added_at_ms));
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

    fn set(&mut self, id_or_address: &str, assignments: &[&str]) -> Result<(), EditError> {
        let place = self.place_of(id_or_address)?;
        let assignments = Assignment::all(assignments)?;
        self.change(|document, _| {
            if let Some(table) = tables(document).and_then(|tables| tables.get_mut(place)) {
                assignments.iter().try_for_each(|assignment| fields::apply(assignment, table))?;
            }
            Ok(place)
        })
    }

    fn remove(&mut self, id_or_address: &str) -> Result<usize, EditError> {
        let place = self.place_of(id_or_address)?;
        if let Some(tables) = tables(&mut self.document) {
            tables.remove(place);
        }
        Ok(self.entries()?.len())
    }

    fn confirm_empty(&mut self) -> Result<(), EditError> {
        match self.entries()?.len() {
            0 => {
                self.document.remove(&keys::snake(CONFIRM_EMPTY));
                self.document.insert(CONFIRM_EMPTY, toml_edit::value(true));
                Ok(())
            }
            left => Err(EditError::NotEmpty(left)),
        }
    }

    fn save(&mut self) -> Result<(), EditError> {
        let failed = |source| EditError::Write { path: self.path.clone(), source };
        // The directory's own lock: none has to lie beside the list, and a rename does not lose it. Held until it is closed.
        let folder = File::open(atomic_file::folder(&self.path)).map_err(failed)?;
        folder.lock().map_err(failed)?;
        if read(&self.path)? != self.read {
            return Err(EditError::ChangedMeanwhile { place: self.path.display().to_string() });
        }
        let text = self.document.to_string();
        atomic_file::replace(&self.path, text.as_bytes()).map_err(failed)?;
        self.read = Some(text);
        Ok(())
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
