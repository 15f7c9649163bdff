//! How a command ends.

use std::process::ExitCode;

use crate::config::Problems;

/// The exit codes, a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// Done, nothing found.
    Clean,
    /// Failed, or found what was looked for.
    Failed,
    /// Asked wrongly.
    Usage,
    /// The configuration is wrong.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Configuration => 64,
        })
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong; all problems, a line each.
    #[error("{0}")]
    Configuration(#[from] Problems),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// Something in the world stands in the way (a directory, a port, a server).
    #[error("{0}")]
    World(String),
    /// Nobody reads our output any more (`| head`).
    #[error("output closed")]
    OutputClosed,
}

impl Failure {
    /// The code this failure ends with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) => Exit::Configuration,
            Self::Usage(_) => Exit::Usage,
            Self::World(_) => Exit::Failed,
            Self::OutputClosed => Exit::Clean,
        }
    }

    /// A failure of the world, with what was tried.
    #[must_use]
    pub fn world(what: &str, error: impl std::fmt::Display) -> Self {
        Self::World(format!("{what}: {error}"))
    }
}
