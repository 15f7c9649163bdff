//! A list that can change while the service runs, wherever it is kept: one face for all.

use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use influencer_registry::{FileSource, InfluencerSet, ListProblem, Refusal, Reload};
#[cfg(feature = "redis")]
use influencer_registry::{Kept, RedisList, RedisSource};

use crate::config::{Config, Origin, Problem, Problems};
#[cfg(feature = "redis")]
use crate::config::{RedisServer, RedisServerProblem};

/// A list file that is half-written is given this long to become whole.
const SETTLE: Duration = Duration::from_millis(200);

/// A Redis is given this long for its first word; what it says later is taken then.
#[cfg(feature = "redis")]
const FIRST_WORD_MAX: Duration = Duration::from_secs(10);

pub(super) enum Watched {
    File(FileSource),
    #[cfg(feature = "redis")]
    Redis(RedisSource),
}

impl Watched {
    /// The file, read.
    pub(super) fn file(
        path: &Path,
        config: &Config,
        last_good: Option<InfluencerSet>,
    ) -> Result<(InfluencerSet, Option<Self>), Problems> {
        let mut file = FileSource::new(path, SETTLE, last_good).refreshed_every(config.influencers.refresh);
        let reload = file.load();
        match reload.problem {
            Some(trouble) if reload.set.is_empty() => {
                Err(problems("influencers.file", &trouble, &config.places.of("influencers.file")))
            }
            _ => Ok((reload.set, Some(Self::File(file)))),
        }
    }

    /// The Redis, asked. One that does not answer is no problem of the configuration: it is waited for.
    #[cfg(feature = "redis")]
    pub(super) fn redis(
        server: &RedisServer,
        prefix: &str,
        config: &Config,
        last_good: Option<Kept>,
    ) -> Result<(InfluencerSet, Option<Self>), Problems> {
        let list = redis_list(server, prefix).map_err(|problem| problem.of("influencers", &config.places))?;
        let place = list.to_string();
        let started = RedisSource::start(list, config.influencers.refresh, last_good, None);
        let mut redis =
            started.map_err(|error| problems("influencers.source", &error, &Origin::Redis(place)))?;
        let set = redis.load(FIRST_WORD_MAX).set;
        Ok((set, Some(Self::Redis(redis))))
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Reload> {
        match self {
            Self::File(file) => file.poll(now),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.poll(),
        }
    }

    pub(super) fn live(&self) -> &InfluencerSet {
        match self {
            Self::File(file) => file.live(),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.live(),
        }
    }

    /// Of what is live; 0 where versions are not counted.
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::File(_) => 0,
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.version(),
        }
    }

    pub(super) fn refused(&self) -> &[Refusal] {
        match self {
            Self::File(file) => file.refused(),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.refused(),
        }
    }

    pub(super) fn problem(&self) -> Option<&ListProblem> {
        match self {
            Self::File(file) => file.problem(),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.problem(),
        }
    }

    /// Where it is, for people: a path, or a Redis without its login.
    pub(super) fn place(&self) -> String {
        match self {
            Self::File(file) => file.path().display().to_string(),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.list().to_string(),
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Something about the list, as a problem of the configuration; its place is the list.
    pub(super) fn problems(&self, why: &dyn Display) -> Problems {
        match self {
            Self::File(file) => problems("influencers.file", why, &Origin::File(file.path().to_owned())),
            #[cfg(feature = "redis")]
            Self::Redis(_) => problems("influencers.redis_url", why, &Origin::Redis(self.place())),
        }
    }
}

/// The list that a configuration names.
#[cfg(feature = "redis")]
pub(in crate::cli) fn redis_list(
    server: &RedisServer,
    prefix: &str,
) -> Result<RedisList, RedisServerProblem> {
    Ok(RedisList::new(server.address()?, prefix))
}

fn problems(key: &str, why: &dyn Display, origin: &Origin) -> Problems {
    let (key, problem) = (key.to_owned(), why.to_string());
    Problems(vec![Problem { key, value: String::new(), origin: origin.clone(), problem }])
}
