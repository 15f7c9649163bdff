//! Why an entry was refused: which entry, which field, which value, and the rule it broke.
//!
//! Values come from files and databases, so they are shown as JSON text (control characters escaped) and cut
//! after [`VALUE_CHARS_MAX`] characters. Field names of strangers are treated the same way.

use std::fmt;

use serde_json::Value;

use crate::{AddressError, address::Address, id::BadId, market::BadMarket, time::BadTime};

/// The most characters of a refused value that are shown.
pub const VALUE_CHARS_MAX: usize = 80;

/// One entry that was not taken, with everything wrong about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{entry}: {}{}", join(.problems), if *.kept { " (its last good version stays live)" } else { "" })]
pub struct Refusal {
    /// Which entry.
    pub entry: EntryName,
    /// Everything wrong about it, at least one problem.
    pub problems: Vec<Problem>,
    /// Whether an earlier, good version of the same influencer stays live in its place.
    pub kept: bool,
}

/// Every refused entry of a list that had to be right as a whole; at least one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RefusedList(pub Vec<Refusal>);

/// How an entry is named in messages: by its place in the list, and by its id or address where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    /// Place in the list, from 1.
    pub number: usize,
    /// The id, or else the address, as written (shown escaped and cut).
    pub text: Option<String>,
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "influencer {}", self.number)?;
        self.text.as_ref().map_or(Ok(()), |text| write!(f, " ({})", shown(&Value::from(text.as_str()))))
    }
}

/// One rule broken by one field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field} = {value}: {reason}")]
pub struct Problem {
    /// The field as it was written, `backoff.maxMs` for one inside a table; escaped and cut.
    pub field: String,
    /// The value as JSON text, cut after [`VALUE_CHARS_MAX`] characters.
    pub value: String,
    /// The rule.
    pub reason: Reason,
}

impl Problem {
    pub(crate) fn new(field: &str, value: &Value, reason: Reason) -> Self {
        let quoted = shown(&Value::from(field));
        let field = quoted.trim_matches('"').to_owned();
        Self { field, value: shown(value), reason }
    }
}

/// The rules an entry can break.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The entry is no table of fields.
    #[error("an influencer is a table of fields")]
    NotATable,
    /// The field is required.
    #[error("missing")]
    Missing,
    /// The value is of another type.
    #[error("expected {expected}")]
    WrongType {
        /// What is expected.
        expected: &'static str,
    },
    /// The value is outside its range.
    #[error("allowed is {allowed}")]
    OutOfRange {
        /// The range, in words.
        allowed: &'static str,
    },
    /// Not an id.
    #[error(transparent)]
    Id(#[from] BadId),
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Not a market name.
    #[error(transparent)]
    Market(#[from] BadMarket),
    /// Not a point in time.
    #[error(transparent)]
    Time(#[from] BadTime),
    /// The field is there in both spellings, `camelCase` and `snake_case`.
    #[error("given twice, also as {other}")]
    GivenTwice {
        /// The other spelling.
        other: String,
    },
    /// The id is the address of another account, which nobody could tell apart.
    #[error("the id is an address, but not that of this account, {address}")]
    ForeignAddress {
        /// The address of the entry.
        address: Address,
    },
    /// The id inside the entry is not the key the entry is stored under.
    #[error("the entry is stored under the id {key}")]
    OtherKey {
        /// The key.
        key: String,
    },
    /// The program that reads the list refuses the field, by a rule of its own ([`crate::Rule`]).
    #[error("{0}")]
    Refused(&'static str),
    /// Another entry has this id.
    #[error("{first} has the same id")]
    DuplicateId {
        /// The entry that stands.
        first: EntryName,
    },
    /// Another entry has this address, perhaps in other case.
    #[error("{first} has the same address")]
    DuplicateAddress {
        /// The entry that stands.
        first: EntryName,
    },
}

/// A value as one line of JSON text, cut to [`VALUE_CHARS_MAX`] characters; C1 controls escaped too.
pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        // A long text is cut before it is copied.
        Value::String(text) => {
            Value::String(text.chars().take(VALUE_CHARS_MAX + 1).collect::<String>()).to_string()
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n >= VALUE_CHARS_MAX {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
