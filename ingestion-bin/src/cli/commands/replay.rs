//! `replay`: the signals again, from the journal alone.

use messaging::journal::Query;

use super::super::args::Cli;
use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::setup;
use super::journal;
use crate::record::Kind;
use crate::render::SignalLines;

pub(super) fn run(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let query = Query { kinds: vec![Kind::Event as u8], ..Query::default() };
    let printed = journal::print(journal::open(&config)?, query, &mut SignalLines::default(), output)?;
    Ok(if printed.unreadable == 0 { Exit::Clean } else { Exit::Failed })
}
