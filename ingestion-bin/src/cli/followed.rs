//! Whom the configuration and `--follow` name.

use std::time::Duration;

use influencer_registry::{Address, FileSource, Influencer, InfluencerSet, Reload, toml_to_json};
use serde_json::Value;
use signal_domain::{Account, InfluencerId};
use tracing::warn;

use super::exit::Failure;
use crate::config::{Config, InfluencerSource, Origin, Problem, Problems};
use crate::runtime::Followed;
use crate::translate::Interest;

/// A list that is half-written is given this long to become whole.
const SETTLE: Duration = Duration::from_millis(200);

/// The list, and the file to watch when it is one.
pub(super) struct List {
    pub(super) set: InfluencerSet,
    pub(super) file: Option<FileSource>,
    extra: Vec<Address>,
}

impl List {
    /// Reads the list. `follow` is from the command line.
    pub(super) fn read(config: &Config, follow: &[String]) -> Result<Self, Failure> {
        let mut extra = Vec::new();
        for text in follow {
            let address: Address =
                text.parse().map_err(|error| Failure::Usage(format!("--follow {text}: {error}")))?;
            extra.push(address);
        }
        let (set, file) = match &config.influencers.source {
            InfluencerSource::Static(entries) => {
                let entries: Vec<Value> = entries.iter().cloned().map(toml_to_json).collect();
                // Checked when the configuration was read.
                let set = InfluencerSet::strict(&entries)
                    .map_err(|refused| problem("influencers.static", &refused))?;
                (set, None)
            }
            InfluencerSource::File(path) => {
                let mut file = FileSource::new(path, SETTLE, None);
                let Reload { set, refused, problem: trouble, .. } = file.load();
                if let Some(trouble) = trouble {
                    return Err(problem("influencers.file", &trouble));
                }
                for refusal in refused {
                    warn!(%refusal, "an entry of the list is refused, the others are followed");
                }
                (set, Some(file))
            }
        };
        let set = set.with_followed(&extra);
        Ok(Self { set, file, extra })
    }

    /// The set with the command line's accounts in it.
    pub(super) fn with_extra(&self, set: &InfluencerSet) -> InfluencerSet {
        set.with_followed(&self.extra)
    }

    /// Everyone enabled, the most important first.
    pub(super) fn followed(&self, config: &Config) -> Vec<Followed> {
        self.set.enabled_by_priority().iter().map(|influencer| followed(influencer, config)).collect()
    }
}

fn problem(key: &str, why: &dyn std::fmt::Display) -> Failure {
    let lines = why.to_string();
    let problems = lines.lines().map(|line| Problem {
        key: key.to_owned(),
        value: String::new(),
        origin: Origin::Default,
        problem: line.to_owned(),
    });
    Failure::Configuration(Problems(problems.collect()))
}

/// An entry of the list as the service follows it.
pub(super) fn followed(influencer: &Influencer, config: &Config) -> Followed {
    let account = Account::from_bytes(*influencer.address().as_bytes());
    Followed {
        account,
        influencer: InfluencerId::parse(influencer.id().as_str()).unwrap_or_else(|_| account.into()),
        interest: Interest {
            spot: config.streams.spot,
            outcomes: config.streams.outcomes,
            markets: influencer.markets().iter().map(|market| market.as_str().to_owned()).collect(),
        },
        priority: influencer.priority(),
        added_at_ms: influencer.added_at_ms(),
    }
}
