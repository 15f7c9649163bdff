//! The configured sinks: each a thread and a cursor over the journal.
//!
//! Files, the output and what is read for them end at what is synced; a topic may be ahead of that (`journal.publish_after`).

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use messaging::journal::{Cursor, From, Journal, Limit, PassedOver, Progress, Reader, Ticket, Waited};
use messaging::sink::{
    Ended, FileSink, FileSinkConfig, Hole, Owner, PausedSink, Pump, PumpConfig, Rejected, Render, Sink,
    SinkStatus, SinkThread, SinkWatch, StdoutSink, Verdict,
};
use messaging::storage::Storage;
use observability::Telemetry;
use signal_domain::Uuid;
use tracing::warn;

use super::desk::Desk;
use super::events::{FrontDamaged, JournalDamaged};
use super::lost::{began_earlier, lost_signals};
use super::rejects::Rejects;
use super::service::StartError;
#[cfg(feature = "kafka")]
use super::topics::{Figures, Topics};
use crate::config::{Config, SignalKey, SinkKind, SinkSettings, StartFrom};
use crate::render::{DeadLetterLines, GapLines, Labelled, RawFilter, RawLines, SignalLines, StateLines};

pub(super) struct Sinks {
    threads: Vec<(&'static str, SinkThread)>,
    /// Switched off for now; they hold their place.
    paused: Vec<(&'static str, PausedSink)>,
    #[cfg(feature = "kafka")]
    figures: Arc<Figures>,
    #[cfg(feature = "kafka")]
    _auditor: Option<messaging::kafka::Auditor>,
}

/// Declares what a sink will never get, before it passes on.
struct Declare {
    telemetry: Telemetry,
    /// The hole that was named already.
    named: Option<(u64, u64)>,
    duty: Duty,
    stream: &'static str,
    rejects: Rejects,
    /// The dead letter that is not durable yet, and the record it stands for.
    letter: Option<(u64, Ticket)>,
}

/// What consumers of a stream must be told when a part of it is lost.
enum Duty {
    /// Of every influencer and market whose numbers jump: a gap record.
    Signals(Lookout),
    /// All gaps as they are now.
    Gaps(Lookout),
    /// Nothing: their lines have no numbers. It is logged, counted and shown.
    Nothing,
}

/// What is needed to find out, and to have it recorded.
#[derive(Clone)]
struct Lookout {
    journal: Arc<Reader>,
    progress: Arc<Progress>,
    desk: Desk,
    /// What this run's start could not read.
    doubted: Arc<Vec<(u64, u64)>>,
}

/// How long one question may take; then the sink asks again.
const PATIENCE: Duration = Duration::from_secs(1);

impl Owner for Declare {
    fn on_hole(&mut self, hole: &Hole) -> Verdict {
        let (from, to) = hole.span();
        if self.named.replace((from, to)) != Some((from, to)) {
            let segment = match hole {
                Hole::Damage(damage) => damage.segment,
                Hole::Gone { .. } => 0,
            };
            self.telemetry.emit(&JournalDamaged { from, to, segment });
        }
        let declared = match &self.duty {
            Duty::Signals(lookout) => lookout.declare_lost(hole),
            Duty::Gaps(lookout) => lookout.restate_gaps(),
            Duty::Nothing => Some(()),
        };
        if declared.is_some() { Verdict::Pass } else { Verdict::Wait }
    }

    fn on_rejected(&mut self, rejected: &Rejected) -> Verdict {
        self.rejects.keep(self.stream, rejected, &mut self.letter, &self.telemetry)
    }

    fn on_passed_over(&mut self, damaged: &PassedOver) {
        self.telemetry.emit(&FrontDamaged { damaged });
    }
}

impl Lookout {
    /// Finds the signals that lie in the hole and has their gaps recorded, and that it did. Nothing when that is not durable yet:
    /// asked again, it begins anew and records no gap twice.
    fn declare_lost(&self, hole: &Hole) -> Option<()> {
        let (handed_over, live) = self.desk.numbers(PATIENCE)?;
        self.durable(handed_over)?;
        match lost_signals(&self.journal, hole, &live, &self.doubted) {
            Ok(lost) => self.durable(self.desk.declare(lost, hole.span(), PATIENCE)?),
            Err(error) => {
                warn!(%error, "what a sink lost cannot be looked up now");
                None
            }
        }
    }

    fn restate_gaps(&self) -> Option<()> {
        self.durable(self.desk.restate_gaps(PATIENCE)?)
    }

    fn durable(&self, ticket: Ticket) -> Option<()> {
        (self.progress.wait_synced(ticket, PATIENCE) == Waited::Reached).then_some(())
    }
}

impl Sinks {
    /// Opens all sinks and starts their threads; then old segments may go.
    pub(super) fn start(
        config: &Config,
        journal: &Journal,
        data: &Arc<dyn Storage>,
        telemetry: &Telemetry,
        desk: Desk,
        doubted: Vec<(u64, u64)>,
    ) -> Result<Self, StartError> {
        let lookout = Lookout {
            journal: Arc::new(journal.reader(0, Limit::Synced)),
            progress: journal.progress(),
            desk,
            doubted: Arc::new(doubted),
        };
        let settings = &config.storage;
        let mut opening = Opening {
            journal,
            data,
            telemetry,
            rejects: Rejects::new(journal, config.kafka.on_reject),
            #[cfg(feature = "kafka")]
            topics: Topics::of(config, telemetry)?,
            threads: Vec::new(),
            paused: Vec::new(),
        };
        let signals = || signal_lines(settings.signal_key);
        opening.open("signals", &settings.signals, Duty::Signals(lookout.clone()), signals)?;
        opening.open("gaps", &settings.gaps, Duty::Gaps(lookout), || GapLines)?;
        opening.open("dead_letters", &settings.dead_letters, Duty::Nothing, DeadLetterLines::default)?;
        opening.open("state", &settings.positions, Duty::Nothing, StateLines::default)?;
        let identity = journal.id().to_string().parse().unwrap_or(Uuid::nil());
        opening
            .open("raw", &settings.raw, Duty::Nothing, || RawLines::new(identity, RawFilter::default()))?;
        #[cfg(feature = "kafka")]
        let (figures, auditor) = opening.topics.take().map(Topics::split).unwrap_or_default();
        let Opening { threads, paused, .. } = opening;
        journal.allow_deletion();
        Ok(Self {
            threads,
            paused,
            #[cfg(feature = "kafka")]
            figures: Arc::new(figures),
            #[cfg(feature = "kafka")]
            _auditor: auditor,
        })
    }

    /// Views of all sinks. A stream that is paused in several places is as far behind as the worst of them.
    pub(super) fn watches(&self) -> Vec<(&'static str, SinkWatch)> {
        let mut paused: Vec<_> = self.paused.iter().collect();
        paused.sort_by_key(|(name, sink)| (*name, sink.position()));
        paused.dedup_by_key(|(name, _)| *name);
        let paused = paused.into_iter().map(|(name, sink)| (*name, sink.watch()));
        self.threads.iter().map(|(name, thread)| (*name, thread.watch().clone())).chain(paused).collect()
    }

    /// Those that others read too: topics, or where there is none all of them.
    #[cfg(feature = "redis")]
    pub(super) fn shared(&self, config: &Config) -> Vec<SinkWatch> {
        let sinks = config.storage.sinks();
        let is_topic =
            |name: &str| sinks.iter().any(|(of, sink)| *of == name && sink.kind == SinkKind::Kafka);
        let watches = |only_topics: bool| {
            let some = self.threads.iter().filter(move |(name, _)| !only_topics || is_topic(name));
            some.map(|(_, thread)| thread.watch().clone()).collect::<Vec<_>>()
        };
        Some(watches(true)).filter(|topics| !topics.is_empty()).unwrap_or_else(|| watches(false))
    }

    #[cfg(feature = "kafka")]
    pub(super) fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Delivers what is durable within `grace`; names the sinks that did not get there.
    pub(super) fn stop(self, grace: Duration) -> Vec<&'static str> {
        let until = super::clock::monotonic() + grace;
        let mut late = Vec::new();
        self.threads.iter().for_each(|(_, thread)| thread.drain());
        for (name, thread) in self.threads {
            let left =
                until.saturating_duration_since(super::clock::monotonic()).max(Duration::from_millis(100));
            if thread.stop(left) != Ended::Drained {
                late.push(name);
            }
        }
        late
    }
}

/// Lines of signals with the configured key.
pub(super) fn signal_lines(key: SignalKey) -> SignalLines {
    match key {
        SignalKey::Influencer => SignalLines::default(),
        SignalKey::InfluencerMarket => SignalLines::default().keyed_by_market(),
    }
}

impl Sinks {
    /// Ends all as they stand; the journal has the rest.
    pub(super) fn abandon(self) {
        for (_, thread) in self.threads {
            let _where_it_stands = thread.stop(Duration::from_millis(100));
        }
    }
}

struct Opening<'a> {
    journal: &'a Journal,
    data: &'a Arc<dyn Storage>,
    telemetry: &'a Telemetry,
    rejects: Rejects,
    #[cfg(feature = "kafka")]
    topics: Option<Topics>,
    threads: Vec<(&'static str, SinkThread)>,
    paused: Vec<(&'static str, PausedSink)>,
}

impl Opening<'_> {
    fn open<R: Render + Labelled + 'static>(
        &mut self,
        stream: &'static str,
        settings: &SinkSettings,
        duty: Duty,
        render: impl FnOnce() -> R,
    ) -> Result<(), StartError> {
        match settings.kind {
            SinkKind::File => {
                let config = FileSinkConfig {
                    dir: stream.to_owned(),
                    rotate_bytes: settings.rotate_bytes,
                    max_bytes: settings.max_bytes,
                };
                let failed = |error: &dyn Error| StartError::sink(stream, error);
                let sink = FileSink::open(Arc::clone(self.data), config, render())
                    .map_err(|error| failed(&error))?;
                // A sink that is new here and begins with the oldest record; the end begins with an epoch of its own.
                if settings.from == StartFrom::Oldest && sink.is_empty() {
                    let oldest = self.journal.oldest().map_err(|error| failed(&error))?;
                    let journal = self.journal.reader(oldest, Limit::Synced);
                    if began_earlier(&journal, oldest).map_err(|error| failed(&error))? {
                        sink.older_deleted().map_err(|error| failed(&error))?;
                    }
                }
                self.start(stream, settings, duty, (sink, PumpConfig::default()))
            }
            #[cfg(feature = "kafka")]
            SinkKind::Kafka => {
                let Some(topics) = &mut self.topics else { return Ok(()) };
                let sink = (topics.sink(stream, &settings.topic, render()), topics.pace());
                self.start(stream, settings, duty, sink)
            }
            SinkKind::Stdout => {
                let sink = StdoutSink::new(std::io::stdout(), render());
                self.start(stream, settings, duty, (sink, PumpConfig::default()))
            }
            SinkKind::Paused => {
                for kind in self.begun(stream, settings)? {
                    let cursor = self.cursor(stream, settings, kind)?;
                    self.paused.push((stream, PausedSink::new(cursor)));
                }
                Ok(())
            }
            // A configuration that asks for a topic is refused by a build without Kafka.
            #[cfg(not(feature = "kafka"))]
            SinkKind::Kafka => Ok(()),
            SinkKind::Journal | SinkKind::None => Ok(()),
        }
    }

