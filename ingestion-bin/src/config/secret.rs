//! Secrets by reference: the configuration names where a secret is, never what it is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// `env:NAME` or `file:PATH`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// An environment variable.
    Environment(String),
    /// The first line of a file.
    File(PathBuf),
}

/// A secret that cannot be had. Names the reference, never the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Not `env:NAME` or `file:PATH`.
    #[error("wants env:NAME or file:PATH")]
    Reference,
    /// The variable is not set or is empty.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// The file cannot be read or is empty.
    #[error("secret file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl FromStr for SecretSource {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Environment(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            _ => Err(SecretError::Reference),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl SecretSource {
    /// Reads the secret, without surrounding white space.
    ///
    /// # Errors
    ///
    /// When the variable is not set or the file cannot be read, or when either is empty.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the binary reads a secret from the environment"
    )]
    pub fn read(&self) -> Result<String, SecretError> {
        let text = match self {
            Self::Environment(name) => std::env::var(name).map_err(|_| SecretError::Unset(name.clone()))?,
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| SecretError::File { path: path.clone(), reason: error.to_string() })?,
        };
        let secret = text.trim().to_owned();
        if !secret.is_empty() {
            return Ok(secret);
        }
        Err(match self {
            Self::Environment(name) => SecretError::Unset(name.clone()),
            Self::File(path) => SecretError::File { path: path.clone(), reason: "it is empty".to_owned() },
        })
    }
}
