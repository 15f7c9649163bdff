//! Where a Redis is and how one logs in, out of a URL; parsed once, and from then on nothing of it that is secret can be shown.
//!
//! `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://` with TLS. `redis-sentinel://` (and `rediss-sentinel://`) names sentinels:
//! further ones as `node=HOST:PORT`, the service as `sentinelServiceName=NAME`, a login of their own as `sentinelUsername=` and
//! `sentinelPassword=`. `redis-cluster://` (and `rediss-cluster://`) names nodes. What a URL needs escaped is percent-encoded.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use fred::{
    clients::Client,
    error::Error,
    types::{
        RespVersion,
        config::{Config, ConnectionConfig, PerformanceConfig, ServerConfig},
    },
};

use super::{ANSWER_MAX, tls, trouble};

const SCHEMES: [&str; 6] =
    ["redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"];

/// A Redis and a login. `Debug` and `Display` show scheme, hosts and database, never a login.
#[derive(Clone)]
pub struct RedisAddress {
    config: Config,
    shown: String,
    secrets: Vec<String>,
}

/// Why there is no such address. Shows nothing of the URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedisAddressError {
    /// Another scheme, or none.
    #[error("wants a URL that begins with {}", SCHEMES.map(|scheme| format!("{scheme}://")).join(", "))]
    Scheme,
    /// No URL of that scheme.
    #[error("is no such URL: {why}")]
    Url {
        /// What is wrong about it, in words of ours.
        why: &'static str,
    },
    /// A CA file for a connection without TLS.
    #[error("a CA file is for rediss://, this URL is without TLS")]
    NoTls,
    /// The CA file is none.
    #[error("CA file {}: {why}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong about it.
        why: String,
    },
}

impl RedisAddress {
    /// Reads the URL and, where it asks for TLS, the certificates: the system's and those of `ca_file` (PEM). Contacts nobody.
    ///
    /// # Errors
    /// [`RedisAddressError`].
    pub fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, RedisAddressError> {
        let (scheme, rest) = url.split_once("://").ok_or(RedisAddressError::Scheme)?;
        if !SCHEMES.contains(&scheme) {
            return Err(RedisAddressError::Scheme);
        }
        let secured = scheme.starts_with("rediss");
        // The client would load the system's certificates by itself and fail where one of them is broken: it is told of no TLS here.
        let plain = if secured { scheme.replacen("rediss", "redis", 1) } else { scheme.to_owned() };
        let mut config = Config::from_url(&format!("{plain}://{rest}"))
            .map_err(|_| RedisAddressError::Url { why: expected(&plain) })?;
        if config.username.is_some() && config.password.is_none() {
            return Err(RedisAddressError::Url { why: "a user needs a password" });
        }
        config.version = RespVersion::RESP3;
        config.tls = match (secured, ca_file) {
            (true, ca_file) => Some(tls::connector(ca_file)?.into()),
            (false, Some(_)) => return Err(RedisAddressError::NoTls),
            (false, None) => None,
        };
        let hosts: Vec<String> = config.server.hosts().iter().map(ToString::to_string).collect();
        let database = config.database.map(|number| format!("/{number}")).unwrap_or_default();
        let shown = format!("{scheme}://{}{database}", hosts.join(","));
        let secrets = secrets(&config, rest);
        Ok(Self { config, shown, secrets })
    }

    /// A client of this Redis that is not connected yet and never connects again by itself; everything it waits for is bounded. `commands`
    /// may be under way at once.
    #[must_use]
    pub fn client(&self, commands: usize) -> Client {
        let connection = ConnectionConfig {
            connection_timeout: ANSWER_MAX,
            internal_command_timeout: ANSWER_MAX,
            max_command_attempts: 1,
            max_command_buffer_len: commands,
            ..ConnectionConfig::default()
        };
        // Without a policy it stays disconnected.
        Client::new(self.config.clone(), Some(PerformanceConfig::default()), Some(connection), None)
    }

