//! The service: journal, sinks and worker, started in the order in which they may fail and stopped upstream first.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hyperliquid_client::backoff::BackoffConfig;
use hyperliquid_client::session::SessionConfig;
use messaging::journal::{Journal, JournalConfig, OpenError, Progress, StartReport, Ticket, Waited};
use messaging::sink::SinkWatch;
use messaging::storage::{DiskStorage, Storage};
use observability::Telemetry;
use observability::health::Latch;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::core::{Followed, Known, Outbox, WorkerStatus};
use super::desk::Desk;
use super::echo::{Echo, Lines};
use super::endpoints::dialled;
use super::events::{self, JournalDamaged};
use super::handler::chain;
use super::published::Published;
use super::sinks::{self, Sinks};
use super::worker::{self, COMMANDS_MAX, Command, WorkerPlan};
use super::{clock, events::totals};
use crate::account::Settings;
use crate::cli::Moment;
use crate::config::{self, Config, Problems};
use crate::record::{Body, RunBody};
use crate::state::State;

/// Where the service keeps its files: the disk, or in a drill one that fails on demand.
#[derive(Clone, Debug)]
pub struct Storages {
    /// The files of the sinks, below the data directory.
    pub data: Arc<dyn Storage>,
    /// The journal's files.
    pub journal: Arc<dyn Storage>,
}

impl Storages {
    /// The data directory `data_dir`, with the journal in its folder `journal`.
    #[must_use]
    pub fn on_disk(data_dir: &Path) -> Self {
        Self {
            data: Arc::new(DiskStorage::new(data_dir)),
            journal: Arc::new(DiskStorage::new(data_dir.join("journal"))),
        }
    }
}

/// Why the service did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be carried out.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// Another process works in the data directory.
    #[error("data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// Something in the world stands in the way.
    #[error("{0}")]
    World(String),
}

impl StartError {
    pub(super) fn sink(stream: &str, error: &dyn std::error::Error) -> Self {
        Self::World(format!("sink {stream}: {}", chain(error)))
    }
}

/// How the service stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stopped {
    /// Everything accepted is in the journal.
    pub clean: bool,
    /// What was not done in time, in words.
    pub left: Vec<String>,
    /// Counts by reason.
    pub totals: Vec<(&'static str, String, u64)>,
}

/// A running service. To be ended by [`Service::stop`].
pub struct Service {
    journal: Journal,
    sinks: Sinks,
    echo: Option<Echo>,
    worker: JoinHandle<std::io::Result<Ticket>>,
    commands: mpsc::Sender<Command>,
    status: ServiceStatus,
    telemetry: Telemetry,
    latches: Vec<Latch>,
}

/// A view of the service that any thread may keep: what `/status` shows.
#[derive(Clone)]
pub struct ServiceStatus {
    worker: Arc<Mutex<WorkerStatus>>,
    sinks: Arc<Vec<(&'static str, SinkWatch)>>,
    progress: Arc<Progress>,
    telemetry: Telemetry,
    started_at_ms: u64,
}

impl Service {
    /// Starts everything; the venue is contacted last.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub fn start(
        config: &Config,
        storages: Storages,
        follow: Vec<Followed>,
        telemetry: &Telemetry,
        echo: Option<(Lines, Box<dyn Write + Send>)>,
    ) -> Result<Self, StartError> {
        let settings = settings(config)?;
        let endpoints = dialled(&config.venue)?;
        let Storages { data, journal: files } = storages;
        let at = |what: &str, error: &dyn std::error::Error| {
            StartError::World(format!("{what} {}: {}", config.data_dir.display(), chain(error)))
        };
        data.create_dir("").map_err(|error| at("data directory", &error))?;
        let opened = Journal::open(journal_config(config), Arc::clone(&files), clock::wall_ns(), |saved| {
            State::restore(saved.unwrap_or_default())
        })
        .map_err(|error| {
            if matches!(error, OpenError::InUse) {
                StartError::InUse(config.data_dir.clone())
            } else {
                at("journal in", &error)
            }
        })?;
        let (journal, state) = (opened.journal, opened.state);
        report(&opened.report, telemetry);
        if let Some(why) = &state.refused {
            return Err(StartError::World(format!("the journal cannot be used by this build: {why}")));
        }
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let desk = Desk::new(commands.clone());
        let sinks = Sinks::start(&config.storage, &journal, &data, telemetry, desk, state.damaged.clone())?;
        let echo = match echo {
            None => None,
            Some((lines, out)) => {
                Some(Echo::start(&journal, lines, out).map_err(|error| at("output thread for", &error))?)
            }
        };
        let started_at_ms = clock::wall_ms();
        let mut outbox = Outbox::new(journal.appender());
        let streams = (config.streams.twap, config.streams.spot, config.streams.outcomes);
        outbox.put(&Body::Run(RunBody { version: env!("CARGO_PKG_VERSION"), started_at_ms, streams }));
        outbox.flush();
        drop(outbox);
        let status = ServiceStatus {
            worker: Arc::default(),
            sinks: Arc::new(sinks.watches()),
            progress: journal.progress(),
            telemetry: telemetry.clone(),
            started_at_ms,
        };
        let latches = ["listeners", "journal", "sinks"].map(|part| telemetry.readiness().latch(part)).into();
        let epoch = state.epoch().saturating_add(1).max(started_at_ms);
        let (spent, damaged) = (state.spent.clone(), !state.damaged.is_empty());
        let journal_began_ms = state.began_ms.unwrap_or(started_at_ms);
        let known = state.accounts.into_iter().map(|(account, state)| {
            (account, Known { influencer: state.influencer, ledger: state.ledger, gaps: state.gaps })
        });
        let network =
            config.venue.endpoints.first().map(|endpoint| endpoint.network.clone()).unwrap_or_default();
        let published = Published::new(files, journal.progress(), network.clone());
        let plan = WorkerPlan {
            endpoints,
            listeners: config.listeners.count,
            session: session_config(config),
            backoff: BackoffConfig {
                initial: config.listeners.backoff.initial,
                max: config.listeners.backoff.max,
                jitter: config.listeners.backoff.jitter,
                ..BackoffConfig::default()
            },
            settings,
            network,
            epoch,
            twap: config.streams.twap,
            damaged,
            journal_began_ms,
            state_interval: config.account_state.enabled.then_some(config.account_state.interval),
            removal_grace: config.influencers.removal_grace,
            follow,
            known: known.collect(),
            spent,
            appender: journal.appender(),
            progress: journal.progress(),
            published,
            telemetry: telemetry.clone(),
            status: Arc::clone(&status.worker),
            seed: clock::wall_ns(),
        };
        let worker = std::thread::Builder::new()
            .name("worker-0".to_owned())
            .spawn(move || worker::run(plan, receiver))
            .map_err(|error| at("worker thread for", &error))?;
        Ok(Self { journal, sinks, echo, worker, commands, status, telemetry: telemetry.clone(), latches })
    }

