//! `verify`: whether a log of signals, or a file of fills, keeps its promises, and whether the journal can be read.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use messaging::journal::{Done, Query};
use messaging::sink::Render;
use messaging::sink::lines::{Begin, Lines};
use messaging::storage::{DiskStorage, Storage};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use signal_domain::wire::v1::{GapV1, SignalV1};
use signal_domain::{Market, PositionSide, normalise_position};

use super::super::args::{Cli, Verify};
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup;
use super::{against, journal};
use crate::audit::{Against, Audit, Chain, Declared, Entry, Finding, Holes, Link, Report};
use crate::config::Config;
use crate::record::{Kind, RowKind};
use crate::render::{EventReader, SignalLines};
use crate::translate::exact;

pub(super) fn run(cli: &Cli, args: &Verify, output: &mut Output) -> Result<Exit, Failure> {
    let report = match &args.fills {
        Some(path) => fills(path)?,
        None => {
            let config = setup::configuration(cli)?;
            let directory = setup::existing_data(&config)?;
            let is_there = journal::place(&config)?.is_some();
            // Before the files are read: what is written by now is there.
            let written = is_there.then(|| written(&config)).transpose()?.flatten();
            let holes = is_there.then(|| journal::check(journal::open(&config)?)).transpose()?;
            let mut audit = Audit::default();
            let oldest = signals(directory, holes.as_ref(), &mut audit)?;
            if let Some(written) = written {
                beside(&config, Done { from: oldest.unwrap_or(written.from), ..written }, &mut audit)?;
            }
            let mut report = audit.finish();
            if let Some(holes) = holes {
                report.journal(holes);
            }
            if args.against_info {
                against::run(args, &config, &mut report)?;
            }
            report
        }
    };
    if output.json() {
        output.document(&report)?;
    } else {
        for finding in &report.findings {
            output.line(&format!(
                "{} {} {} {}: {}",
                finding.timestamp,
                finding.influencer_id,
                finding.market,
                finding.source_event_id,
                finding.finding
            ))?;
        }
        for part in &report.unreadable_parts {
            output.line(&part.to_string())?;
        }
        output.line(&format!(
            "{} {}, duplicates {}, order breaks {}, chain breaks {} of {} pairs, declared gaps {}, undeclared {}, in no file {}, unreadable parts of the journal {} ({} declared)",
            if args.fills.is_some() { "fills" } else { "signals" },
            report.signals,
            report.duplicates,
            report.order_breaks,
            report.chain_breaks,
            report.pairs,
            report.declared_gaps,
            report.undeclared,
            report.lost,
            report.unreadable,
            report.unreadable_declared,
        ))?;
    }
    if let Some(against) = report.against_info.as_ref().filter(|_| !output.json()) {
        tell_against(against, output)?;
    }
    Ok(if report.clean(args.strict) { Exit::Clean } else { Exit::Failed })
}

fn tell_against(against: &Against, output: &mut Output) -> Result<(), Failure> {
    let time = |ms: i64| Moment(ms).rfc3339();
    for window in &against.windows {
        let name = format!("{} {}", window.influencer_id, window.account);
        output.line(&if window.until < window.since {
            format!("{name}: nothing to compare, it is not certified far enough yet")
        } else {
            let history = match window.history_begins {
                None => "the venue's history is empty".to_owned(),
                Some(begins) => format!(
                    "{} rows of history, the first at {}, chain breaks {}",
                    window.rows,
                    time(begins),
                    window.history_breaks
                ),
            };
            format!("{name}: from {} to {}, {history}", time(window.since), time(window.until))
        })?;
    }
    output.line(&format!(
        "against the venue's history: accounts {}, compared {}, missing {} ({} declared), not in history {} ({} declared), \
         different {} ({} declared), without a signal {}, older than history {}, unreadable {}",
        against.accounts,
        against.compared,
        against.missing + against.missing_declared,
        against.missing_declared,
        against.phantoms + against.phantoms_declared,
        against.phantoms_declared,
        against.different + against.different_declared,
        against.different_declared,
        against.explained,
        against.beyond_history,
        against.unreadable,
    ))
}

