//! From arguments, file and environment to a configuration. The one place where the binary reads the environment.

use std::path::Path;

use observability::admin::Token;

use super::args::Cli;
use super::exit::Failure;
use super::moment::Moment;
use crate::config::{Config, Origin, Problem, Problems, SecretSource, Sources};
use crate::runtime::{clock, endpoints};

/// Reads the file, if one is named, and everything that overrides it.
pub(super) fn configuration(cli: &Cli, overrides: &[(String, String)]) -> Result<Config, Failure> {
    let file = match &cli.config {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Problems(vec![Problem {
                    key: "--config".to_owned(),
                    value: path.display().to_string(),
                    origin: Origin::CommandLine,
                    problem: format!("the file cannot be read: {error}"),
                }])
            })?;
            Some((path.clone(), text))
        }
    };
    let mut sets = cli.sets.clone();
    if let Some(directory) = &cli.data_dir {
        sets.push(("data_dir".to_owned(), directory.display().to_string()));
    }
    sets.extend_from_slice(overrides);
    Ok(Config::load(&Sources { file, environment: std::env::vars().collect(), sets })?)
}

/// Everything that the configuration only refers to: the endpoints' secrets and certificates, and the admin server's token, which is
/// answered. All problems at once.
pub(super) fn referred(config: &Config) -> Result<Option<Token>, Problems> {
    let token = admin_secret(config).and_then(|secret| {
        let token = secret.map(|secret| Token::new(&secret)).transpose();
        token.map_err(|error| admin_problem(config, &error))
    });
    match (endpoints(&config.venue), token) {
        (Ok(_), Ok(token)) => Ok(token),
        (endpoints, token) => {
            let found = endpoints.err().into_iter().chain(token.err());
            Err(Problems(found.flat_map(|problems| problems.0).collect()))
        }
    }
}

/// The text behind `admin.token_from`.
pub(super) fn admin_secret(config: &Config) -> Result<Option<String>, Problems> {
    let secret = config.admin.token_from.as_ref().map(SecretSource::read).transpose();
    secret.map_err(|error| admin_problem(config, &error))
}

fn admin_problem(config: &Config, error: &dyn std::error::Error) -> Problems {
    let value = config.admin.token_from.as_ref().map(ToString::to_string).unwrap_or_default();
    let (key, problem) = ("admin.token_from".to_owned(), error.to_string());
    Problems(vec![Problem { key, value: format!("{value:?}"), origin: Origin::Default, problem }])
}

/// The wall clock.
pub(super) fn now() -> Moment {
    Moment(i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX))
}

/// A time given on the command line as the value of `flag`.
pub(super) fn moment(flag: &str, text: Option<&str>) -> Result<Option<Moment>, Failure> {
    let parse = |text| Moment::parse(text, now()).map_err(|error| Failure::Usage(format!("{flag}: {error}")));
    text.map(parse).transpose()
}

/// The data directory, which must be there already: a command that reads must not take a mistyped name for an empty history.
pub(super) fn existing_data(config: &Config) -> Result<&Path, Failure> {
    let directory = config.data_dir.as_path();
    if directory.is_dir() {
        Ok(directory)
    } else {
        Err(Failure::World(format!("there is no data directory {}", directory.display())))
    }
}