    fn start<K: Sink + 'static>(
        &mut self,
        stream: &'static str,
        settings: &SinkSettings,
        duty: Duty,
        (sink, pace): (K, PumpConfig),
    ) -> Result<(), StartError> {
        let cursor = self.cursor(stream, settings, settings.kind)?;
        let (telemetry, rejects) = (self.telemetry.clone(), self.rejects.clone());
        let owner = Box::new(Declare { telemetry, named: None, duty, stream, rejects, letter: None });
        let pump = Pump::new(sink, self.journal, cursor, owner, pace);
        let thread = SinkThread::spawn(stream, pump).map_err(|error| StartError::sink(stream, &error))?;
        self.threads.push((stream, thread));
        Ok(())
    }

    /// The kinds of targets that a paused stream goes on to later: those it went to before, or files.
    fn begun(&self, stream: &str, settings: &SinkSettings) -> Result<Vec<SinkKind>, StartError> {
        let reader = self.journal.reader(0, Limit::Synced);
        let mut begun = Vec::new();
        for kind in [SinkKind::File, SinkKind::Kafka, SinkKind::Stdout] {
            let done = reader.done(&settings.cursor(stream, kind));
            if done.map_err(|error| StartError::sink(stream, &error))?.is_some() {
                begun.push(kind);
            }
        }
        Ok(if begun.is_empty() { vec![SinkKind::File] } else { begun })
    }

    fn cursor(&self, stream: &str, settings: &SinkSettings, kind: SinkKind) -> Result<Cursor, StartError> {
        let from = match settings.from {
            StartFrom::End => From::End,
            StartFrom::Oldest => From::Oldest,
        };
        let name = settings.cursor(stream, kind);
        self.journal.register_cursor(&name, from).map_err(|error| StartError::sink(stream, &error))
    }
}

/// One sink in `/status`.
pub(super) fn shown(name: &str, status: &SinkStatus, now: Instant) -> serde_json::Value {
    let failing = status.failing.as_ref().map(|failing| {
        serde_json::json!({
            "forSeconds": now.saturating_duration_since(failing.since).as_secs(),
            "attempts": failing.attempts,
            "error": failing.error,
        })
    });
    serde_json::json!({
        "stream": name,
        "delivered": status.delivered,
        "lag": status.lag,
        "paused": status.paused,
        "lines": status.tally.lines,
        "rejected": status.tally.rejected,
        "files": status.tally.files,
        "storedBytes": status.tally.stored_bytes,
        "lostPositions": status.lost_positions,
        "failing": failing,
    })
}