/// What the sink of the signals has done with the journal, where it is one of files.
fn written(config: &Config) -> Result<Option<Done>, Failure> {
    journal::open(config)?.done("signals.file").map_err(|error| Failure::world("journal", error))
}

/// Takes the signals of the journal that were written.
fn beside(config: &Config, written: Done, audit: &mut Audit) -> Result<(), Failure> {
    let events = Query { kinds: vec![Kind::Event as u8], ..Query::default() };
    let (mut render, mut line) = (SignalLines::default(), Vec::new());
    journal::records(journal::open(config)?.select(events), |record| {
        line.clear();
        if !(written.from..written.to).contains(&record.position)
            || render.render(record, &mut line).is_none()
        {
            return Ok(());
        }
        let signal = SignalV1::decode(&line).map_err(|error| error.to_string());
        let entry = signal.and_then(|signal| entry(&signal));
        audit.written(&entry.map_err(|error| Failure::world(&format!("record {}", record.position), error))?);
        Ok(())
    })
}

/// Takes the gap records and the signals of the files. Answers the position of the oldest signal, where older ones were deleted.
fn signals(directory: &Path, journal: Option<&Holes>, audit: &mut Audit) -> Result<Option<u64>, Failure> {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage::new(directory));
    let failed = |error| Failure::world("verify", error);
    let mut gaps = Lines::open(Arc::clone(&storage), "gaps", Begin::Oldest).map_err(failed)?;
    while let Some(line) = gaps.next_line().map_err(failed)? {
        match GapV1::decode(line.bytes) {
            Ok(gap) => audit.gap(declared(&gap)),
            Err(error) => return Err(Failure::world(&format!("gap line at {:?}", line.place), error)),
        }
    }
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
            entry.map_err(|error| Failure::world(&format!("signal line at {:?}", line.place), error))?;
        audit.signal(&entry);
    }
    Ok(oldest.filter(|_| older_deleted))
}

/// A gap record as the audit takes it.
pub(super) fn declared(gap: &GapV1<'_>) -> Declared {
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

fn entry(signal: &SignalV1<'_>) -> Result<Entry, String> {
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
pub(super) fn after(signal: &SignalV1<'_>) -> Decimal {
    let size = exact(signal.size);
    if signal.side == PositionSide::Short { -size } else { size }
}

/// One line of a file of fills.
#[derive(Deserialize)]
struct FillLine<'a> {
    #[serde(default)]
    segment: Option<String>,
    user: String,
    #[serde(borrow)]
    fill: &'a RawValue,
}

/// A file of fills: only the chains of its perps can be audited, each segment's by itself.
fn fills(path: &Path) -> Result<Report, Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| Failure::world(&name, error))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(flate2::read::GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut chains: BTreeMap<(Option<String>, String, String), Chain> = BTreeMap::new();
    let (mut events, mut report) = (EventReader::default(), Report::default());
    for (number, line) in BufReader::new(reader).lines().enumerate() {
        let at =
            |error: &dyn std::fmt::Display| Failure::World(format!("{name} line {}: {error}", number + 1));
        let line = line.map_err(|error| at(&error))?;
        if line.trim().is_empty() {
            continue;
        }
        let row: FillLine<'_> = serde_json::from_str(&line).map_err(|error| at(&error))?;
        let fill = events.fill(RowKind::Fill, row.fill.get().as_bytes()).map_err(|error| at(&error))?;
        report.signals += 1;
        if !fill.market.kind().has_strict_chain() {
            continue;
        }
        let transition = fill.transition().map_err(|error| at(&error))?;
        let key = (row.segment, row.user, fill.market.name().to_owned());
        let (before, after) = (exact(transition.before()), exact(transition.after()));
        let link = chains.entry(key.clone()).or_default().follow(before, after);
        report.pairs += u64::from(link != Link::First);
        if let Link::Broken { expected } = link {
            report.chain_breaks += 1;
            report.undeclared += 1;
            let source_event_id = fill.source_event_id().map_err(|error| at(&error))?;
            report.name(|| Finding {
                influencer_id: key.1,
                market: key.2,
                timestamp: i64::try_from(fill.time).unwrap_or(i64::MAX),
                source_event_id,
                finding: format!("position {before}, but {expected} was left"),
                gap_id: None,
            });
        }
    }
    Ok(report)
}
