//! A command that ends: run under `timeout` of coreutils, so that it has an end also when we have had ours.

use std::ffi::{OsStr, OsString};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Failed;

/// What a command printed.
pub(crate) struct Ran {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// One command, not run yet.
pub(crate) struct Bounded<'a> {
    pub(crate) words: Vec<&'a OsStr>,
    pub(crate) folder: Option<&'a Path>,
    pub(crate) input: &'a [u8],
    pub(crate) limit: Duration,
}

impl<'a> Bounded<'a> {
    pub(crate) fn new(program: &'a (impl AsRef<OsStr> + ?Sized), limit: Duration) -> Self {
        Self { words: vec![program.as_ref()], folder: None, input: &[], limit }
    }

    /// A program and its arguments in one.
    pub(crate) fn of(words: &'a [OsString], limit: Duration) -> Self {
        Self { words: words.iter().map(AsRef::as_ref).collect(), folder: None, input: &[], limit }
    }

    pub(crate) fn args<T: AsRef<OsStr>>(mut self, words: &'a [T]) -> Self {
        self.words.extend(words.iter().map(AsRef::as_ref));
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<Ran, Failed> {
        let name = self.words.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let cannot = |error: std::io::Error| Failed::new(format!("{name} cannot be run: {error}"));
        let mut command = Command::new("timeout");
        command.arg("--kill-after=1").arg(self.limit.as_secs().max(1).to_string()).args(self.words);
        command.env("DEBIAN_FRONTEND", "noninteractive"); // only apt-get reads it
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        command.stdin(if self.input.is_empty() {
            Stdio::null()
        } else {
            file_of(self.input).map_err(cannot)?
        });
        let output = command.output().map_err(cannot)?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(124 | 137) => {
                Err(Failed::new(format!("{name} did not end within {} s", self.limit.as_secs()))
                    .with_log(&(out + &err)))
            }
            code => Ok(Ran { ok: code == Some(0), out, err }),
        }
    }

    /// Runs it; anything but success is a failure that shows what it printed.
    pub(crate) fn output(self) -> Result<String, Failed> {
        let shown = self.words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let ran = self.run()?;
        if ran.ok {
            Ok(ran.out)
        } else {
            Err(Failed::new(format!("failed: {shown}")).with_log(&(ran.out + &ran.err)))
        }
    }
}

/// A file and not a pipe: nobody has to write while the command runs.
fn file_of(input: &[u8]) -> std::io::Result<Stdio> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}
