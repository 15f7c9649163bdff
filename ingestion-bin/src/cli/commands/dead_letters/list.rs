//! `dead-letters list`: a line each for a person, with when its record was redriven; with `--json` the stored lines.

use messaging::storage::DiskStorage;
use observability::causes;
use signal_domain::wire::v1::DeadLetterV1;

use super::super::super::args::{Cli, Letters};
use super::super::super::exit::{Exit, Failure};
use super::super::super::moment::Moment;
use super::super::super::output::Output;
use super::super::super::setup;
use super::{source, wanted};
use crate::letters::{Redriven, Redrives, RepairStand, repairs};

pub(super) fn run(cli: &Cli, letters: &Letters, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let wanted = wanted(letters, &config)?;
    let storage = DiskStorage::new(setup::existing_data(&config)?);
    let redrives = Redrives::read(&storage).map_err(|error| Failure::World(causes(&error)))?;
    let repairs = repairs(&storage).map_err(|error| Failure::world("redrive", error))?;
    let mut count = 0_usize;
    source::read(&config, letters.kafka, |letter, line| {
        if !wanted.takes(letter) {
            return Ok(());
        }
        count += 1;
        if output.json() {
            return output.stored(line);
        }
        if count == 1 {
            output
                .line(&row(&["time", "reason", "stage", "account", "id", "bytes", "redriven"], "detail"))?;
        }
        output.line(&shown(letter, redrives.newest(letter.id), repairs.get(&letter.id).copied()))
    })?;
    if count == 0 && !output.json() {
        output.line("no dead letters")?;
    }
    Ok(Exit::Clean)
}

fn shown(letter: &DeadLetterV1<'_>, redriven: Option<&Redriven>, repair: Option<RepairStand>) -> String {
    let at = |ms: u64| Moment(i64::try_from(ms).unwrap_or(i64::MAX)).rfc3339();
    let absent = || "-".to_owned();
    let (time, id) = (at(letter.received_at_ns / 1_000_000), letter.id.to_string());
    let account = letter.account.map_or_else(absent, |account| account.to_string());
    let bytes = letter.length.map_or_else(absent, |bytes| bytes.to_string());
    let repair = || repair.map_or_else(absent, |stand| stand.word().to_owned());
    let redriven = redriven.map_or_else(repair, |redriven| at(redriven.redriven_at));
    let (reason, stage) = (letter.reason.as_str(), letter.stage.as_str());
    row(&[&time, reason, stage, &account, &id, &bytes, &redriven], &letter.detail)
}

fn row([time, reason, stage, account, id, bytes, redriven]: &[&str; 7], detail: &str) -> String {
    format!(
        "{time:<24}  {reason:<19}  {stage:<9}  {account:<42}  {id:<36}  {bytes:>8}  {redriven:<24}  {detail}"
    )
}
