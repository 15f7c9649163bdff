//! The fields of an entry by name: one table for reading, for editing from a command line, and for its help.

/// The most characters of a label.
pub const LABEL_CHARS_MAX: usize = 128;

/// The most markets of one influencer.
pub const MARKETS_MAX: usize = 1_000;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Fraction,
    Switch,
    Names,
    Table(&'static [(&'static str, Self)]),
}

/// Every field of an entry, in the order they are written.
pub(crate) const FIELDS: &[(&str, Kind)] = &[
    ("id", Kind::Text),
    ("address", Kind::Text),
    ("label", Kind::Text),
    ("priority", Kind::Whole),
    ("enabled", Kind::Switch),
    ("markets", Kind::Names),
    ("maxStreams", Kind::Whole),
    ("orders", Kind::Switch),
    ("backoff", Kind::Table(BACKOFF)),
    ("throttle", Kind::Table(THROTTLE)),
    ("start", Kind::Text),
    ("addedAt", Kind::Text),
];

pub(crate) const BACKOFF: &[(&str, Kind)] =
    &[("initialMs", Kind::Whole), ("maxMs", Kind::Whole), ("jitter", Kind::Fraction)];

pub(crate) const THROTTLE: &[(&str, Kind)] =
    &[("infoShare", Kind::Fraction), ("resubscribesPerMinute", Kind::Whole)];

/// `maxStreams` -> `max_streams`.
pub(crate) fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Whether `name` is this field in either spelling.
pub(crate) fn is_named(camel: &str, name: &str) -> bool {
    name == camel || name == snake(camel)
}
