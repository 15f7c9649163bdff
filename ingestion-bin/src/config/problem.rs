//! What is wrong with a configuration: every problem at once, each naming key, value and where it was written.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Nowhere: the built-in default.
    Default,
    /// In the configuration file.
    File(PathBuf),
    /// In the environment, as this variable.
    Environment(String),
    /// On the command line (`--set`, `--data-dir`, `--follow`).
    CommandLine,
    /// In the list of influencers that a Redis keeps; no password.
    Redis(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.write_str("command line"),
            Self::Redis(place) => f.write_str(place),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Dotted key, array indexes included (`venue.endpoint.0.ws_url`).
    pub key: String,
    /// The value as written, shortened; empty when there is none.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl Problem {
    /// The value of a flag that is not right. The flag says where it was written.
    pub(crate) fn of_argument(flag: &str, value: &str, problem: &dyn fmt::Display) -> Self {
        let key = format!("{flag} {value}");
        Self { key, value: String::new(), origin: Origin::Default, problem: problem.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, " = {}", self.value)?;
        }
        write!(f, ": {}", self.problem)?;
        // What nobody wrote has no place to be shown.
        if self.origin == Origin::Default { Ok(()) } else { write!(f, " ({})", self.origin) }
    }
}

/// Everything that is wrong, in the order in which it was found.
#[derive(Clone, Debug, Default, Eq, PartialEq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
