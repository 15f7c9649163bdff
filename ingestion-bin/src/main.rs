//! The `ingestion` command: arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use ingestion_bin::cli::{Cli, execute};

#[expect(clippy::print_stderr, reason = "the last word of a failed command")]
fn main() -> ExitCode {
    match execute(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let text = failure.to_string();
            for line in text.lines().filter(|line| !line.is_empty()) {
                eprintln!("error: {line}");
            }
            failure.exit().into()
        }
    }
}
