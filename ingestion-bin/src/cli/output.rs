//! Standard output: the one place that writes it. Venue text is made printable; a closed pipe ends the command quietly.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use serde::Serialize;

use super::exit::Failure;

/// Where a command's result goes.
pub struct Output {
    stdout: BufWriter<Stdout>,
    /// Something was written since the last flush.
    dirty: bool,
    json: bool,
}

impl Output {
    /// Standard output; `json` as asked by `--json`.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { stdout: BufWriter::new(io::stdout()), dirty: false, json }
    }

    /// Whether JSON was asked for.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether a person looks on.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.stdout.get_ref().is_terminal()
    }

    /// One line for people.
    ///
    /// # Errors
    ///
    /// When the output is closed or cannot be written.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.dirty = true;
        let written =
            self.stdout.write_all(printable(text).as_bytes()).and_then(|()| self.stdout.write_all(b"\n"));
        written.map_err(|error| failed(&error))
    }

    /// One line exactly as stored, without its line end.
    ///
    /// # Errors
    ///
    /// When the output is closed or cannot be written.
    pub fn stored(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.dirty = true;
        self.stdout
            .write_all(line)
            .and_then(|()| self.stdout.write_all(b"\n"))
            .map_err(|error| failed(&error))
    }

    /// One JSON document on a line.
    ///
    /// # Errors
    ///
    /// When the output is closed or cannot be written.
    pub fn document(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_vec(value).map_err(|error| Failure::world("output", error))?;
        self.stored(&text)
    }

    /// Hands everything to the operating system. Touches standard output only when there is something: `run` shows signals from
    /// another thread, which may hold its lock for ever where nobody reads a full pipe.
    ///
    /// # Errors
    ///
    /// When the output is closed or cannot be written.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.stdout.flush().map_err(|error| failed(&error))
    }
}

fn failed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::OutputClosed
    } else {
        Failure::world("standard output", error)
    }
}

/// `text` without control characters, which could play tricks on a terminal.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}
