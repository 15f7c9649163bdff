//! The rules a catalogue keeps, so that names can be relied on.

use std::collections::HashSet;

use super::{Family, Kind};

/// Every rule a catalogue breaks.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .0.iter().map(|(name, bad)| format!("{name}: {bad}")).collect::<Vec<_>>().join("; "))]
pub struct BadCatalogue(pub Vec<(&'static str, BadFamily)>);

/// The rules of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadFamily {
    /// Names are `ingestion_` and lower-case words.
    #[error("a name is ingestion_ and lower-case words")]
    Name,
    /// The name does not end as its kind and unit ask.
    #[error("the name must end as its unit asks, and a counter's in _total")]
    Suffix,
    /// Two families of one name.
    #[error("declared twice")]
    Twice,
    /// No help, or one of several lines.
    #[error("the help is one line")]
    Help,
    /// A label that is no lower-case word, is reserved (`le`, `overflow`) or there twice.
    #[error("labels are lower-case words, each once, and neither le nor overflow")]
    Label,
    /// Bounds are missing, not ascending, or not finite.
    #[error("the bounds of a histogram are finite and ascending")]
    Bounds,
    /// Room for no series at all.
    #[error("there must be room for a series")]
    Room,
}

pub(super) fn check(families: &[Family]) -> Result<(), BadCatalogue> {
    let mut names = HashSet::new();
    let mut bad = Vec::new();
    for family in families {
        let rules = [
            (BadFamily::Name, family.name.starts_with("ingestion_") && is_words(family.name)),
            (BadFamily::Suffix, suffix_fits(family)),
            (BadFamily::Twice, names.insert(family.name)),
            (BadFamily::Help, !family.help.is_empty() && !family.help.contains('\n')),
            (BadFamily::Label, labels_fit(family.labels)),
            (BadFamily::Bounds, bounds_fit(family.kind)),
            (BadFamily::Room, family.series_max > 0),
        ];
        bad.extend(rules.into_iter().filter(|(_, kept)| !kept).map(|(rule, _)| (family.name, rule)));
    }
    if bad.is_empty() { Ok(()) } else { Err(BadCatalogue(bad)) }
}

fn is_words(text: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.split('_').all(word) && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn suffix_fits(family: &Family) -> bool {
    let (total, rest) = match family.name.strip_suffix("_total") {
        Some(rest) => (true, rest),
        None => (false, family.name),
    };
    total == matches!(family.kind, Kind::Counter) && rest.ends_with(family.unit.suffix())
}

fn labels_fit(labels: &[&str]) -> bool {
    let mut seen = HashSet::new();
    labels.iter().all(|label| is_words(label) && !["le", "overflow"].contains(label) && seen.insert(*label))
}

fn bounds_fit(kind: Kind) -> bool {
    match kind {
        Kind::Counter | Kind::Gauge => true,
        Kind::Histogram(bounds) => {
            !bounds.is_empty()
                && bounds.iter().all(|bound| bound.is_finite())
                && bounds.is_sorted_by(|low, high| low < high)
        }
    }
}
