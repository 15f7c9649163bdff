//! `KEY=VALUE` from a command line, typed by the table of fields.

use toml_edit::{Array, InlineTable, Item, Table, TableLike, Value};

use super::BadAssignment;
use crate::influencer::keys::{self, FIELDS, Kind};

/// One field to set, or to take away.
#[derive(Debug)]
pub(super) struct Assignment {
    text: String,
    /// Names in `camelCase`: the field, or a table and the field in it.
    path: Vec<&'static str>,
    value: Option<Value>,
}

impl Assignment {
    pub(super) fn parse(text: &str) -> Result<Self, BadAssignment> {
        let refuse = |reason: String| BadAssignment { text: text.to_owned(), reason };
        let (key, value) = text.split_once('=').ok_or_else(|| refuse("expected KEY=VALUE".into()))?;
        let (path, kind) = resolve(key).ok_or_else(|| refuse(format!("known keys are {}", known_keys())))?;
        if matches!(path.as_slice(), ["id" | "address"]) {
            return Err(refuse("it is the identity: remove the influencer and add another".into()));
        }
        let value = match value.trim() {
            "" => None,
            value => Some(typed(kind, value).map_err(|expected| refuse(format!("expected {expected}")))?),
        };
        Ok(Self { text: text.to_owned(), path, value })
    }

    /// Writes the field under the spelling it already has there.
    pub(super) fn apply(&self, table: &mut Table) -> Result<(), BadAssignment> {
        let not_a_table =
            || BadAssignment { text: self.text.clone(), reason: "that is no table in the file".into() };
        match self.path.as_slice() {
            [outer, field] => {
                let outer = spelled(table, outer);
                if self.value.is_none() && !table.contains_key(&outer) {
                    return Ok(());
                }
                let inner = table
                    .entry(&outer)
                    .or_insert_with(|| toml_edit::value(InlineTable::new()))
                    .as_table_like_mut()
                    .ok_or_else(not_a_table)?;
                self.put(inner, field);
                if inner.is_empty() {
                    table.remove(&outer);
                }
            }
            [field] => self.put(table, field),
            _ => {}
        }
        Ok(())
    }

    fn put(&self, table: &mut dyn TableLike, field: &str) {
        let name = spelled(table, field);
        match (&self.value, table.get_mut(&name).and_then(Item::as_value_mut)) {
            (None, _) => {
                table.remove(&name);
            }
            (Some(value), Some(old)) => {
                // The comment behind the old value stays.
                let decor = old.decor().clone();
                *old = value.clone();
                *old.decor_mut() = decor;
            }
            (Some(value), None) => {
                table.insert(&name, Item::Value(value.clone()));
            }
        }
    }
}

fn resolve(key: &str) -> Option<(Vec<&'static str>, Kind)> {
    let find = |fields: &'static [(&'static str, Kind)], name: &str| {
        fields.iter().find(|(camel, _)| keys::is_named(camel, name)).copied()
    };
    match key.trim().split_once('.') {
        None => match find(FIELDS, key.trim())? {
            (_, Kind::Table(_)) => None,
            (camel, kind) => Some((vec![camel], kind)),
        },
        Some((outer, inner)) => match find(FIELDS, outer)? {
            (outer, Kind::Table(fields)) => {
                let (inner, kind) = find(fields, inner)?;
                Some((vec![outer, inner], kind))
            }
            _ => None,
        },
    }
}

fn known_keys() -> String {
    let mut names = Vec::new();
    for (name, kind) in FIELDS.iter().filter(|(name, _)| !matches!(*name, "id" | "address")) {
        match kind {
            Kind::Table(inner) => names.extend(inner.iter().map(|(field, _)| format!("{name}.{field}"))),
            Kind::Text | Kind::Whole | Kind::Fraction | Kind::Switch | Kind::Names => {
                names.push((*name).to_owned());
            }
        }
    }
    names.join(", ")
}

fn spelled(table: &dyn TableLike, camel: &str) -> String {
    let snake = keys::snake(camel);
    if table.contains_key(&snake) { snake } else { camel.to_owned() }
}

fn typed(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Text => Ok(text.into()),
        Kind::Whole => text.parse::<i64>().map(Value::from).map_err(|_| "a whole number"),
        Kind::Fraction => text.parse::<f64>().map(Value::from).map_err(|_| "a number"),
        Kind::Switch => text.parse::<bool>().map(Value::from).map_err(|_| "true or false"),
        Kind::Names if text.starts_with('[') => {
            names_in_toml(text).ok_or("names joined by commas, or [\"A\", \"B\"]")
        }
        Kind::Names => {
            Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect::<Array>().into())
        }
        Kind::Table(_) => Err("a field of the table, as in backoff.maxMs=5000"),
    }
}

/// A list as the file would write it.
fn names_in_toml(text: &str) -> Option<Value> {
    let value: Value = text.parse().ok()?;
    let names: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
    Some(names?.into_iter().collect::<Array>().into())
}
