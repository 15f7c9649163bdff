//! `[influencers]` and `[state]`: whom to follow, and where shared state is kept.

use std::path::PathBuf;
use std::time::Duration;

use influencer_registry::{Field, InfluencerSet, RefusedList, toml_to_json};
use toml::Value;

use super::reader::Section;

/// Where the followed accounts are named, and how the list is refreshed.
#[derive(Clone, Debug)]
pub struct Influencers {
    /// The list's place.
    pub source: InfluencerSource,
    /// Between full compares.
    pub refresh: Duration,
    /// A removed account stays subscribed for this long.
    pub removal_grace: Duration,
}

/// The list's place.
#[derive(Clone, Debug)]
pub enum InfluencerSource {
    /// In the configuration: the entries of `influencers.static`.
    Static(InfluencerSet),
    /// In a TOML file with `[[influencer]]` tables, reloaded when it changes.
    File(PathBuf),
}

/// Where the state is kept besides the journal. Only the journal, in this build.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SharedState {
    /// In the journal.
    Journal,
}

pub(super) fn influencers(root: &Section<'_>) -> Influencers {
    let section = root.section("influencers");
    let kind = section.choice("source", 0, &[("static", 0), ("file", 1), ("redis", 2)]);
    let entries = match section.raw("static") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(other) => {
            section.complain("static", &other.to_string(), "wants an array of tables");
            Vec::new()
        }
    };
    let json: Vec<serde_json::Value> = entries.into_iter().map(toml_to_json).collect();
    let (listed, refused) =
        InfluencerSet::lenient_by(&json, &InfluencerSet::default(), known_and_carried_out);
    // The entry is named in the text; the whole list would not fit beside it.
    for line in if refused.is_empty() { String::new() } else { RefusedList(refused).to_string() }.lines() {
        section.complain("static", "", line);
    }
    let file = section.text("file", "");
    for name in ["redis_url_from", "redis_url", "prefix", "redis_ca_file"] {
        let _for_redis = section.text(name, "");
    }
    let source = match kind {
        1 => {
            if file.is_empty() {
                section.complain("file", "\"\"", "wants the path of the list, because source = \"file\"");
                InfluencerSource::Static(InfluencerSet::default())
            } else {
                InfluencerSource::File(PathBuf::from(file))
            }
        }
        2 => {
            section.complain("source", "\"redis\"", "this build has no Redis (feature \"redis\")");
            InfluencerSource::Static(InfluencerSet::default())
        }
        _ => InfluencerSource::Static(listed),
    };
    let influencers = Influencers {
        source,
        refresh: section.seconds("refresh_s", 30, 1..=3600),
        removal_grace: section.seconds("removal_grace_s", 60, 0..=3600),
    };
    section.done();
    influencers
}

pub(super) fn state(root: &Section<'_>) -> SharedState {
    let section = root.section("state");
    if section.choice("store", false, &[("journal", false), ("redis", true)]) {
        section.complain("store", "\"redis\"", "this build has no Redis (feature \"redis\")");
    }
    for name in ["redis_url_from", "redis_url", "redis_ca_file"] {
        let _for_redis = section.text(name, "");
    }
    let _for_redis = section.number("lease_s", 15, 1..=3600);
    section.done();
    SharedState::Journal
}

/// Why a setting of an influencer is refused that this build carries out for nobody: there is none.
#[must_use]
pub const fn not_carried_out(_setting: &Field<'_>) -> Option<&'static str> {
    None
}

/// In a configuration an unknown key is an error; a list in a file keeps it.
fn known_and_carried_out(field: &Field<'_>) -> Option<&'static str> {
    if field.known { not_carried_out(field) } else { Some("unknown key") }
}
