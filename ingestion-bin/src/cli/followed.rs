//! Whom the configuration and `--follow` name.

use std::time::Duration;

use influencer_registry::{Address, FileSource, Influencer, InfluencerSet, Refusal};
use signal_domain::{Account, InfluencerId};

use crate::config::{Config, InfluencerSource, Origin, Problem, Problems, not_carried_out};
use crate::runtime::Followed;
use crate::runtime::clock;
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
    /// Reads the list. Entries of a file that are refused are in [`List::refused`]; those of the configuration were told with it.
    ///
    /// # Errors
    ///
    /// When the file as a whole is no list.
    pub(super) fn read(config: &Config) -> Result<Self, Problems> {
        let (set, file) = match &config.influencers.source {
            InfluencerSource::Static(set) => (set.clone(), None),
            InfluencerSource::File(path) => {
                let file = FileSource::new(path, SETTLE, None);
                let mut file = file.refreshed_every(config.influencers.refresh).judged_by(not_carried_out);
                let reload = file.load();
                if let Some(trouble) = reload.problem {
                    let origin = config.places.of("influencers.file");
                    return Err(problems(&trouble, &origin));
                }
                (reload.set, Some(file))
            }
        };
        Ok(Self { set, file, extra: Vec::new() })
    }

    /// Follows these accounts too.
    pub(super) fn follow(&mut self, addresses: Vec<Address>) {
        self.extra.extend(addresses);
        self.set = self.with_extra(&self.set);
    }

    /// Entries of the file that are refused now.
    pub(super) fn refused(&self) -> &[Refusal] {
        self.file.as_ref().map_or(&[], FileSource::refused)
    }

    /// The same, as problems of the configuration; their place is the list.
    pub(super) fn problems(&self) -> Problems {
        let Some(file) = &self.file else { return Problems::default() };
        let origin = Origin::File(file.path().to_owned());
        Problems(self.refused().iter().flat_map(|refusal| problems(refusal, &origin).0).collect())
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

/// The accounts of the command line, or every one that is no address.
pub(super) fn addresses(follow: &[String]) -> Result<Vec<Address>, Vec<Problem>> {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for text in follow {
        match text.parse::<Address>() {
            Ok(address) => good.push(address),
            Err(error) => wrong.push(Problem {
                key: format!("--follow {text}"),
                value: String::new(),
                origin: Origin::Default,
                problem: error.to_string(),
            }),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(wrong) }
}

fn problems(why: &dyn std::fmt::Display, origin: &Origin) -> Problems {
    let (key, problem) = ("influencers.file".to_owned(), why.to_string());
    Problems(vec![Problem { key, value: String::new(), origin: origin.clone(), problem }])
}

/// An entry of the list as the service follows it, beginning now.
pub(super) fn followed(influencer: &Influencer, config: &Config) -> Followed {
    let account = Account::from_bytes(*influencer.address().as_bytes());
    let start = influencer.start().unwrap_or(config.listeners.start).resolve(clock::wall_ms());
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
        start: start.map(|at| i64::try_from(at).unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Sources;

    /// A change that leaves nothing about the file looking new is found by comparing, as often as the configuration says.
    #[test]
    fn refresh_s_is_how_often_the_list_is_compared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("list.toml");
        let write = |address: &str| {
            fs::write(&path, format!("[[influencer]]\naddress = {address:?}\n")).unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        };
        let sets = [
            ("influencers.source", "file"),
            ("influencers.file", path.to_str().unwrap()),
            ("influencers.refresh_s", "7"),
        ];
        let sets = sets.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let config = Config::load(&Sources { sets, ..Sources::default() }).unwrap();
        let (before, after) =
            ("0x0000000000000000000000000000000a11ce0001", "0x0000000000000000000000000000000a11ce0002");

        write(before);
        let mut file = List::read(&config).unwrap().file.unwrap();
        let start = clock::now();
        assert!(file.poll(start).is_none());
        write(after);
        assert!(file.poll(start + Duration::from_millis(6_999)).is_none());
        let reload = file.poll(start + Duration::from_secs(7)).expect("it is compared");
        assert!(reload.set.get(after).is_some() && reload.set.get(before).is_none(), "{reload:?}");
    }
}
