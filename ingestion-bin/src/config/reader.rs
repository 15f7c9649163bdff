//! Typed reads from the tree. Every read names its key, its default and its bounds; problems are collected, never thrown,
//! so that all of them come out at once; a key that nobody read is unknown.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use toml::{Table, Value};

use super::problem::{Origin, Problem, Problems};
use super::secret::{SecretError, SecretSource};
use super::source::Tree;

/// One table of the tree, by its dotted path.
pub(super) struct Section<'a> {
    tree: &'a Tree,
    path: String,
    table: Option<&'a Table>,
    seen: RefCell<BTreeSet<String>>,
    problems: Rc<RefCell<Problems>>,
}

impl<'a> Section<'a> {
    pub(super) fn root(tree: &'a Tree, problems: Rc<RefCell<Problems>>) -> Self {
        Self { tree, path: String::new(), table: Some(&tree.root), seen: RefCell::default(), problems }
    }

    /// The table `name`; absent means all its defaults.
    pub(super) fn section(&self, name: &str) -> Self {
        let table = match self.value(name) {
            Some(Value::Table(table)) => Some(table),
            Some(other) => {
                self.complain(name, &shown(other), "wants a table");
                None
            }
            None => None,
        };
        self.child(name, table)
    }

    /// The tables of the array `name`; `None` when the key is absent.
    pub(super) fn sections(&self, name: &str) -> Option<Vec<Self>> {
        let value = self.value(name)?;
        let Value::Array(items) = value else {
            self.complain(name, &shown(value), "wants an array of tables");
            return Some(Vec::new());
        };
        let tables = items.iter().enumerate().filter_map(|(index, item)| {
            let key = format!("{name}.{index}");
            if let Value::Table(table) = item {
                Some(self.child(&key, Some(table)))
            } else {
                self.complain(&key, &shown(item), "wants a table");
                None
            }
        });
        Some(tables.collect())
    }

