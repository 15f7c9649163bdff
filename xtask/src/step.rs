//! One command of a chore: shown, run in the repository's root, its failure named.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why a chore did not do its work, in a line for the person who typed it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked for in words it does not know.
    Usage(String),
    /// A step failed, or something is missing.
    Failed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(line) | Self::Failed(line)) = self;
        f.write_str(line)
    }
}

/// A command to be run.
pub(crate) struct Step {
    command: Command,
    text: String,
}

impl Step {
    /// `cargo` with these words.
    pub(crate) fn cargo(words: &str) -> Self {
        let mut command = Command::new(env!("CARGO"));
        command.args(words.split_whitespace()).current_dir(root());
        Self { command, text: format!("cargo {words}") }
    }

    /// This program with these arguments.
    pub(crate) fn program(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(name);
        command.args(arguments).current_dir(root());
        Self { command, text: format!("{name} {}", arguments.join(" ")) }
    }

    /// With this variable set.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.text = format!("{name}=\"{value}\" {}", self.text);
        self
    }

    /// Runs it and shows what it prints.
    #[expect(clippy::disallowed_methods, reason = "how long a chore took is told to a person")]
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        println!("==> {}", self.text);
        let start = Instant::now();
        let status =
            self.command.status().map_err(|error| Failure::Failed(format!("{}: {error}", self.text)))?;
        if !status.success() {
            return Err(Failure::Failed(format!("failed: {}", self.text)));
        }
        println!("    {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Runs it and returns what it printed.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        println!("==> {}", self.text);
        let output = self.command.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| Failure::Failed(format!("{}: {error}", self.text)))?;
        if !output.status.success() {
            return Err(Failure::Failed(format!("failed: {}", self.text)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether it can be run at all, quietly.
    pub(crate) fn works(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

/// The value of an option that counts something.
pub(crate) fn number(name: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| Failure::Usage(format!("{name} {value}: wants a whole number")))
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}