    /// A view of its state.
    #[must_use]
    pub fn status(&self) -> ServiceStatus {
        self.status.clone()
    }

    /// Whether the worker or the journal's writer has ended by itself: then the process must end too.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.worker.is_finished() || self.status.progress.ended()
    }

    /// Follows one more account.
    pub fn follow(&self, followed: Followed) {
        self.tell(Command::Follow(followed));
    }

    /// Changes the settings of a followed account.
    pub fn change(&self, followed: Followed) {
        self.tell(Command::Change(followed));
    }

    /// Follows an account no longer.
    pub fn unfollow(&self, account: [u8; 20]) {
        self.tell(Command::Unfollow(account));
    }

    /// Takes the latches of readiness back or lets them go, as things stand.
    pub fn judge_readiness(&self) {
        let worker = self.status.worker();
        let [listeners, journal, sinks] = self.latches.as_slice() else { return };
        let blind: Vec<&str> = worker
            .accounts
            .iter()
            .filter(|account| account.coverage == "blind" && !account.leaving)
            .map(|account| account.influencer_id.as_str())
            .collect();
        if worker.listeners_connected == 0 {
            listeners.hold("no listener is connected");
        } else if blind.is_empty() {
            listeners.release();
        } else {
            let first: Vec<&str> = blind.iter().take(5).copied().collect();
            listeners.hold(&format!("{} accounts are not listened to: {}", blind.len(), first.join(", ")));
        }
        self.status.show_gauges();
        let stuck = self.status.stuck_sinks();
        if stuck.is_empty() {
            sinks.release();
        } else {
            sinks.hold(&stuck.join("; "));
        }
        match self.status.progress.alarms().failing {
            Some(failing) => journal.hold(&format!("the disk fails: {}", failing.last_error)),
            None if worker.blocked => journal.hold("the journal has no room"),
            None => journal.release(),
        }
    }

    /// Stops: no more frames, everything accepted made durable, sinks drained, all within `grace`.
    #[must_use]
    pub fn stop(self, grace: Duration) -> Stopped {
        let until = clock::monotonic() + grace;
        let left = || until.saturating_duration_since(clock::monotonic());
        let mut late = Vec::new();
        // A worker that has ended takes no command.
        let _ended = self.commands.blocking_send(Command::Stop(grace / 2));
        let last = match self.worker.join() {
            Ok(Ok(last)) => Some(last),
            Ok(Err(error)) => {
                late.push(format!("worker: {error}"));
                None
            }
            Err(_) => {
                late.push("the worker panicked".to_owned());
                None
            }
        };
        if self.status.worker().blocked {
            late.push("the journal has no room for what was accepted".to_owned());
        }
        let progress = self.journal.progress();
        if let Some(last) = last
            && progress.wait_synced(last, left()) != Waited::Reached
        {
            late.push("the journal is not durable to its end".to_owned());
        }
        if let Some(echo) = self.echo {
            echo.stop(left().min(Duration::from_secs(2)));
        }
        late.extend(self.sinks.stop(left()).into_iter().map(|name| format!("sink {name} is not drained")));
        let clean = match self.journal.close(left().max(Duration::from_millis(500))) {
            Ok(()) => last.is_some() && !self.status.worker().blocked,
            Err(error) => {
                late.push(error.to_string());
                false
            }
        };
        Stopped { clean, left: late, totals: totals(&self.telemetry) }
    }

    fn tell(&self, command: Command) {
        if let Err(error) = self.commands.try_send(command) {
            warn!(%error, "the worker does not take a command");
        }
    }
}

