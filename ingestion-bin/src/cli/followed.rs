//! Whom the configuration and `--follow` name.

mod watched;

use std::time::{Duration, Instant};

use influencer_registry::{Address, Influencer, InfluencerSet, Kept, LastGood, ListProblem, Refusal, Reload};
use observability::causes;
use signal_domain::{Account, InfluencerId};

use crate::config::{Config, InfluencerSource, Problems};
use crate::runtime::clock;
use crate::runtime::{Followed, ListStatus, Tuning};
use crate::translate::Interest;

use watched::Watched;
#[cfg(feature = "redis")]
pub(super) use watched::redis_list;

/// Refused entries that a status shows by name.
const REFUSALS_SHOWN: usize = 100;

/// Its name in the data directory.
const LAST_GOOD: &str = "influencers.last-good.json";

/// The list, and where it is watched when it can change.
pub(super) struct List {
    pub(super) set: InfluencerSet,
    watched: Option<Watched>,
    /// What the copy holds that a start without the list goes on from, and its version.
    kept: Option<(InfluencerSet, u64)>,
    /// Why there is no such copy although there is a list; to be told once there is a log.
    pub(super) unkept: Option<String>,
    extra: Vec<Address>,
}

impl List {
    /// Reads the list. Entries of a watched one that are refused are in [`List::refused`]; those of the configuration were told with it.
    /// Where its Redis is out of reach, it is the last good list, or nobody; [`List::out_of_reach`] says why.
    ///
    /// # Errors
    ///
    /// When what is there is, as a whole, not taken.
    pub(super) fn read(config: &Config) -> Result<Self, Problems> {
        let list = Self::read_or_last_good(config)?;
        let untaken = list.untaken();
        if untaken.0.is_empty() { Ok(list) } else { Err(untaken) }
    }

    /// The same for a service that must come up again: a list that is lost, out of reach, broken or suddenly empty takes nobody from the last
    /// list that was taken; [`List::problem`] says so.
    ///
    /// # Errors
    ///
    /// When there is no such list, either, and waiting for it to be reached would not help.
    pub(super) fn read_or_last_good(config: &Config) -> Result<Self, Problems> {
        let (mut last_good_list, mut unkept) = (None, None);
        match last_good(config).map(|kept| kept.load(|_| None)) {
            Some(Ok(Some(kept))) => last_good_list = Some(kept),
            // It is written anew with the next list that is taken.
            Some(Err(error)) => unkept = Some(causes(&error)),
            Some(Ok(None)) | None => {}
        }
        Ok(Self { unkept, ..Self::read_beside(config, last_good_list)? })
    }

    fn read_beside(config: &Config, last_good: Option<Kept>) -> Result<Self, Problems> {
        let kept = last_good.as_ref().map(|kept| (kept.set.clone(), kept.version));
        let (unkept, extra) = (None, Vec::new());
        let (set, watched) = match &config.influencers.source {
            InfluencerSource::Static(set) => (set.clone(), None),
            InfluencerSource::File(path) => Watched::file(path, config, last_good.map(|kept| kept.set))?,
            #[cfg(feature = "redis")]
            InfluencerSource::Redis { server, prefix } => Watched::redis(server, prefix, config, last_good)?,
        };
        Ok(Self { set, watched, kept, unkept, extra })
    }

    /// Looks for a change of the list.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Reload> {
        self.watched.as_mut()?.poll(now)
    }

    /// Whether it can change while the service runs.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Where it is, when it is not in the configuration.
    pub(super) fn place(&self) -> Option<String> {
        self.watched.as_ref().map(Watched::place)
    }

    /// Why the list as a whole is not taken, while that is so.
    pub(super) fn problem(&self) -> Option<&ListProblem> {
        self.watched.as_ref().and_then(Watched::problem)
    }

    /// Why its Redis cannot be asked, while that is so.
    pub(super) fn out_of_reach(&self) -> Option<&ListProblem> {
        self.problem().filter(|problem| matches!(problem, ListProblem::Unreachable { .. }))
    }

    /// Keeps the list as the last good one, where it is taken and another than the one kept.
    pub(super) fn keep(&mut self, config: &Config) {
        let Some(list) = self.watched.as_ref().filter(|list| list.problem().is_none()) else { return };
        let taken = (list.live().clone(), list.version());
        let Some(copy) = last_good(config).filter(|_| self.kept.as_ref() != Some(&taken)) else { return };
        match copy.save(&taken.0, taken.1) {
            Ok(()) => self.kept = Some(taken),
            Err(error) => {
                tracing::warn!(file = %copy.path().display(), %error, "the last good list is not kept");
            }
        }
    }

    /// What is to be seen of it.
    pub(super) fn status(&self) -> ListStatus {
        let kept_in =
            |file: bool| self.watched.as_ref().filter(|list| list.is_file() == file).map(Watched::place);
        ListStatus {
            file: kept_in(true),
            redis: kept_in(false),
            listed: self.set.len(),
            stale: self.problem().map(ToString::to_string),
            refused: self.refused().len(),
            refusals: self.refused().iter().take(REFUSALS_SHOWN).map(ToString::to_string).collect(),
        }
    }

    /// Follows these accounts too.
    pub(super) fn follow(&mut self, addresses: Vec<Address>) {
        self.extra.extend(addresses);
        self.set = self.with_extra(&self.set);
    }

    /// Entries of a watched list that are refused now.
    pub(super) fn refused(&self) -> &[Refusal] {
        self.watched.as_ref().map_or(&[], Watched::refused)
    }

    /// Why what is there is not taken as a whole, and what is followed instead.
    pub(super) fn untaken(&self) -> Problems {
        let Some(watched) = &self.watched else { return Problems::default() };
        match watched.problem() {
            // Refused entries are told one by one, and a Redis is waited for.
            None | Some(ListProblem::AllRefused { .. } | ListProblem::Unreachable { .. }) => {
                Problems::default()
            }
            Some(problem) => {
                let kept = self.kept.as_ref().map_or(0, |(set, _)| set.len());
                let instead = format!("{problem}; `run` goes on with the last good list, {kept} influencers");
                watched.problems(&instead)
            }
        }
    }

    /// Refused entries, as problems of the configuration; their place is the list.
    pub(super) fn problems(&self) -> Problems {
        let Some(watched) = &self.watched else { return Problems::default() };
        Problems(self.refused().iter().flat_map(|refusal| watched.problems(refusal).0).collect())
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

/// Where the list is kept for a start without it.
fn last_good(config: &Config) -> Option<LastGood> {
    let source = match &config.influencers.source {
        InfluencerSource::Static(_) => return None,
        InfluencerSource::File(path) => path.display().to_string(),
        // A list of another Redis is another list; one whose address cannot be told is reported where it is read.
        #[cfg(feature = "redis")]
        InfluencerSource::Redis { server, prefix } => redis_list(server, prefix).ok()?.to_string(),
    };
    Some(LastGood::new(config.data_dir.join(LAST_GOOD), source))
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
        let mut file = List::read(&config).unwrap();
        let start = clock::now();
        assert!(file.poll(start).is_none());
        write(after);
        assert!(file.poll(start + Duration::from_millis(6_999)).is_none());
        let reload = file.poll(start + Duration::from_secs(7)).expect("it is compared");
        assert!(reload.set.get(after).is_some() && reload.set.get(before).is_none(), "{reload:?}");
    }
}
