//! Edits a list in a Redis, one field at a time, unknown fields left alone.
//!
//! Open, edit, save. Saving is one atomic step (a script): all edits, the raised version, the notice; it is refused when somebody else has
//! edited the list in between: open it again then, and edit again. An entry that somebody else wrote without the version is not overwritten
//! either. Blocking, in the caller's thread, every wait bounded.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};

use super::{
    RedisList, entry,
    reading::{Reading, parse},
    session::Session,
};
use crate::{
    EditError, InfluencerSet, Refusal, Rule,
    edit::{self, Assignment, ListEditor, NewEntry},
    rule,
};

const SAVE: &str = include_str!("save.lua");

/// A list in a Redis being edited; nothing is written before [`ListEditor::save`].
pub struct RedisEditor {
    list: RedisList,
    runtime: Runtime,
    rule: Rule,
    /// The version that is edited, as it is written.
    version: String,
    /// The entries as they were read, and as they are to be.
    read: BTreeMap<String, String>,
    edited: BTreeMap<String, String>,
    confirmed: bool,
}

impl RedisEditor {
    /// Reads the list; one that is not there is empty.
    ///
    /// # Errors
    /// [`EditError::Unreachable`].
    pub fn open(list: RedisList) -> Result<Self, EditError> {
        let lost = |why| EditError::Unreachable { place: list.to_string(), why };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| lost(error.to_string()))?;
        let reading = runtime.block_on(async { Session::open(&list).await?.read().await });
        let Reading { entries, version, .. } = reading.map_err(lost)?;
        let read: BTreeMap<_, _> = entries.into_iter().collect();
        Ok(Self { list, runtime, rule: rule::none, version, edited: read.clone(), read, confirmed: false })
    }

    /// Refuses edits by a rule of the program's own, too.
    #[must_use]
    pub fn judged_by(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// Writes one entry, if it is right in the list that comes of it.
    fn put(&mut self, id: String, entry: Map<String, Value>) -> Result<(), EditError> {
        let mut edited = self.edited.clone();
        edited.remove(&id);
        // Those that are there stand, so that it is the edited one that is refused.
        let (others, _) = judge(&edited, &InfluencerSet::default(), self.rule);
        edited.insert(id.clone(), Value::Object(entry).to_string());
        let place = edited.range(..id).count();
        edit::right_at(place, judge(&edited, &others, self.rule).1)?;
        self.edited = edited;
        Ok(())
    }

    fn id_of(&self, id_or_address: &str) -> Result<String, EditError> {
        let parsed = parsed(&self.edited);
        let named: Vec<_> = parsed.iter().map(|(id, entry)| (Some(*id), entry)).collect();
        let place = edit::place_of(id_or_address, &named)?;
        parsed
            .get(place)
            .map(|(id, _)| (*id).to_owned())
            .ok_or_else(|| EditError::Unknown(id_or_address.to_owned()))
    }

    /// Three for each entry that is to become another one.
    fn changes(&self) -> Vec<String> {
        let before = |id: &str| self.read.get(id).map(String::as_str);
        let ids = self.read.keys().chain(self.edited.keys().filter(|id| before(id).is_none()));
        let change = |id: &String| {
            let (old, new) = (before(id), self.edited.get(id).map(String::as_str));
            let three = [id.as_str(), old.unwrap_or_default(), new.unwrap_or_default()];
            (old != new).then(|| three.map(str::to_owned))
        };
        ids.filter_map(change).flatten().collect()
    }
}

impl ListEditor for RedisEditor {
    fn list(&self) -> Result<(InfluencerSet, Vec<Refusal>), EditError> {
        Ok(judge(&self.edited, &InfluencerSet::default(), self.rule))
    }

    fn add(&mut self, id: &str, address: &str, added_at_ms: u64) -> Result<(), EditError> {
        let new = NewEntry::of(id, address, added_at_ms)?;
        if self.edited.contains_key(id) {
            return Err(edit::id_taken(id, self.edited.range(..id.to_owned()).count(), self.edited.len()));
        }
        let mut entry = Map::new();
        entry.insert("address".to_owned(), new.address.into());
        entry.insert("addedAt".to_owned(), new.added_at_ms.into());
        self.put(new.id.to_string(), entry)?;
        self.confirmed = false;
        Ok(())
    }

    fn set(&mut self, id_or_address: &str, assignments: &[&str]) -> Result<(), EditError> {
        let id = self.id_of(id_or_address)?;
        let assignments = Assignment::all(assignments)?;
        let entry = self.edited.get(&id).and_then(|text| serde_json::from_str(text).ok());
        let mut entry: Map<String, Value> = entry.unwrap_or_default();
        assignments.iter().try_for_each(|assignment| entry::apply(assignment, &mut entry))?;
        self.put(id, entry)
    }

    fn remove(&mut self, id_or_address: &str) -> Result<usize, EditError> {
        let id = self.id_of(id_or_address)?;
        self.edited.remove(&id);
        Ok(self.edited.len())
    }

    fn confirm_empty(&mut self) -> Result<(), EditError> {
        match self.edited.len() {
            0 => {
                self.confirmed = true;
                Ok(())
            }
            left => Err(EditError::NotEmpty(left)),
        }
    }

    fn save(&mut self) -> Result<(), EditError> {
        let keys = vec![self.list.entries_key(), self.list.version_key(), self.list.confirmation_key()];
        let confirmed = if self.confirmed { "1" } else { "0" };
        let mut arguments = vec![self.version.clone(), self.list.channel(), confirmed.to_owned()];
        arguments.extend(self.changes());
        let lost = |why| EditError::Unreachable { place: self.list.to_string(), why };
        let saved = self.runtime.block_on(async {
            let session = Session::open(&self.list).await?;
            let saved = session.run(SAVE, keys, arguments).await;
            saved.map_err(|why| format!("{why} (`influencers list` tells whether it was written)"))
        });
        match saved.map_err(lost)? {
            0 => Err(EditError::ChangedMeanwhile { place: self.list.to_string() }),
            version => {
                (self.version, self.confirmed) = (version.to_string(), false);
                self.read.clone_from(&self.edited);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for RedisEditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisEditor")
            .field("list", &self.list)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

fn judge(
    entries: &BTreeMap<String, String>,
    standing: &InfluencerSet,
    rule: Rule,
) -> (InfluencerSet, Vec<Refusal>) {
    let parsed = parsed(entries);
    InfluencerSet::lenient_keyed(parsed.iter().map(|(id, entry)| (*id, entry)), standing, rule)
}

fn parsed(entries: &BTreeMap<String, String>) -> Vec<(&str, Value)> {
    entries.iter().map(|(id, text)| (id.as_str(), parse(text))).collect()
}
