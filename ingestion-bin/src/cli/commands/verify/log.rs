//! The log of a data directory for the audit: signals and gap records from the files, and what the journal says of them.

use std::path::Path;
use std::sync::Arc;

use messaging::journal::{Done, Query, Record};
use messaging::sink::Render;
use messaging::sink::lines::{Begin, Lines};
use messaging::storage::DiskStorage;
use rust_decimal::Decimal;
use signal_domain::wire::v1::{GapV1, SignalV1};
use signal_domain::{Market, PositionSide, normalise_position};

use super::super::super::exit::Failure;
use super::super::journal;
use crate::audit::{Audit, Declared, Entry, Holes};
use crate::config::Config;
use crate::record::Kind;
use crate::render::{GapLines, SignalLines};
use crate::translate::exact;

/// What the sink of the signals has done with the journal.
pub(super) fn written(config: &Config, sink: &str) -> Result<Option<Done>, Failure> {
    journal::open(config)?.done(sink).map_err(|error| Failure::world("journal", error))
}

/// Takes the signals of the journal that were written.
pub(super) fn beside(config: &Config, written: Done, audit: &mut Audit) -> Result<(), Failure> {
    signals_of_journal(config, |position, signal| {
        if (written.from..written.to).contains(&position) {
            audit.written(&entry(signal)?);
        }
        Ok(())
    })
}

/// Gives `take` every signal of the journal with its position.
pub(super) fn signals_of_journal(
    config: &Config,
    mut take: impl FnMut(u64, &SignalV1<'_>) -> Result<(), String>,
) -> Result<(), Failure> {
    let events = Query { kinds: vec![Kind::Event as u8], ..Query::default() };
    let (mut render, mut line) = (SignalLines::default(), Vec::new());
    journal::records(journal::open(config)?.select(events), |record| {
        line.clear();
        if render.render(record, &mut line).is_none() {
            return Ok(());
        }
        let taken = SignalV1::decode(&line)
            .map_err(|error| error.to_string())
            .and_then(|signal| take(record.position, &signal));
        taken.map_err(|error| Failure::world(&format!("record {}", record.position), error))
    })
}

/// Takes the gap records of the files.
pub(super) fn gap_files(directory: &Path, audit: &mut Audit) -> Result<(), Failure> {
    let failed = |error| Failure::world("verify", error);
    let storage = Arc::new(DiskStorage::new(directory));
    let mut gaps = Lines::open(storage, "gaps", Begin::Oldest).map_err(failed)?;
    if gaps.older_deleted().map_err(failed)? {
        audit.older_gaps_deleted();
    }
    while let Some(line) = gaps.next_line().map_err(failed)? {
        match GapV1::decode(line.bytes) {
            Ok(gap) => audit.gap(declared(&gap)),
            Err(error) => return Err(Failure::world(&format!("gap line at {}", line.place), error)),
        }
    }
    Ok(())
}

/// Takes a gap record of the journal: one that no file has, because their sink writes none or deleted it, or a newer one.
pub(super) fn gap_record(record: &Record<'_>, audit: &mut Audit) -> Result<(), Failure> {
    let mut line = Vec::new();
    if GapLines.render(record, &mut line).is_some() {
        let gap = GapV1::decode(&line);
        let gap = gap.map_err(|error| Failure::world(&format!("record {}", record.position), error))?;
        audit.gap(declared(&gap));
    }
    Ok(())
}

/// Takes the signals of the files. Answers the position of the oldest, where older ones were deleted.
pub(super) fn signals(
    directory: &Path,
    journal: Option<&Holes>,
    audit: &mut Audit,
) -> Result<Option<u64>, Failure> {
    let failed = |error| Failure::world("verify", error);
    let storage = Arc::new(DiskStorage::new(directory));
    let mut lines = Lines::open(storage, "signals", Begin::Oldest).map_err(failed)?;
    let older_deleted = lines.older_deleted().map_err(failed)?;
    if older_deleted {
        audit.older_deleted();
    }
    let mut oldest = None;
    while let Some(line) = lines.next_line().map_err(failed)? {
        if oldest.is_none() && journal.is_some_and(|journal| journal.is_whole_from(line.place.file)) {
            audit.journal_is_whole();
        }
        oldest = oldest.or(Some(line.place.file));
        let entry =
            SignalV1::decode(line.bytes).map_err(|error| error.to_string()).and_then(|signal| entry(&signal));
        let entry =
            entry.map_err(|error| Failure::world(&format!("signal line at {}", line.place), error))?;
        audit.signal(&entry);
    }
    Ok(oldest.filter(|_| older_deleted))
}

/// A gap record as the audit takes it.
pub(in crate::cli) fn declared(gap: &GapV1<'_>) -> Declared {
    let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    Declared {
        gap_id: gap.gap_id.to_string(),
        influencer_id: gap.influencer_id.to_string(),
        market: gap.market.as_ref().map(ToString::to_string),
        kind: gap.kind.as_str().to_owned(),
        state: gap.state.as_str().to_owned(),
        span: (time(gap.from_time), time(gap.to_time)),
    }
}

pub(super) fn entry(signal: &SignalV1<'_>) -> Result<Entry, String> {
    let market = Market::from_name(&signal.market).map_err(|error| error.to_string())?;
    let before = match &signal.metadata.start_position {
        Some(text) if market.kind().has_strict_chain() => {
            let start = signal_domain::Decimal::parse(text).map_err(|error| error.to_string())?;
            Some(exact(normalise_position(start, market.kind())))
        }
        _ => None,
    };
    Ok(Entry {
        signal_id: signal.signal_id.to_string(),
        key: (signal.influencer_id.to_string(), signal.market.to_string()),
        epoch: signal.epoch,
        seq: signal.seq,
        time: i64::try_from(signal.timestamp).unwrap_or(i64::MAX),
        before,
        after: after(signal),
        late: signal.late,
        gap_id: signal.gap_id.map(|id| id.to_string()),
        source_event_id: signal.source_event_id.to_string(),
    })
}

/// The signed position after a signal.
pub(in crate::cli) fn after(signal: &SignalV1<'_>) -> Decimal {
    let size = exact(signal.size);
    if signal.side == PositionSide::Short { -size } else { size }
}
