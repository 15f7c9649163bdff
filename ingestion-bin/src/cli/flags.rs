//! Values of flags that are text to the command line's parser: each is read, and what is wrong of all of them is told together.

use std::fmt::Display;

use hyperliquid_client::sim::FaultSpec;

use crate::config::Problem;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Flags {
    wrong: Vec<Problem>,
}

impl Flags {
    /// The value of a flag, or another problem.
    pub(super) fn read<T, E: Display>(&mut self, flag: &str, text: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.wrong.push(Problem::of_argument(flag, text, &error))).ok()
    }

    /// The faults of `--fault`.
    pub(super) fn faults(&mut self, texts: &[String]) -> Vec<FaultSpec> {
        let parsed = |text: &String| {
            let spec = text.parse::<FaultSpec>().map_err(|error| error.problem);
            self.read("--fault", text, spec)
        };
        texts.iter().filter_map(parsed).collect()
    }

    /// What was read, where all of it was right.
    pub(super) fn all<T>(self, read: T) -> Result<T, Vec<Problem>> {
        if self.wrong.is_empty() { Ok(read) } else { Err(self.wrong) }
    }
}
