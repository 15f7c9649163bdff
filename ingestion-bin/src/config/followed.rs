//! `[influencers]`: whom to follow.

use std::path::PathBuf;
use std::time::Duration;

use influencer_registry::{Field, InfluencerSet, RefusedList, toml_to_json};
use toml::Value;

use super::reader::Section;
#[cfg(feature = "redis")]
use super::redis::{self, RedisServer};

#[cfg(not(feature = "redis"))]
pub(super) const NO_REDIS: &str = "this build has no Redis (feature \"redis\")";

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
    /// In a Redis, as a hash below `prefix`; reloaded when a notice tells of a change.
    #[cfg(feature = "redis")]
    Redis {
        /// Which one.
        server: RedisServer,
        /// What its keys begin with.
        prefix: String,
    },
}

pub(super) fn influencers(root: &Section<'_>) -> Influencers {
    let section = root.section("influencers");
    let kind = section.choice("source", 0, &[("static", 0), ("file", 1), ("redis", 2)]);
    let entries = match section.raw("static", &["id", "address", "label"]) {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(other) => {
            section.complain("static", &other.to_string(), "wants an array of tables");
            Vec::new()
        }
    };
    let json: Vec<serde_json::Value> = entries.into_iter().map(toml_to_json).collect();
    let (listed, refused) = InfluencerSet::lenient_by(&json, &InfluencerSet::default(), known);
    // The entry is named in the text; the whole list would not fit beside it.
    for line in if refused.is_empty() { String::new() } else { RefusedList(refused).to_string() }.lines() {
        section.complain("static", "", line);
    }
    let file = section.text("file", "");
    let in_redis = in_redis(&section);
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
            #[cfg(not(feature = "redis"))]
            section.complain("source", "\"redis\"", NO_REDIS);
            in_redis
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

/// The list in a Redis, should that be its place.
#[cfg(feature = "redis")]
fn in_redis(section: &Section<'_>) -> InfluencerSource {
    let prefix = section.text("prefix", "ingestion");
    if prefix.is_empty() || prefix.chars().any(|c| c.is_control() || c.is_whitespace()) {
        section.complain("prefix", &format!("{prefix:?}"), "wants a text without spaces");
    }
    InfluencerSource::Redis { server: redis::server(section), prefix }
}

#[cfg(not(feature = "redis"))]
fn in_redis(section: &Section<'_>) -> InfluencerSource {
    section.not_built("prefix", "ingestion", NO_REDIS);
    not_built(section, NO_REDIS);
    InfluencerSource::Static(InfluencerSet::default())
}

/// Where a Redis is that nothing asks.
#[cfg(not(feature = "redis"))]
pub(super) fn not_built(section: &Section<'_>, why: &str) {
    section.not_built("redis_url", "redis://127.0.0.1:6379", why);
    section.not_built("redis_url_from", "", why);
    section.not_built("redis_ca_file", "", why);
}

/// In a configuration an unknown key is an error; a list in a file keeps it.
fn known(field: &Field<'_>) -> Option<&'static str> {
    (!field.known).then_some("unknown key")
}