    /// What went wrong with it, as one line for a person; nothing secret of ours is in it.
    #[must_use]
    pub fn told(&self, error: &Error) -> String {
        trouble::line(error, self)
    }

    /// A text that somebody else wrote, without what is secret of ours: an old server quotes a login that it does not understand.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisAddress").field(&self.shown).finish()
    }
}

fn expected(scheme: &str) -> &'static str {
    match scheme {
        "redis-sentinel" => "wants HOST[:PORT][/DATABASE]?sentinelServiceName=NAME[&node=HOST:PORT]",
        "redis-cluster" => "wants HOST[:PORT][?node=HOST:PORT]",
        _ => "wants [[USER]:PASSWORD@]HOST[:PORT][/DATABASE]",
    }
}

/// Every password, as it is and as the URL writes it; the longest first, so that none is left half shown.
fn secrets(config: &Config, rest: &str) -> Vec<String> {
    let mut secrets: Vec<String> = config.password.iter().cloned().collect();
    if let ServerConfig::Sentinel { password, .. } = &config.server {
        secrets.extend(password.clone());
    }
    let login = rest.split(['/', '?']).next().and_then(|place| place.rsplit_once('@'));
    secrets.extend(login.and_then(|(login, _)| login.split_once(':')).map(|(_, written)| written.to_owned()));
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> RedisAddress {
        RedisAddress::new(url, None).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    #[test]
    fn what_is_secret_is_never_shown() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://:hunter2@localhost:7000/3", "redis://localhost:7000/3"),
            ("rediss://me:hunter2@redis.example:7000", "rediss://redis.example:7000"),
            ("redis://me:hunter%402@localhost", "redis://localhost:6379"),
            (
                "redis-sentinel://me:hunter2@a:1?sentinelServiceName=m&node=b:2&sentinelPassword=hunter3",
                "redis-sentinel://b:2,a:1",
            ),
            ("redis-cluster://me:hunter2@a:1?node=b:2", "redis-cluster://b:2,a:1"),
        ] {
            let address = address(url);
            assert_eq!(address.to_string(), shown);
            let list = super::super::RedisList::new(address.clone(), "p");
            for text in [format!("{address:?}"), format!("{list:?}"), list.to_string()] {
                assert!(!text.contains("hunter") && !text.contains("me:"), "{text}");
            }
        }
    }

    #[test]
    fn what_others_write_is_cleaned_of_secrets() {
        let address = address("redis://me:hunter%402@localhost");
        let told =
            "unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `me`, `hunter@2` hunter%402";
        let clean = address.without_secrets(told);
        assert!(!clean.contains("hunter") && clean.contains("`me`, `***` ***"), "{clean}");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        for (url, why) in [
            ("hunter2", "begins with redis://"),
            ("http://me:hunter2@x", "begins with redis://"),
            ("redis+unix:///hunter2", "begins with redis://"),
            ("redis://", "wants [[USER]:PASSWORD@]HOST"),
            ("redis://me:hunter2@x:port", "wants [[USER]:PASSWORD@]HOST"),
            ("redis://x/hunter2", "wants [[USER]:PASSWORD@]HOST"),
            ("redis://hunter2@x", "a user needs a password"),
            ("redis-sentinel://me:hunter2@x", "sentinelServiceName=NAME"),
        ] {
            let error = RedisAddress::new(url, None).expect_err(url);
            let told = format!("{error} {error:?}");
            assert!(told.contains(why) && !told.contains("hunter2"), "{told}");
        }
        let ca = Path::new("/nonexistent/ca.pem");
        assert!(matches!(RedisAddress::new("redis://x", Some(ca)), Err(RedisAddressError::NoTls)));
        let error = RedisAddress::new("rediss://x", Some(ca)).expect_err("no such file").to_string();
        assert!(error.starts_with("CA file /nonexistent/ca.pem: "), "{error}");
    }
}