impl ServiceStatus {
    /// The worker's part.
    #[must_use]
    pub fn worker(&self) -> WorkerStatus {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gauges of what moves by itself, for `/metrics`.
    fn show_gauges(&self) {
        events::show_journal(&self.telemetry, self.progress.counters().disk_bytes);
        for (name, watch) in self.sinks.iter() {
            let status = watch.status();
            events::show_sink(&self.telemetry, name, status.lag, status.tally.lines);
        }
    }

    /// Sinks that do not get on, and why.
    fn stuck_sinks(&self) -> Vec<String> {
        let failing = |(name, watch): &(&'static str, SinkWatch)| {
            let status = watch.status();
            let why = status
                .failing
                .map(|failing| failing.error)
                .or_else(|| status.last_error.filter(|_| status.ended));
            why.map(|why| format!("sink {name}: {why}"))
        };
        self.sinks.iter().filter_map(failing).collect()
    }

    /// Everything, as `/status` shows it.
    #[must_use]
    pub fn json(&self) -> Value {
        let worker = self.worker();
        let now = clock::monotonic();
        let sinks: Vec<Value> =
            self.sinks.iter().map(|(name, watch)| sinks::shown(name, &watch.status(), now)).collect();
        let (alarms, counters) = (self.progress.alarms(), self.progress.counters());
        let started = Moment(i64::try_from(self.started_at_ms).unwrap_or(0)).rfc3339();
        let totals: Vec<Value> = totals(&self.telemetry)
            .into_iter()
            .map(|(name, label, total)| json!({ "what": name, "label": label, "total": total }))
            .collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "startedAt": started,
            "workers": 1,
            "listeners": { "connected": worker.listeners_connected, "configured": worker.listeners },
            "venueTime": worker.venue_time,
            "questionsWaiting": worker.questions_waiting,
            "accounts": worker.accounts,
            "journal": {
                "appended": self.progress.appended(),
                "synced": self.progress.synced(),
                "diskBytes": counters.disk_bytes,
                "nearlyFull": alarms.nearly_full,
                "failing": alarms.failing.map(|failing| failing.last_error),
                "blocked": worker.blocked,
            },
            "sinks": sinks,
            "counts": totals,
        })
    }
}

fn report(report: &StartReport, telemetry: &Telemetry) {
    for damage in &report.damage {
        telemetry.emit(&JournalDamaged { from: damage.from, to: damage.to, segment: damage.segment });
    }
    for passed in &report.passed_over {
        warn!(segment = passed.segment, header = passed.header, "a damaged checkpoint was passed over");
    }
    if let Some(torn) = &report.torn_tail {
        info!(segment = torn.segment, bytes = torn.bytes, "a half-written end was cut");
    }
    info!(new = report.new, records = report.records, segments = report.segments_read, "journal open");
}

fn settings(config: &Config) -> Result<Settings, Problems> {
    let start = match config.listeners.start.as_str() {
        "now" => None,
        text => {
            let now = Moment(i64::try_from(clock::wall_ms()).unwrap_or(i64::MAX));
            let moment = Moment::parse(text, now).map_err(|error| {
                Problems(vec![config::Problem {
                    key: "listeners.start".to_owned(),
                    value: format!("{text:?}"),
                    origin: config::Origin::Default,
                    problem: error.to_string(),
                }])
            })?;
            Some(moment.0)
        }
    };
    Ok(Settings {
        hold: config.listeners.hold,
        repair_hold: config.listeners.repair_hold,
        sweep_interval: config.listeners.sweep_interval,
        start,
        twap: config.streams.twap,
        ..Settings::default()
    })
}

fn session_config(config: &Config) -> SessionConfig {
    SessionConfig {
        ping_interval: config.listeners.ping_interval,
        pong_timeout: config.listeners.pong_timeout,
        stale_after: config.listeners.stale_after,
        replace_after: config.listeners.replace_socket,
        ..SessionConfig::default()
    }
}

fn journal_config(config: &Config) -> JournalConfig {
    let journal = &config.storage.journal;
    JournalConfig {
        fsync: match journal.fsync {
            config::Fsync::Batch => messaging::journal::Fsync::Batch,
            config::Fsync::Always => messaging::journal::Fsync::Always,
        },
        fsync_interval: journal.fsync_interval,
        segment_bytes: journal.segment_bytes,
        max_bytes: journal.max_bytes,
        retention: Some(config.storage.raw_retention),
        ..JournalConfig::default()
    }
}
