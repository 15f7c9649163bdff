//! Why a server is not there: the machine lacks something (the test is skipped), or what is there did not do its work (the test fails).

use std::fmt;
use std::io::Write as _;

/// What the machine lacks, and what to type: one line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Missing(String);

impl Missing {
    pub(crate) fn new(line: impl fmt::Display) -> Self {
        Self(line.to_string().replace('\n', " "))
    }
}

/// What did not work, and the last lines of what it printed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Failed {
    what: String,
    log: String,
}

impl Failed {
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), log: String::new() }
    }

    /// With the last lines of this.
    pub(crate) fn with_log(self, log: &str) -> Self {
        const LINES_MAX: usize = 25;
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.get(lines.len().saturating_sub(LINES_MAX)..).unwrap_or_default();
        Self { log: last.join("\n"), ..self }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.log.is_empty() { Ok(()) } else { write!(f, "; its last lines:\n{}", self.log) }
    }
}

/// Why a server cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// The machine lacks something: skip.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It did not work: fail.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// Says that this test was not done, past the test harness's capture: a skipped test must be seen.
pub fn skipped(test: &str, why: &Missing) {
    let line = format!("SKIPPED: {test}: {why}\n");
    let _ = std::io::stdout().write_all(line.as_bytes()); // a closed stdout fails no test
}

/// What was got; nothing, with the one line, where the machine lacks something.
///
/// # Panics
/// When it is there and did not work: that is the test's failure.
pub fn or_skip<T>(test: &str, got: Result<T, Error>) -> Option<T> {
    match got {
        Ok(got) => Some(got),
        Err(Error::Missing(why)) => {
            skipped(test, &why);
            None
        }
        Err(Error::Failed(failed)) => panic!("{test}: {failed}"),
    }
}
