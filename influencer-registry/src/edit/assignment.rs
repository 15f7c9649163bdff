//! `KEY=VALUE` from a command line, typed by the table of fields. Writing it down is the business of whoever keeps the list.

use serde_json::{Number, Value};

use super::{BadAssignment, EditError};
use crate::influencer::keys::{self, FIELDS, Kind};

/// One field to set, or to take away.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) text: String,
    /// Names in `camelCase`: the field, or a table and the field in it.
    pub(crate) path: Vec<&'static str>,
    /// `None` takes the field away.
    pub(crate) value: Option<Value>,
}

impl Assignment {
    /// All of them, or all that are none.
    pub(crate) fn all(texts: &[&str]) -> Result<Vec<Self>, EditError> {
        let (mut parsed, mut bad) = (Vec::new(), Vec::new());
        for text in texts {
            match Self::parse(text) {
                Ok(assignment) => parsed.push(assignment),
                Err(wrong) => bad.push(wrong),
            }
        }
        if bad.is_empty() { Ok(parsed) } else { Err(EditError::Assignments(bad)) }
    }

    /// That there is no such table to put the field into.
    pub(crate) fn no_table(&self) -> EditError {
        EditError::Assignments(vec![BadAssignment {
            text: self.text.clone(),
            reason: "that is no table in the list".into(),
        }])
    }

    fn parse(text: &str) -> Result<Self, BadAssignment> {
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

fn typed(kind: Kind, text: &str) -> Result<Value, &'static str> {
    match kind {
        Kind::Text => Ok(text.into()),
        Kind::Whole => text.parse::<i64>().map(Value::from).map_err(|_| "a whole number"),
        Kind::Fraction => text.parse().ok().and_then(Number::from_f64).map(Value::Number).ok_or("a number"),
        Kind::Switch => text.parse::<bool>().map(Value::from).map_err(|_| "true or false"),
        Kind::Names if text.starts_with('[') => {
            names_in_toml(text).ok_or("names joined by commas, or [\"A\", \"B\"]")
        }
        Kind::Names => Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()),
        Kind::Table(_) => Err("a field of the table, as in backoff.maxMs=5000"),
    }
}

/// A list as a file would write it.
fn names_in_toml(text: &str) -> Option<Value> {
    let value: toml_edit::Value = text.parse().ok()?;
    value.as_array()?.iter().map(toml_edit::Value::as_str).collect()
}
