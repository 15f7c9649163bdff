//! The journal of a data directory, read from outside: also while a service writes it.

use std::path::PathBuf;
use std::sync::Arc;

use messaging::journal::{Damage, Query, Read, Reader, Record};
use messaging::sink::Render;
use messaging::storage::DiskStorage;

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::setup;
use crate::audit::{Holes, Part};
use crate::config::Config;
use crate::record::{self, Body, Kind};

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

/// What the files of records take on the disk.
pub(super) fn stored_bytes(config: &Config) -> Result<u64, Failure> {
    let Some(place) = place(config)? else { return Ok(0) };
    let failed = |error| Failure::world(&format!("journal {}", place.display()), error);
    let mut bytes = 0;
    for entry in place.read_dir().map_err(failed)?.flatten() {
        // One that is deleted meanwhile counts nothing.
        let is_segment = entry.path().extension().is_some_and(|extension| extension == "seg");
        bytes += entry.metadata().ok().filter(|_| is_segment).map_or(0, |of| of.len());
    }
    Ok(bytes)
}

/// What came of printing.
pub(super) struct Printed {
    /// Parts that could not be read.
    pub(super) unreadable: u64,
    /// From the disk, indexes included.
    pub(super) bytes_read: u64,
}

/// Prints the lines that `render` makes of the records `query` wants and, on stderr, what cannot be read.
pub(super) fn print(
    reader: Reader,
    query: Query,
    render: &mut impl Render,
    output: &mut Output,
) -> Result<Printed, Failure> {
    let mut line = Vec::new();
    let mut unreadable = 0;
    let mut reader = reader.select(query);
    read(&mut reader, |met| match met {
        Met::Record(record) => {
            line.clear();
            if render.render(record, &mut line).is_some() { output.stored(&line) } else { Ok(()) }
        }
        Met::Unreadable(segment, part) => {
            unreadable += 1;
            tell(&format!("unreadable: {part} of segment {segment}"));
            Ok(())
        }
    })?;
    Ok(Printed { unreadable, bytes_read: reader.bytes_read() })
}

/// Hands on every record that can be read; answers what cannot, and what of it is declared.
pub(super) fn check(
    mut reader: Reader,
    mut take: impl FnMut(&Record<'_>) -> Result<(), Failure>,
) -> Result<Holes, Failure> {
    let mut holes = Holes::default();
    read(&mut reader, |met| {
        match met {
            Met::Unreadable(segment, part) => holes.unreadable(segment, part),
            Met::Record(record) => {
                holes.record(record.position);
                take(record)?;
                if record.kind == Kind::Passed as u8
                    && let Some(Body::Passed { from, to }) =
                        record::decode(record).map_err(|error| Failure::world("journal", error))?
                {
                    holes.passed(from, to);
                }
            }
        }
        Ok(())
    })?;
    Ok(holes)
}

/// Every record that can be read.
pub(super) fn records(
    mut reader: Reader,
    mut take: impl FnMut(&Record<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read(&mut reader, |met| match met {
        Met::Record(record) => take(record),
        Met::Unreadable(..) => Ok(()),
    })
}

/// What a reader meets.
enum Met<'a> {
    Record(&'a Record<'a>),
    /// A part of the segment that begins with this position.
    Unreadable(u64, Part),
}

fn read(reader: &mut Reader, mut take: impl FnMut(Met<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
    loop {
        match reader.next().map_err(|error| Failure::world("journal", error))? {
            None => return Ok(()),
            Some(Read::Record(record)) => take(Met::Record(&record))?,
            Some(Read::PassedOver(damaged)) => {
                let part = if damaged.header { Part::Header } else { Part::Checkpoint };
                take(Met::Unreadable(damaged.segment, part))?;
            }
            Some(Read::Damage(Damage { from, to, segment, offset })) => {
                take(Met::Unreadable(segment, Part::Records { offset, from, to }))?;
            }
            Some(Read::Gone { .. }) => {}
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command tells the person what it could not read")]
pub(super) fn tell(line: &str) {
    eprintln!("{line}");
}
