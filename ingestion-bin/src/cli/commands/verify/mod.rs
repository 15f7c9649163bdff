//! `verify`: whether a log of signals, or a file of fills, keeps its promises, and whether the journal can be read.

mod fills;
mod log;

use messaging::journal::Done;

use super::super::args::{Cli, Verify};
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup;
use super::{against, journal};
use crate::audit::{Against, Audit};
use fills::fills;
pub(super) use log::{after, declared};

pub(super) fn run(cli: &Cli, args: &Verify, output: &mut Output) -> Result<Exit, Failure> {
    let report = match &args.fills {
        Some(path) => fills(path)?,
        None => {
            let config = setup::configuration(cli)?;
            let directory = setup::existing_data(&config)?;
            let is_there = journal::place(&config)?.is_some();
            // Before the files are read: what is written by now is there.
            let written = is_there.then(|| log::written(&config)).transpose()?.flatten();
            let mut audit = Audit::default();
            log::gap_files(directory, &mut audit)?;
            let holes = if is_there {
                Some(journal::check(journal::open(&config)?, |record| log::gap_record(record, &mut audit))?)
            } else {
                None
            };
            let oldest = log::signals(directory, holes.as_ref(), &mut audit)?;
            if let Some(written) = written {
                log::beside(&config, Done { from: oldest.unwrap_or(written.from), ..written }, &mut audit)?;
            }
            let mut report = audit.finish();
            report.without_journal = !is_there;
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
    if report.without_journal && !output.json() {
        output.line("there is no journal: what the files say was audited, and nothing beside it")?;
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
