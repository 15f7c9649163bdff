//! From arguments, file and environment to a configuration. The one place where the binary reads the environment.

use std::path::Path;

use influencer_registry::Address;
use observability::admin::Token;
use signal_domain::Account;

use super::args::Cli;
use super::exit::Failure;
use super::fit::Fit;
use super::followed::List;
use super::moment::Moment;
use crate::config::{Config, Origin, Problem, Problems, SecretSource, Sources};
use crate::runtime::{clock, endpoints};

/// An address given as an argument.
pub(super) fn account(text: &str) -> Result<Account, Failure> {
    Account::parse(text).map_err(|error| Failure::Usage(format!("{text}: {error}")))
}

/// What a command that reads what is there begins with.
pub(super) fn configuration(cli: &Cli) -> Result<Config, Failure> {
    Ok(Config::load(&sources(cli, &[])?)?)
}

/// What the service would begin with.
pub(super) struct Plan {
    pub(super) config: Config,
    /// What the admin server asks for.
    pub(super) token: Option<Token>,
    pub(super) list: List,
}

/// A list that is not right: entries that are refused, or the whole of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BadEntries {
    /// Problems like all others.
    Refuse,
    /// Left out, as long as somebody is right, and the last good list instead of one that is none: what does not stop a running service
    /// must not keep it from starting again.
    LeaveOut,
}

/// Reads the configuration and everything that it refers to: the list, secrets, certificates. All problems at once, with those of the
/// command line; contacts nobody but the Redis of the list.
pub(super) fn plan(
    cli: &Cli,
    overrides: &[(String, String)],
    follow: Result<Vec<Address>, Vec<Problem>>,
    bad_entries: BadEntries,
) -> Result<Plan, Failure> {
    let drafted = sources(cli, overrides).and_then(|sources| Config::draft(&sources));
    let (config, Problems(mut problems)) = match (drafted, follow.as_ref().err()) {
        (Ok(drafted), _) => drafted,
        // Nothing else can be said of the configuration.
        (Err(Problems(unread)), wrong) => {
            return Err(
                Problems(unread.into_iter().chain(wrong.cloned().unwrap_or_default()).collect()).into()
            );
        }
    };
    let told: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    let mut add = |found: Problems| {
        problems.extend(found.0.into_iter().filter(|problem| !told.contains(&problem.key)));
    };
    endpoints(&config).map_or_else(&mut add, drop);
    #[cfg(feature = "redis")]
    config.state.problems(&config.places).map_or_else(|| (), &mut add);
    let token = admin_token(&config).map_err(&mut add);
    let list = match bad_entries {
        BadEntries::Refuse => List::read(&config),
        BadEntries::LeaveOut => List::read_or_last_good(&config),
    };
    let list = list.map_err(&mut add);
    if let Ok(list) = &list
        && (bad_entries == BadEntries::Refuse || list.set.is_empty())
    {
        add(list.problems());
    }
    let only_usage = problems.is_empty();
    let follow = follow.map_err(|wrong| problems.extend(wrong));
    let (Ok(token), Ok(mut list), Ok(follow), true) = (token, list, follow, only_usage) else {
        let problems = Problems(problems);
        // The command line alone is wrong: that is another code.
        return Err(if only_usage { Failure::Usage(problems.to_string()) } else { problems.into() });
    };
    list.follow(follow);
    if list.set.enabled_by_priority().is_empty() && !list.is_watched() {
        return Err(Failure::Usage(
            "nobody to follow: name accounts in [influencers], or with --follow ADDR, or try --simulate"
                .to_owned(),
        ));
    }
    if let Some(problem) = Fit::of(&list.set, &config).orders_problem(&config) {
        return Err(Problems(vec![problem]).into());
    }
    Ok(Plan { config, token, list })
}

/// The file, if one is named, and everything that overrides it.
fn sources(cli: &Cli, overrides: &[(String, String)]) -> Result<Sources, Problems> {
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
    Ok(Sources { file, environment: std::env::vars().collect(), sets })
}

fn admin_token(config: &Config) -> Result<Option<Token>, Problems> {
    let token = admin_secret(config)?.map(|secret| Token::new(&secret)).transpose();
    token.map_err(|error| admin_problem(config, &error))
}

/// The text behind `admin.token_from`.
pub(super) fn admin_secret(config: &Config) -> Result<Option<String>, Problems> {
    let secret = config.admin.token_from.as_ref().map(SecretSource::read).transpose();
    secret.map_err(|error| admin_problem(config, &error))
}

fn admin_problem(config: &Config, error: &dyn std::error::Error) -> Problems {
    let value = config.admin.token_from.as_ref().map(ToString::to_string).unwrap_or_default();
    let (key, problem) = ("admin.token_from".to_owned(), error.to_string());
    let origin = config.places.of(&key);
    Problems(vec![Problem { key, value: format!("{value:?}"), origin, problem }])
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
        let directory = directory.display();
        Err(Failure::World(format!(
            "there is no data directory {directory} (--data-dir, or data_dir of the configuration)"
        )))
    }
}
