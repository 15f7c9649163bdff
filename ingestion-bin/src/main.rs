//! The `ingestion` command: arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use ingestion_bin::cli::{Cli, Failure, execute};

#[expect(clippy::print_stderr, reason = "the last word of a failed command")]
fn main() -> ExitCode {
    match execute(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // A reader that went away (`| head`) is no failure to tell anybody about.
            let text =
                if matches!(failure, Failure::OutputClosed) { String::new() } else { failure.to_string() };
            for line in text.lines().filter(|line| !line.is_empty()) {
                eprintln!("error: {line}");
            }
            failure.exit().into()
        }
    }
}
