//! The text of a list file: TOML with `[[influencer]]` tables, and perhaps `confirmEmpty = true`.
//!
//! Only the file's own shape is judged here; what is inside an entry is judged by [`crate::InfluencerSet`].

use serde_json::{Map, Value};

use crate::influencer::keys;

/// The name of the tables.
pub(crate) const TABLES: &str = "influencer";

/// The switch that says: this list is meant to be empty. In `camelCase` or `snake_case`.
pub(crate) const CONFIRM_EMPTY: &str = "confirmEmpty";

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ListFile {
    pub(crate) entries: Vec<Value>,
    pub(crate) confirm_empty: bool,
}

/// The file as a whole cannot be read as a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListFileError {
    /// No TOML; the message names line and column.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// A name that does not belong at the top.
    #[error("unknown key {0:?}; influencers are [[influencer]] tables")]
    UnknownKey(String),
    /// `influencer` is no array of tables.
    #[error("influencer must be written as [[influencer]] tables")]
    NotTables,
    /// `confirmEmpty` is neither true nor false.
    #[error("confirmEmpty must be true or false")]
    NotASwitch,
}

impl ListFileError {
    /// The parser quotes the file, so its message is made one line without control characters.
    pub(crate) fn syntax(message: &str) -> Self {
        Self::Syntax(message.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }
}

impl ListFile {
    pub(crate) fn parse(text: &str) -> Result<Self, ListFileError> {
        let syntax = |e: toml::de::Error| ListFileError::syntax(&e.to_string());
        let top: toml::Table = text.parse().map_err(syntax)?;
        let mut file = Self::default();
        for (name, value) in top {
            if name == TABLES {
                let toml::Value::Array(entries) = value else { return Err(ListFileError::NotTables) };
                file.entries = entries.into_iter().map(toml_to_json).collect();
            } else if keys::is_named(CONFIRM_EMPTY, &name) {
                file.confirm_empty |= value.as_bool().ok_or(ListFileError::NotASwitch)?;
            } else {
                return Err(ListFileError::UnknownKey(name));
            }
        }
        Ok(file)
    }
}

/// TOML as JSON, for entries that come out of a configuration. What JSON cannot say becomes text: a date, and `nan`
/// and `inf`, which no field of an entry takes.
#[must_use]
pub fn toml_to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(n) => n.into(),
        toml::Value::Float(n) => {
            serde_json::Number::from_f64(n).map_or_else(|| n.to_string().into(), Value::Number)
        }
        toml::Value::Boolean(b) => b.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(toml_to_json).collect(),
        toml::Value::Table(table) => {
            let fields = table.into_iter().map(|(name, value)| (name, toml_to_json(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_every_type() {
        let file = ListFile::parse(
            "[[influencer]]\nid = 'a'\nstart = 2026-01-02T03:04:05Z\nx = nan\n\
             [influencer.backoff]\njitter = 0.5\n[[influencer]]\nmarkets = ['ETH-PERP']\n",
        );
        let entries = serde_json::json!([
            { "id": "a", "start": "2026-01-02T03:04:05Z", "x": "NaN", "backoff": { "jitter": 0.5 } },
            { "markets": ["ETH-PERP"] },
        ]);
        assert_eq!(Value::from(file.unwrap().entries), entries);
    }

    #[test]
    fn a_file_of_another_shape_is_no_empty_list() {
        assert!(matches!(ListFile::parse("[[influencer"), Err(ListFileError::Syntax(_))));
        let unknown = ListFileError::UnknownKey("influencers".into());
        assert_eq!(ListFile::parse("[[influencers]]\nid='a'"), Err(unknown));
        assert_eq!(ListFile::parse("[influencer]\nid='a'"), Err(ListFileError::NotTables));
        assert_eq!(ListFile::parse("confirm_empty = 1"), Err(ListFileError::NotASwitch));
        assert!(ListFile::parse("confirm_empty = true").unwrap().confirm_empty);
        assert_eq!(ListFile::parse(""), Ok(ListFile::default()));
    }
}
