//! The command line: what can be asked, and how it ends.
//!
//! Exit codes: 0 clean, 1 failed or findings, 2 usage, 64 bad configuration. Output goes to stdout, logs and errors to stderr,
//! text from the venue is stripped of control characters.

pub mod args;
mod commands;
mod exit;
mod fit;
mod flags;
mod followed;
mod moment;
mod output;
mod setup;
mod table;
mod venue;

pub use args::{Cli, Command};
pub use commands::execute;
pub use exit::{Exit, Failure};
pub use moment::{Moment, MomentError};
pub use output::{Output, printable};
