//! `topics`: makes the topics of the configuration, and sends again what they have lost.

#[cfg(feature = "kafka")]
mod create;
#[cfg(feature = "kafka")]
mod resend;

use super::super::args::{Cli, Topics};
use super::super::exit::{Exit, Failure};
use super::super::output::Output;

#[cfg(feature = "kafka")]
pub(super) fn run(cli: &Cli, args: &Topics, output: &mut Output) -> Result<Exit, Failure> {
    match args {
        Topics::Create { partitions } => create::run(cli, *partitions, output),
        Topics::Resend(args) => resend::run(cli, args, output),
    }
}

#[cfg(not(feature = "kafka"))]
pub(super) fn run(cli: &Cli, _: &Topics, _: &mut Output) -> Result<Exit, Failure> {
    super::super::setup::configuration(cli)?;
    Err(Failure::Usage("this build has no Kafka (feature \"kafka\")".to_owned()))
}
