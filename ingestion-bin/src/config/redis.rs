//! Where a Redis is: `redis_url`, or `redis_url_from` where it holds a password, and `redis_ca_file`. Contacts nobody; the secret is read
//! by [`RedisServer::address`].

use std::fmt::Display;
use std::path::PathBuf;

use influencer_registry::RedisAddress;

use super::problem::{Problem, Problems};
use super::reader::Section;
use super::secret::SecretSource;
use super::source::Places;

const URL: &str = "redis://127.0.0.1:6379";

/// A Redis, as the configuration names it.
#[derive(Clone, Debug)]
pub struct RedisServer {
    url: Url,
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Url {
    /// Without a login.
    Plain(String),
    From(SecretSource),
}

/// Why it cannot be reached by what the configuration says: the key in its section, and the problem. Shows nothing that is secret.
#[derive(Clone, Debug)]
pub struct RedisServerProblem {
    /// `redis_url`, `redis_url_from` or `redis_ca_file`.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl RedisServerProblem {
    /// As a problem of the configuration, in this section.
    #[must_use]
    pub fn of(self, section: &str, places: &Places) -> Problems {
        let key = format!("{section}.{}", self.key);
        let origin = places.of(&key);
        Problems(vec![Problem { key, value: String::new(), origin, problem: self.problem }])
    }
}

impl RedisServer {
    /// Reads the secret and the certificates, where there are any.
    ///
    /// # Errors
    ///
    /// The secret cannot be had, what is there is no URL of a Redis, or the CA file is none.
    pub fn address(&self) -> Result<RedisAddress, RedisServerProblem> {
        let problem = |key, problem: &dyn Display| RedisServerProblem { key, problem: problem.to_string() };
        let (key, url) = match &self.url {
            Url::Plain(url) => ("redis_url", url.clone()),
            Url::From(source) => {
                let url = source.read().map_err(|error| problem("redis_url_from", &error))?;
                ("redis_url_from", url)
            }
        };
        // One at a time, so that what is wrong is said of its own key.
        RedisAddress::new(&url, None).map_err(|error| problem(key, &error))?;
        let ca_file = self.ca_file.as_deref();
        RedisAddress::new(&url, ca_file).map_err(|error| problem("redis_ca_file", &error))
    }
}

pub(super) fn server(section: &Section<'_>) -> RedisServer {
    let plain = section.text("redis_url", URL);
    if plain.contains('@') || plain.contains("assword=") {
        section.complain(
            "redis_url",
            "",
            "holds a login: put the URL behind redis_url_from (env:NAME or file:PATH)",
        );
    }
    let url = section.secret("redis_url_from").map_or(Url::Plain(plain), Url::From);
    let ca_file = section.text("redis_ca_file", "");
    RedisServer { url, ca_file: (!ca_file.is_empty()).then(|| PathBuf::from(ca_file)) }
}
