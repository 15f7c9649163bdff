//! What stands in a Redis at one moment: the raw entries, the version, and whether emptiness is confirmed.
//!
//! The version is read before the entries, so what is read is never older than it says.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
};

use fred::types::Map;
use serde_json::Value;

use crate::FILE_BYTES_MAX;

/// The most entries that are read.
pub const ENTRIES_MAX: u64 = 1_000_000;

/// A version beyond this is none: Lua counts in floats.
const VERSION_MAX: u64 = (1 << 53) - 1;

#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Reading {
    /// By id, in its order; bytes that are no text are replaced, which no id and no entry survives unnoticed.
    pub(super) entries: Vec<(String, String)>,
    /// As it stands there; nothing where there is none.
    pub(super) version: String,
    /// The version whose emptiness is meant.
    pub(super) confirmed: String,
}

impl Reading {
    pub(super) fn new(
        entries: &Map,
        version: Option<String>,
        confirmed: Option<String>,
    ) -> Result<Self, String> {
        let text = |value: &fred::types::Value| value.as_str_lossy().map(Cow::into_owned).unwrap_or_default();
        let mut entries: Vec<(String, String)> =
            entries.iter().map(|(key, value)| (key.as_str_lossy().into_owned(), text(value))).collect();
        let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes as u64 > FILE_BYTES_MAX {
            return Err(format!("the list is larger than {FILE_BYTES_MAX} bytes"));
        }
        // As if it were a list: of two entries with one address the first one by id stands.
        entries.sort_unstable();
        Ok(Self { entries, version: version.unwrap_or_default(), confirmed: confirmed.unwrap_or_default() })
    }

    /// What is no version counts as the lowest.
    pub(super) fn version(&self) -> u64 {
        self.version.parse().ok().filter(|version| *version <= VERSION_MAX).unwrap_or(0)
    }

    pub(super) fn is_confirmed(&self) -> bool {
        !self.confirmed.is_empty() && self.confirmed == self.version
    }

    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn parsed(&self) -> Vec<(&str, Value)> {
        self.entries.iter().map(|(key, text)| (key.as_str(), parse(text))).collect()
    }
}

/// An entry as JSON; what is none is a text, which is no entry.
pub(super) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
