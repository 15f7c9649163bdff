//! Puts file, environment and command line together into one tree of values that remembers where each was written.
//!
//! Later wins: file, then `INGESTION__A__B=…`, then `--set a.b=…`. Text from the last two is kept as text until a reader
//! says which type it wants, so that `--set telemetry.service_name=123` is a name and `--set workers=2` a number.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::problem::{Origin, Problem, Problems};
use super::reader::may_hold_a_password;

const PREFIX: &str = "INGESTION__";

/// What a configuration is read from. Nothing here touches the world: the caller has read it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file's path and text, when there is one.
    pub file: Option<(PathBuf, String)>,
    /// Environment variables; those without our prefix are ignored.
    pub environment: Vec<(String, String)>,
    /// `KEY=VALUE` of the command line, in order.
    pub sets: Vec<(String, String)>,
}

/// Where values were written.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Keys that were overridden by text, with where that was.
    overrides: BTreeMap<String, Origin>,
    file: Option<PathBuf>,
}

/// The merged tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Table,
    pub(super) places: Places,
}

impl Tree {
    /// The tree, and overrides that fit nowhere. Fails where the file is no TOML: then nothing else can be said.
    pub(super) fn build(sources: &Sources) -> Result<(Self, Problems), Problems> {
        let mut problems = Problems::default();
        let root = match &sources.file {
            None => Table::new(),
            Some((path, text)) => match text.parse::<Table>() {
                Ok(root) => root,
                Err(error) => return Err(Problems(vec![syntax(path, text, &error)])),
            },
        };
        let file = sources.file.as_ref().map(|(path, _)| path.clone());
        let mut tree = Self { root, places: Places { overrides: BTreeMap::new(), file } };
        for (name, value) in &sources.environment {
            if let Some(rest) = name.strip_prefix(PREFIX) {
                let key = rest.to_ascii_lowercase().replace("__", ".");
                tree.set(&key, value, Origin::Environment(name.clone()), &mut problems);
            }
        }
        for (key, value) in &sources.sets {
            tree.set(key, value, Origin::CommandLine, &mut problems);
        }
        Ok((tree, problems))
    }

    fn set(&mut self, key: &str, text: &str, origin: Origin, problems: &mut Problems) {
        let parts: Vec<&str> = key.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) || !insert(&mut self.root, &parts, text) {
            problems.0.push(Problem {
                key: key.to_owned(),
                value: if may_hold_a_password(text) { String::new() } else { text.to_owned() },
                origin,
                problem: "no such place: a key is names and indexes joined by dots, indexes without holes"
                    .to_owned(),
            });
            return;
        }
        self.places.overrides.insert(key.to_owned(), origin);
    }
}

impl Places {
    /// Where the value of `key` was written, given that it is there.
    #[must_use]
    pub fn of(&self, key: &str) -> Origin {
        let mut path = key;
        loop {
            if let Some(origin) = self.overrides.get(path) {
                return origin.clone();
            }
            match path.rfind('.') {
                Some(dot) => path = path.get(..dot).unwrap_or_default(),
                None => return self.file.clone().map_or(Origin::Default, Origin::File),
            }
        }
    }

    /// Whether `key` itself was overridden by text.
    pub(super) fn is_overridden(&self, key: &str) -> bool {
        self.overrides.contains_key(key)
    }

    /// Whether something inside the table or array `key` was.
    pub(super) fn is_overridden_within(&self, key: &str) -> bool {
        let inside = |other: &String| other.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        self.overrides.keys().any(inside)
    }
}

/// Where it is no TOML; the line itself is not quoted, it may hold a secret.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Problem {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map_or_else(String::new, |before| {
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!(" at line {}, column {column}", before.matches('\n').count() + 1)
    });
    Problem {
        key: "(file)".to_owned(),
        value: String::new(),
        origin: Origin::File(path.to_owned()),
        problem: format!("no TOML{place}: {}", error.message().trim().replace('\n', " ")),
    }
}

/// Puts `text` at `parts`, making tables and arrays on the way. False when a step does not fit what is there.
fn insert(table: &mut Table, parts: &[&str], text: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    if rest.is_empty() {
        table.insert((*first).to_owned(), Value::String(text.to_owned()));
        return true;
    }
    let array_next = rest.first().is_some_and(|next| next.parse::<usize>().is_ok());
    let empty = if array_next { Value::Array(Vec::new()) } else { Value::Table(Table::new()) };
    into(table.entry((*first).to_owned()).or_insert(empty), rest, text)
}

fn into(value: &mut Value, rest: &[&str], text: &str) -> bool {
    if let Value::Table(table) = value {
        return insert(table, rest, text);
    }
    let (Value::Array(items), Some((index, rest))) = (value, rest.split_first()) else { return false };
    let Ok(index) = index.parse::<usize>() else { return false };
    if index > items.len() {
        return false;
    }
    if index == items.len() {
        items.push(if rest.is_empty() { Value::String(String::new()) } else { Value::Table(Table::new()) });
    }
    match items.get_mut(index) {
        Some(item) if rest.is_empty() => {
            *item = Value::String(text.to_owned());
            true
        }
        Some(item) => into(item, rest, text),
        None => false,
    }
}
