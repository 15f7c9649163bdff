//! The commands, a file each.

mod against;
mod check;
mod dead_letters;
mod history;
mod influencers;
mod inspect;
mod journal;
mod raw;
mod replay;
mod run;
mod signals;
mod sim_venue;
mod status;
mod topics;
mod verify;

use super::{Cli, Command, Exit, Failure, Output};

/// Carries out what was asked.
///
/// # Errors
///
/// [`Failure`]: to be told on stderr; its code ends the process.
pub fn execute(cli: &Cli) -> Result<Exit, Failure> {
    let mut output = Output::new(cli.json);
    let exit = match &cli.command {
        Command::Run(args) => run::run(cli, args, &mut output)?,
        Command::Check => check::run(cli, &mut output)?,
        Command::Status => status::run(cli, &mut output)?,
        Command::Influencers(args) => influencers::run(cli, args, &mut output)?,
        Command::Signals(args) => signals::run(cli, args, &mut output)?,
        Command::Raw(args) => raw::run(cli, args, &mut output)?,
        Command::Replay => replay::run(cli, &mut output)?,
        Command::Verify(args) => verify::run(cli, args, &mut output)?,
        Command::DeadLetters(args) => dead_letters::run(cli, args, &mut output)?,
        Command::History(args) => history::run(cli, args, &mut output)?,
        Command::Inspect(args) => inspect::run(cli, args, &mut output)?,
        Command::Topics(args) => topics::run(cli, args, &mut output)?,
        Command::SimVenue(args) => sim_venue::run(args, &mut output)?,
    };
    output.flush()?;
    Ok(exit)
}
