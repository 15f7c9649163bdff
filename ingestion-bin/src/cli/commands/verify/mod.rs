//! `verify`: whether a log of signals, or a file of fills, keeps its promises, and whether the journal can be read.

mod fills;
mod log;
#[cfg(feature = "kafka")]
mod topic;

use messaging::journal::Done;

use super::super::args::{Cli, Verify};
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup;
use super::{against, journal};
use crate::audit::{Against, Audit};
use crate::config::{Config, SinkKind};
use fills::fills;
pub(super) use log::{after, declared};
#[cfg(feature = "kafka")]
pub(super) use topic::read as read_topic;

pub(super) fn run(cli: &Cli, args: &Verify, output: &mut Output) -> Result<Exit, Failure> {
    let report = match &args.fills {
        Some(path) => fills(path)?,
        None => {
            let config = setup::configuration(cli)?;
            let directory = setup::existing_data(&config)?;
            let is_there = journal::place(&config)?.is_some();
            // Before the files are read: what is written by now is there.
            let kind = if args.kafka { SinkKind::Kafka } else { SinkKind::File };
            let sink = config.storage.signals.cursor("signals", kind);
            let written = is_there.then(|| log::written(&config, &sink)).transpose()?.flatten();
            let mut audit = Audit::default();
            let place = Place::of(args, &config)?;
            if config.storage.gaps.kind == SinkKind::Kafka {
                place.gaps(&config, &mut audit)?;
            }
            log::gap_files(directory, &mut audit)?;
            let holes = if is_there {
                Some(journal::check(journal::open(&config)?, |record| log::gap_record(record, &mut audit))?)
            } else {
                None
            };
            let written = match place.signals(&config, is_there, &mut audit)? {
                // What the topic has forgotten is not missed.
                Some(is_whole) => written.filter(|_| is_whole),
                None => {
                    let oldest = log::signals(directory, holes.as_ref(), &mut audit)?;
                    written.map(|written| Done { from: oldest.unwrap_or(written.from), ..written })
                }
            };
            if let Some(written) = written {
                log::beside(&config, written, &mut audit)?;
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
            "{} {}, duplicates {}, order breaks {}, chain breaks {} of {} pairs, declared gaps {}, undeclared {}, {} {}, unreadable parts of the journal {} ({} declared)",
            if args.fills.is_some() { "fills" } else { "signals" },
            report.signals,
            report.duplicates,
            report.order_breaks,
            report.chain_breaks,
            report.pairs,
            report.declared_gaps,
            report.undeclared,
            if args.kafka { "not in the topic" } else { "in no file" },
            report.lost,
            report.unreadable,
            report.unreadable_declared,
        ))?;
    }
    if args.kafka && !output.json() {
        output.line(&format!(
            "repeats {}, refused by the topic and kept as dead letters {}, redriven by now {}, sent again after a loss {}",
            report.repeats, report.refused, report.redriven, report.resent
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

/// Where the log is, beside the files.
enum Place {
    Files,
    #[cfg(feature = "kafka")]
    Topics(messaging::kafka::KafkaConfig),
}

impl Place {
    #[cfg(feature = "kafka")]
    fn of(args: &Verify, config: &Config) -> Result<Self, Failure> {
        if args.kafka { topic::cluster(config).map(Self::Topics) } else { Ok(Self::Files) }
    }

    #[cfg(not(feature = "kafka"))]
    fn of(args: &Verify, _: &Config) -> Result<Self, Failure> {
        let missing = || Failure::Usage("--kafka: this build has no Kafka (feature \"kafka\")".to_owned());
        if args.kafka { Err(missing()) } else { Ok(Self::Files) }
    }

    /// Takes the gap records that are in a topic.
    #[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "there are no topics"))]
    fn gaps(&self, config: &Config, audit: &mut Audit) -> Result<(), Failure> {
        match self {
            Self::Files => Ok(()),
            #[cfg(feature = "kafka")]
            Self::Topics(cluster) => topic::gaps(config, cluster, audit),
        }
    }

    /// Takes the signals that are in a topic; whether it begins with its first message. Nothing where they are in files.
    #[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "there are no topics"))]
    fn signals(&self, config: &Config, is_there: bool, audit: &mut Audit) -> Result<Option<bool>, Failure> {
        match self {
            Self::Files => Ok(None),
            #[cfg(feature = "kafka")]
            Self::Topics(cluster) => {
                if is_there {
                    topic::resent(config, audit)?;
                    topic::refused(config, audit)?;
                }
                topic::signals(config, cluster, audit).map(Some)
            }
        }
    }
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
