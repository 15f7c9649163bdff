//! Whom the configuration and `--follow` name.

use std::time::Duration;

use influencer_registry::{Address, FileSource, Influencer, InfluencerSet, LastGood, ListProblem, Refusal};
use observability::causes;
use signal_domain::{Account, InfluencerId};

use crate::config::{Config, InfluencerSource, Origin, Problem, Problems};
use crate::runtime::clock;
use crate::runtime::{Followed, ListStatus, Tuning};
use crate::translate::Interest;

/// Refused entries that a status shows by name.
const REFUSALS_SHOWN: usize = 100;

/// A list that is half-written is given this long to become whole.
const SETTLE: Duration = Duration::from_millis(200);

/// Its name in the data directory.
const LAST_GOOD: &str = "influencers.last-good.json";

/// The list, and the file to watch when it is one.
pub(super) struct List {
    pub(super) set: InfluencerSet,
    pub(super) file: Option<FileSource>,
    /// What the copy holds that a start without the file goes on from.
    kept: Option<InfluencerSet>,
    /// Why there is no such copy although there is a file; to be told once there is a log.
    pub(super) unkept: Option<String>,
    extra: Vec<Address>,
}

impl List {
    /// Reads the list. Entries of a file that are refused are in [`List::refused`]; those of the configuration were told with it.
    ///
    /// # Errors
    ///
    /// When the file as a whole is not taken.
    pub(super) fn read(config: &Config) -> Result<Self, Problems> {
        let list = Self::read_or_last_good(config)?;
        let untaken = list.untaken();
        if untaken.0.is_empty() { Ok(list) } else { Err(untaken) }
    }

    /// The same for a service that must come up again: a file that is lost, broken or suddenly empty takes nobody from the last list that
    /// was taken; [`FileSource::problem`] says so.
    ///
    /// # Errors
    ///
    /// When there is no such list, either.
    pub(super) fn read_or_last_good(config: &Config) -> Result<Self, Problems> {
        let (mut last_good_list, mut unkept) = (None, None);
        match last_good(config).map(|kept| kept.load(|_| None)) {
            Some(Ok(Some((set, _)))) => last_good_list = Some(set),
            // It is written anew with the next list that is taken.
            Some(Err(error)) => unkept = Some(causes(&error)),
            Some(Ok(None)) | None => {}
        }
        Ok(Self { unkept, ..Self::read_beside(config, last_good_list)? })
    }

    fn read_beside(config: &Config, last_good: Option<InfluencerSet>) -> Result<Self, Problems> {
        let InfluencerSource::File(path) = &config.influencers.source else {
            let set = match &config.influencers.source {
                InfluencerSource::Static(set) => set.clone(),
                InfluencerSource::File(_) => InfluencerSet::default(),
            };
            return Ok(Self { set, file: None, kept: None, unkept: None, extra: Vec::new() });
        };
        let mut file =
            FileSource::new(path, SETTLE, last_good.clone()).refreshed_every(config.influencers.refresh);
        let reload = file.load();
        match reload.problem {
            Some(trouble) if reload.set.is_empty() => {
                Err(problems(&trouble, &config.places.of("influencers.file")))
            }
            _ => {
                let set = reload.set;
                Ok(Self { set, file: Some(file), kept: last_good, unkept: None, extra: Vec::new() })
            }
        }
    }

    /// Keeps the list of the file as the last good one, where it is taken and another than the one kept.
    pub(super) fn keep(&mut self, config: &Config) {
        let Some(live) = self.file.as_ref().filter(|file| file.problem().is_none()).map(FileSource::live)
        else {
            return;
        };
        let Some(copy) = last_good(config).filter(|_| self.kept.as_ref() != Some(live)) else { return };
        match copy.save(live) {
            Ok(()) => self.kept = Some(live.clone()),
            Err(error) => {
                tracing::warn!(file = %copy.path().display(), %error, "the last good list is not kept");
            }
        }
    }

    /// What is to be seen of it.
    pub(super) fn status(&self) -> ListStatus {
        let stale = self.file.as_ref().and_then(FileSource::problem).map(ToString::to_string);
        ListStatus {
            file: self.file.as_ref().map(|file| file.path().display().to_string()),
            listed: self.set.len(),
            stale,
            refused: self.refused().len(),
            refusals: self.refused().iter().take(REFUSALS_SHOWN).map(ToString::to_string).collect(),
        }
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

    /// Why the file as a whole is not taken, and what is followed instead.
    pub(super) fn untaken(&self) -> Problems {
        let Some(file) = &self.file else { return Problems::default() };
        match file.problem() {
            // Refused entries are told one by one.
            None | Some(ListProblem::AllRefused { .. }) => Problems::default(),
            Some(problem) => {
                let kept = self.kept.as_ref().map_or(0, InfluencerSet::len);
                let why = format!("{problem}; `run` goes on with the last good list, {kept} influencers");
                problems(&why, &Origin::File(file.path().to_owned()))
            }
        }
    }

    /// Refused entries, as problems of the configuration; their place is the list.
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

/// Where the list of a file is kept for a start without it.
fn last_good(config: &Config) -> Option<LastGood> {
    match &config.influencers.source {
        InfluencerSource::File(path) => {
            Some(LastGood::new(config.data_dir.join(LAST_GOOD), path.display().to_string()))
        }
        InfluencerSource::Static(_) => None,
    }
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
        tuning: tuning(influencer),
        listed: settings(influencer).into_iter().collect(),
        orders: super::fit::asks_for_orders(influencer, config),
    }
}

fn tuning(influencer: &Influencer) -> Tuning {
    let (backoff, throttle) = (influencer.backoff(), influencer.throttle());
    let ms = |ms: Option<u32>| ms.map(|ms| Duration::from_millis(ms.into()));
    Tuning {
        listeners_max: influencer.max_streams().map(usize::from),
        retry_first: ms(backoff.initial_ms()),
        retry_most: ms(backoff.max_ms()),
        jitter: backoff.jitter(),
        info_share: throttle.info_share(),
        resubscribes_per_minute: throttle.resubscribes_per_minute(),
    }
}

/// What an entry says beside who it is, defaults left out.
pub(super) fn settings(influencer: &Influencer) -> serde_json::Map<String, serde_json::Value> {
    let mut entry = influencer.to_json();
    let fields = entry.as_object_mut().map(std::mem::take).unwrap_or_default();
    fields.into_iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "address" | "addedAt")).collect()
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
