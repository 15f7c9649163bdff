//! The journal of a data directory, read from outside: also while a service writes it.

use std::path::PathBuf;
use std::sync::Arc;

use messaging::journal::{Query, Read, Reader, Record};
use messaging::sink::Render;
use messaging::storage::DiskStorage;
use tracing::warn;

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::setup;
use crate::config::Config;

/// A reader of the journal from its oldest record on.
pub(super) fn open(config: &Config) -> Result<Reader, Failure> {
    let Some(place) = place(config)? else {
        return Err(Failure::World(format!("there is no journal in {}", config.data_dir.display())));
    };
    let storage = Arc::new(DiskStorage::new(&place));
    Reader::open(storage, 0).map_err(|error| Failure::world(&format!("journal {}", place.display()), error))
}

/// Where the journal is, if there is one.
pub(super) fn place(config: &Config) -> Result<Option<PathBuf>, Failure> {
    Ok(Some(setup::existing_data(config)?.join("journal")).filter(|place| place.is_dir()))
}

/// Prints the lines that `render` makes of the records `query` wants; answers how many parts could not be read.
pub(super) fn print(
    reader: Reader,
    query: Query,
    render: &mut impl Render,
    output: &mut Output,
) -> Result<u64, Failure> {
    let mut line = Vec::new();
    read(reader.select(query), |record| {
        line.clear();
        if render.render(record, &mut line).is_some() {
            output.stored(&line)?;
        }
        Ok(())
    })
}

/// Reads everything; answers how many parts could not be read.
pub(super) fn check(reader: Reader) -> Result<u64, Failure> {
    read(reader, |_| Ok(()))
}

fn read(
    mut reader: Reader,
    mut take: impl FnMut(&Record<'_>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut unreadable = 0;
    loop {
        match reader.next().map_err(|error| Failure::world("journal", error))? {
            None => return Ok(unreadable),
            Some(Read::Record(record)) => take(&record)?,
            Some(Read::PassedOver(damaged)) => {
                unreadable += 1;
                let part = if damaged.header { "header" } else { "checkpoint" };
                warn!(part, segment = damaged.segment, "unreadable");
                tell(&format!("unreadable: the {part} of segment {}; its records are not", damaged.segment));
            }
            Some(Read::Damage(damage)) => {
                unreadable += 1;
                warn!(from = damage.from, to = damage.to, segment = damage.segment, "unreadable");
                tell(&format!(
                    "unreadable: positions {} to {} of segment {}",
                    damage.from, damage.to, damage.segment
                ));
            }
            Some(Read::Gone { .. }) => {}
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command tells the person what it could not read")]
fn tell(line: &str) {
    eprintln!("{line}");
}