    pub(super) fn text(&self, name: &str, default: &str) -> String {
        match self.value(name) {
            None => default.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                self.complain(name, &shown(other), "wants text in quotes");
                default.to_owned()
            }
        }
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        match self.typed(name) {
            None => default,
            Some(Value::Boolean(flag)) => flag,
            Some(other) => {
                self.complain(name, &shown(&other), "wants true or false");
                default
            }
        }
    }

    pub(super) fn signed(&self, name: &str, default: i32) -> i32 {
        let Some(value) = self.typed(name) else { return default };
        value.as_integer().and_then(|number| number.try_into().ok()).unwrap_or_else(|| {
            let wants = format!("wants a whole number from {} to {}", i32::MIN, i32::MAX);
            self.complain(name, &shown(&value), &wants);
            default
        })
    }

    pub(super) fn number(&self, name: &str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        match self.typed(name) {
            None => default,
            Some(Value::Integer(number)) if u64::try_from(number).is_ok_and(|n| bounds.contains(&n)) => {
                u64::try_from(number).unwrap_or(default)
            }
            Some(other) => {
                let wants = format!("wants a whole number from {} to {}", bounds.start(), bounds.end());
                self.complain(name, &shown(&other), &wants);
                default
            }
        }
    }

    /// A key of a part that this build does not have: nothing reads it, so it may only be left at its default.
    pub(super) fn not_built(&self, name: &str, default: impl Into<Value>, why: &str) {
        let default = default.into();
        let given = if default.is_str() { self.value(name).cloned() } else { self.typed(name) };
        if let Some(given) = given.filter(|given| *given != default) {
            // A table may hold passwords, and what stands where a reference should may be the secret itself.
            let hidden = given.is_table() || name.ends_with("_from");
            let value = if hidden { String::new() } else { shown(&given) };
            self.complain(name, &value, why);
        }
    }

    pub(super) fn fraction(&self, name: &str, default: f64) -> f64 {
        let value = match self.typed(name) {
            None => return default,
            Some(Value::Float(value)) => value,
            Some(Value::Integer(0)) => 0.0,
            Some(Value::Integer(1)) => 1.0,
            Some(other) => {
                self.complain(name, &shown(&other), "wants a number from 0 to 1");
                return default;
            }
        };
        if (0.0..=1.0).contains(&value) {
            return value;
        }
        self.complain(name, &value.to_string(), "wants a number from 0 to 1");
        default
    }

    pub(super) fn millis(&self, name: &str, default: u64, bounds: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.number(name, default, bounds))
    }

    pub(super) fn seconds(&self, name: &str, default: u64, bounds: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, default, bounds))
    }

    /// One of the names in `choices`.
    pub(super) fn choice<T: Copy>(&self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(value) = self.value(name) else { return default };
        let found = value.as_str().and_then(|text| choices.iter().find(|(choice, _)| *choice == text));
        found.map_or_else(
            || {
                let names: Vec<String> = choices.iter().map(|(choice, _)| format!("{choice:?}")).collect();
                self.complain(name, &shown(value), &format!("wants one of {}", names.join(", ")));
                default
            },
            |(_, choice)| *choice,
        )
    }

    pub(super) fn texts(&self, name: &str, default: &[&str]) -> Vec<String> {
        match self.typed(name) {
            None => default.iter().map(|text| (*text).to_owned()).collect(),
            Some(Value::Array(items)) if items.iter().all(Value::is_str) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(other) => {
                self.complain(name, &shown(&other), "wants an array of texts");
                Vec::new()
            }
        }
    }

    /// The value as it is, for parts that another crate reads.
    /// A value as it is; text from the environment or the command line inside it is read as TOML first, but for the keys in `texts`.
    pub(super) fn raw(&self, name: &str, texts: &[&str]) -> Option<Value> {
        self.value(name).map(|value| self.typed_within(&self.key(name), value, texts))
    }

    fn typed_within(&self, key: &str, value: &Value, texts: &[&str]) -> Value {
        let is_text = key.rsplit_once('.').is_some_and(|(_, last)| texts.contains(&last));
        match value {
            Value::Table(table) => {
                let typed = |(name, value): (&String, &Value)| {
                    (name.clone(), self.typed_within(&format!("{key}.{name}"), value, texts))
                };
                Value::Table(table.iter().map(typed).collect())
            }
            Value::Array(items) => {
                let typed = |(place, value): (usize, &Value)| {
                    self.typed_within(&format!("{key}.{place}"), value, texts)
                };
                Value::Array(items.iter().enumerate().map(typed).collect())
            }
            Value::String(_) if is_text => value.clone(),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => self.as_typed(key, value),
        }
    }

    /// Text turned into something by `parse`; its error is the problem.
    pub(super) fn parsed<T, E: Display>(
        &self,
        name: &str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name, default);
        parse(&text).map_err(|error| self.complain(name, &format!("{text:?}"), &error.to_string())).ok()
    }

    /// A reference to a secret; what was written is not shown, in case it is the secret itself.
    pub(super) fn secret(&self, name: &str) -> Option<SecretSource> {
        let text = self.text(name, "");
        if text.is_empty() {
            return None;
        }
        text.parse().map_err(|error: SecretError| self.complain(name, "", &error.to_string())).ok()
    }

    /// The section that `name` would be if it were there and empty.
    pub(super) fn absent(&self, name: &str) -> Self {
        self.child(name, None)
    }

    pub(super) fn complain(&self, name: &str, value: &str, problem: &str) {
        let key = self.key(name);
        let origin = if self.has(name) { self.tree.places.of(&key) } else { Origin::Default };
        let value = if may_hold_a_password(value) { "" } else { value };
        let value = if value.chars().count() > 80 {
            value.chars().take(77).chain("...".chars()).collect()
        } else {
            value.to_owned()
        };
        self.problems.borrow_mut().0.push(Problem { key, value, origin, problem: problem.to_owned() });
    }

    pub(super) fn has(&self, name: &str) -> bool {
        name.split('.').next().is_some_and(|first| self.table.is_some_and(|table| table.contains_key(first)))
    }

    /// Ends the section: what is left was not asked for by anyone.
    pub(super) fn done(self) {
        for (name, value) in self.table.into_iter().flatten() {
            if !self.seen.borrow().contains(name) {
                self.unknown(name, value);
            }
        }
    }

    /// Names an unknown key; where something inside it comes from elsewhere, each key inside. Text is not shown: under a mistyped
    /// name it may be a secret.
    fn unknown(&self, name: &str, value: &Value) {
        let key = self.key(name);
        if self.tree.places.is_overridden_within(&key) {
            match value {
                Value::Table(table) => {
                    table.iter().for_each(|(inner, value)| self.unknown(&format!("{name}.{inner}"), value));
                }
                Value::Array(items) => {
                    let items = items.iter().enumerate();
                    items.for_each(|(index, value)| self.unknown(&format!("{name}.{index}"), value));
                }
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_) => {}
            }
            return;
        }
        let value = match self.as_typed(&key, value) {
            Value::String(_) | Value::Table(_) | Value::Array(_) => String::new(),
            plain @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_)) => {
                shown(&plain)
            }
        };
        self.complain(name, &value, "unknown key");
    }

    fn child(&self, name: &str, table: Option<&'a Table>) -> Self {
        Self {
            tree: self.tree,
            path: self.key(name),
            table,
            seen: RefCell::default(),
            problems: Rc::clone(&self.problems),
        }
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.seen.borrow_mut().insert(name.to_owned());
        self.table?.get(name)
    }

    /// A value that is no text: text from the environment or the command line is read as TOML first.
    fn typed(&self, name: &str) -> Option<Value> {
        self.value(name).map(|value| self.as_typed(&self.key(name), value))
    }

    fn as_typed(&self, key: &str, value: &Value) -> Value {
        if let Value::String(text) = value
            && self.tree.places.is_overridden(key)
        {
            let parsed =
                format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
            return parsed.unwrap_or_else(|| value.clone());
        }
        value.clone()
    }
}

/// A login in a URL: an `@` behind something that can be the end of one.
pub(super) fn may_hold_a_password(text: &str) -> bool {
    let before = text.match_indices('@').filter_map(|(at, _)| text.get(..at)?.chars().next_back());
    before.into_iter().any(|before| !before.is_whitespace() && !matches!(before, '"' | '\''))
}

fn shown(value: &Value) -> String {
    value.to_string().replace('\n', " ")
}
