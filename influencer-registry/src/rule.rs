//! What a program asks of entries beyond what makes one valid: some refuse fields nobody knows, some cannot carry out every setting.

use serde_json::Value;

/// One field of an entry, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name in `camelCase` where we know it, else as written; `backoff.maxMs` for one inside a table.
    pub name: &'a str,
    /// Whether it is a field of ours.
    pub known: bool,
    /// What it is set to; never `null`, which counts as absent.
    pub value: &'a Value,
}

/// Asked about every field of every entry, wrong ones included: why it is refused, or `None`. A refused field is one more problem
/// of its entry.
pub type Rule = fn(&Field<'_>) -> Option<&'static str>;

/// Every valid entry is welcome.
pub(crate) fn none(_: &Field<'_>) -> Option<&'static str> {
    None
}
