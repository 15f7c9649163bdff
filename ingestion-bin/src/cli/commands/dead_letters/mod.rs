//! `dead-letters`: what could not be used, listed, and what a topic refused, sent again.

#[cfg(feature = "kafka")]
mod find;
mod list;
mod outcome;
mod redrive;
mod repair;
#[cfg(feature = "kafka")]
mod send;
mod source;

use std::fmt::Display;
use std::str::FromStr;

use signal_domain::Uuid;

use super::super::args::{Cli, DeadLetters, Letters};
use super::super::exit::{Exit, Failure};
use super::super::flags::Flags;
use super::super::output::Output;
use super::super::setup;
use super::raw::account;
use crate::config::{Config, Problems};
use crate::letters::Wanted;

pub(super) fn run(cli: &Cli, args: &DeadLetters, output: &mut Output) -> Result<Exit, Failure> {
    match args {
        DeadLetters::List(letters) => list::run(cli, letters, output),
        DeadLetters::Redrive(args) => redrive::run(cli, args, output),
    }
}

/// What the flags ask for; all that is wrong with them together.
fn wanted(letters: &Letters, config: &Config) -> Result<Wanted, Failure> {
    let mut flags = Flags::default();
    let reason = named(&mut flags, "--reason", letters.reason.as_deref());
    let stage = named(&mut flags, "--stage", letters.stage.as_deref());
    let ids = letters.ids.iter().filter_map(|id| flags.read("--id", id, id.parse::<Uuid>())).collect();
    let wrong = |problems| Failure::Usage(Problems(problems).to_string());
    let (reason, stage, ids) = flags.all((reason, stage, ids)).map_err(wrong)?;
    Ok(Wanted {
        reason,
        stage,
        ids,
        since: setup::moment("--since", letters.since.as_deref())?.map(|at| at.0),
        until: setup::moment("--until", letters.until.as_deref())?.map(|at| at.0),
        account: letters.account.as_deref().map(|text| account(config, text)).transpose()?,
    })
}

fn named<T: FromStr<Err: Display>>(flags: &mut Flags, flag: &str, text: Option<&str>) -> Option<T> {
    text.and_then(|text| flags.read(flag, text, text.parse()))
}
