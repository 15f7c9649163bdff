//! The command line: what can be asked, and how it ends.
//!
//! Exit codes: 0 clean, 1 failed or findings, 2 usage, 64 bad configuration. Output goes to stdout, logs and errors to stderr,
//! text from the venue is stripped of control characters.

mod args;
mod exit;
mod moment;
mod output;

pub use args::{Cli, Command};
pub use exit::{Exit, Failure};
pub use moment::{Moment, MomentError};
pub use output::{Output, printable};
