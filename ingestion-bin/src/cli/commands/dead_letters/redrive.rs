//! `dead-letters redrive`: which letters, what was redriven before, and what became of each. Beside a running service: the journal is only
//! read here.

use messaging::storage::DiskStorage;
use observability::causes;
use signal_domain::{Reason, Uuid};

use super::super::super::args::{Cli, Redrive};
use super::super::super::exit::{Exit, Failure};
use super::super::super::output::Output;
use super::super::super::setup;
use super::outcome::{Outcome, Tally};
#[cfg(feature = "kafka")]
use super::send::all as send;
use super::{repair, source, wanted};
use crate::letters::{Ledger, Redrives, Selection};

pub(super) fn run(cli: &Cli, args: &Redrive, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let wanted = wanted(&args.letters, &config)?;
    let storage = DiskStorage::new(setup::existing_data(&config)?);
    let failed = |error| Failure::World(causes(&error));
    // Before the ledger is read: another redrive may be writing it.
    let mut ledger = (!args.dry_run).then(|| Ledger::open(&storage)).transpose().map_err(failed)?;
    let redrives = Redrives::read(&storage).map_err(failed)?;
    let given = given(args, &wanted.ids)?;
    let is_named = !wanted.ids.is_empty()
        || wanted.stage.is_some()
        || wanted.reason.is_some_and(|reason| reason != Reason::RejectedBySink);
    let mut selection = Selection::new(args.again, is_named);
    source::read(&config, args.letters.kafka, |letter, _| {
        if wanted.takes(letter) {
            selection.take(letter, &redrives);
        }
        Ok(())
    })?;
    let mut tally = Tally::default();
    for id in selection.missing(&wanted.ids) {
        let nobody = Outcome::Skipped("no dead letter has this id".to_owned());
        tally.tell(*id, None, &nobody, output)?;
    }
    for (id, why) in selection.skipped() {
        tally.tell(*id, None, &Outcome::Skipped(why.to_owned()), output)?;
    }
    for letter in selection.unread() {
        let asked = repair::ask(&storage, letter, given.as_deref(), args.again, args.dry_run);
        let outcome = asked.map_err(|error| Failure::world(&format!("request for {}", letter.id), error))?;
        tally.tell(letter.id, None, &outcome, output)?;
    }
    if selection.candidates().len() > 0 {
        send(&config, &selection, ledger.as_mut(), &mut tally, output)?;
    }
    if !output.json() {
        output.line(&tally.words(selection.done()))?;
    }
    Ok(tally.exit())
}

/// What a person repaired.
fn given(args: &Redrive, ids: &[Uuid]) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &args.payload else { return Ok(None) };
    if ids.len() != 1 {
        return Err(Failure::Usage("--payload is that of one letter: one --id".to_owned()));
    }
    let read = std::fs::read(path).map_err(|error| Failure::world(&path.display().to_string(), error))?;
    Ok(Some(read.trim_ascii().to_vec()))
}

/// There is no cluster to send to.
#[cfg(not(feature = "kafka"))]
fn send(
    _: &crate::config::Config,
    selection: &Selection,
    _: Option<&mut Ledger>,
    tally: &mut Tally,
    output: &mut Output,
) -> Result<(), Failure> {
    for letter in selection.candidates() {
        let nothing = Outcome::Skipped("this build has no Kafka (feature \"kafka\")".to_owned());
        tally.tell(letter.id, Some(&letter.refused), &nothing, output)?;
    }
    Ok(())
}
