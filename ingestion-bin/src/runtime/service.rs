//! The service: journal, sinks and worker, started in the order in which they may fail and stopped upstream first.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyperliquid_client::session::SessionConfig;
use messaging::journal::{Journal, Limit, OpenError, StartReport, Ticket, Waited};
use messaging::storage::{DiskStorage, Storage};
use observability::health::Latch;
use observability::{Telemetry, causes};
use tokio::sync::mpsc;
use tracing::info;

use super::core::{CoreConfig, Followed, Outbox};
use super::desk::Desk;
use super::echo::{Echo, Lines};
use super::endpoints::dialled;
use super::events::{FrontDamaged, JournalDamaged, totals};
use super::forgotten::remember_told;
use super::orders::Orders;
use super::published::Published;
use super::repairs::Repairs;
use super::service_status::{ListStatus, ServiceStatus};
use super::sinks::Sinks;
use super::tenant::{self, Tenancy};
use super::worker::{self, COMMANDS_MAX, Command, WorkerPlan};
use super::{clock, settings};
use crate::account::Settings;
use crate::config::{Allocation, Config, Problems, Routes};
use crate::record::{Body, RunBody};
#[cfg(feature = "redis")]
use crate::shared::{Shared, Source};
use crate::state::State;

/// Refusals kept with their bytes a minute.
const REFUSALS_PER_MINUTE: u32 = 6_000;

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
        Self::World(format!("sink {stream}: {}", causes(error)))
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
    /// Signals from here on are of this run.
    begins: u64,
    echo: Option<Echo>,
    worker: JoinHandle<std::io::Result<Ticket>>,
    repairs: Repairs,
    orders: Orders<Command>,
    status: ServiceStatus,
    telemetry: Telemetry,
    latches: Vec<Latch>,
    #[cfg(feature = "redis")]
    shared: Option<Shared>,
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
    ) -> Result<Self, StartError> {
        Self::start_with(config, settings::machine(config), storages, follow, (telemetry, None))
    }

    /// The same as the one writer of a shared state, which goes on from what others left there; and with other settings of the account
    /// machines than the configuration gives (`runtime::machine_settings`): what no configuration may shorten, a drill may.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub fn start_with(
        config: &Config,
        settings: Settings,
        storages: Storages,
        mut follow: Vec<Followed>,
        (telemetry, tenancy): (&Telemetry, Option<Tenancy>),
    ) -> Result<Self, StartError> {
        let routes = dialled(config)?;
        let Storages { data, journal: files } = storages;
        let at = |what: &str, error: &dyn std::error::Error| {
            StartError::World(format!("{what} {}: {}", config.data_dir.display(), causes(error)))
        };
        data.create_dir("").map_err(|error| at("data directory", &error))?;
        let opened =
            Journal::open(settings::journal(config), Arc::clone(&files), clock::wall_ns(), |saved| {
                State::restore(saved.unwrap_or_default())
            })
            .map_err(|error| {
                if matches!(error, OpenError::InUse) {
                    StartError::InUse(config.data_dir.clone())
                } else {
                    at("journal in", &error)
                }
            })?;
        let (journal, mut state) = (opened.journal, opened.state);
        report(&opened.report, telemetry);
        if state.began_ms.is_none() {
            remember_told(&mut follow, &data, opened.report.end);
        }
        if let Some(why) = &state.refused {
            return Err(StartError::World(format!("the journal cannot be used by this build: {why}")));
        }
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let desk = Desk::new(commands.clone());
        let sinks = Sinks::start(config, &journal, &data, telemetry, desk.clone(), state.damaged.clone())?;
        let begins = journal.progress().appended();
        let started_at_ms = clock::wall_ms();
        let mut outbox = Outbox::new(journal.appender());
        let streams = (config.streams.twap, config.streams.spot, config.streams.outcomes);
        outbox.put(&Body::Run(RunBody { version: env!("CARGO_PKG_VERSION"), started_at_ms, streams }));
        let network =
            config.venue.endpoints.first().map(|endpoint| endpoint.network.clone()).unwrap_or_default();
        if let Some(tenancy) = &tenancy {
            tenant::adopt(tenancy, &mut state, &mut outbox, &network);
        }
        outbox.unblock();
        drop(outbox);
        let epoch = tenant::epoch(tenancy.as_ref(), state.epoch(), started_at_ms);
        // Of whom nobody shared anything, nothing older than now is known, whatever this journal holds of others.
        let journal_began_ms = state.began_ms.filter(|_| tenancy.is_none()).unwrap_or(started_at_ms);
        #[cfg(feature = "redis")]
        let shared = {
            let reader = journal.reader(opened.report.end, Limit::Synced);
            let (progress, sinks) = (journal.progress(), sinks.shared(config));
            let source = || Source { state: state.clone(), reader, progress, sinks };
            let started = tenancy.map(|tenancy| Shared::start(tenancy, epoch, source())).transpose();
            started.map_err(|error| at("threads of the shared state for", &error))?
        };
        let status = ServiceStatus {
            #[cfg(feature = "redis")]
            shared: shared.as_ref().map(Shared::watch),
            worker: Arc::default(),
            sinks: Arc::new(sinks.watches()),
            #[cfg(feature = "kafka")]
            figures: sinks.figures(),
            progress: journal.progress(),
            telemetry: telemetry.clone(),
            started_at_ms,
            list: Arc::default(),
        };
        let latches = ["listeners", "journal", "sinks", "influencers", "shared state", "audit"]
            .map(|part| telemetry.readiness().latch(part))
            .into();
        let (spent, damaged) = (state.spent.clone(), !state.damaged.is_empty());
        let known = state.accounts.into_iter().map(|(account, state)| (account, state.into()));
        let published = Published::new(files, journal.progress(), network.clone());
        let seed = clock::wall_ns();
        let plan = WorkerPlan {
            groups: Routes::of(&config.venue).groups,
            backoff: settings::backoff(config),
            core: CoreConfig {
                settings,
                network,
                epoch,
                twap: config.streams.twap,
                damaged,
                journal_began_ms,
                state_interval: config.account_state.enabled.then_some(config.account_state.interval),
                removal_grace: config.influencers.removal_grace,
                refusals_per_minute: REFUSALS_PER_MINUTE,
                routes: routes.iter().map(|route| route.group).collect(),
                endpoints: routes.iter().map(|route| route.endpoint.name().to_owned()).collect(),
                listeners: config.listeners.count,
                dedicated: config.listeners.allocation == Allocation::Dedicated,
                session: SessionConfig { seed, ..settings::session(config) },
                primary: settings::primary(config),
                shed_below: config.storage.journal.shed_below,
            },
            routes,
            follow,
            known: known.collect(),
            spent,
            appender: journal.appender(),
            progress: journal.progress(),
            published,
            telemetry: telemetry.clone(),
            status: Arc::clone(&status.worker),
            seed,
        };
        let reader = journal.reader(0, Limit::Synced);
        let repairs = Repairs::start(data, reader, journal.progress(), desk, telemetry.clone());
        let repairs = repairs.map_err(|error| at("repairs thread for", &error))?;
        let worker = std::thread::Builder::new()
            .name("worker-0".to_owned())
            .spawn(move || worker::run(plan, receiver))
            .map_err(|error| at("worker thread for", &error))?;
        let (orders, telemetry) = (Orders::new(commands), telemetry.clone());
        Ok(Self {
            journal,
            sinks,
            begins,
            echo: None,
            worker,
            repairs,
            orders,
            status,
            telemetry,
            latches,
            #[cfg(feature = "redis")]
            shared,
        })
    }

    /// Why this instance must not go on as the writer of the shared state, once that is so: it is to be stopped, and may start again.
    #[must_use]
    pub fn superseded(&self) -> Option<String> {
        #[cfg(feature = "redis")]
        if let Some(shared) = &self.status.shared {
            return shared.get().lost;
        }
        None
    }

    /// A view of its state.
    #[must_use]
    pub fn status(&self) -> ServiceStatus {
        self.status.clone()
    }

    /// Shows the signals of this run, those before this call too, until the service stops.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give.
    pub fn show(&mut self, lines: Lines, out: impl Write + Send + 'static) -> Result<(), StartError> {
        let echo = Echo::start(&self.journal, self.begins, lines, out)
            .map_err(|error| StartError::World(format!("output thread: {}", causes(&error))))?;
        self.echo = Some(echo);
        Ok(())
    }

    /// Whether the worker or the journal's writer has ended by itself: then the process must end too.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.worker.is_finished() || self.status.progress.ended()
    }

    /// Follows one more account.
    pub fn follow(&self, followed: Followed) {
        self.orders.give(Command::Follow(followed));
    }

    /// Changes the settings of a followed account.
    pub fn change(&self, followed: Followed) {
        self.orders.give(Command::Change(followed));
    }

    /// The same where its start is another one.
    pub fn change_start(&self, followed: Followed) {
        self.orders.give(Command::ChangeStart(followed));
    }

    /// Follows an account no longer.
    pub fn unfollow(&self, account: [u8; 20]) {
        self.orders.give(Command::Unfollow(account));
    }

    /// What is to be seen of the list of influencers from now on.
    pub fn show_list(&self, list: ListStatus) {
        self.status.set_list(list);
    }

    /// Hands on what the worker had no room for; false while something waits: then no more accounts are to be followed, changed or
    /// unfollowed.
    #[must_use]
    pub fn takes_orders(&self) -> bool {
        self.orders.hand_on()
    }

    /// Takes the latches of readiness back or lets them go, as things stand.
    pub fn judge_readiness(&self) {
        let worker = self.status.worker();
        let [listeners, journal, sinks, influencers, shared, audit] = self.latches.as_slice() else { return };
        match self.status.unshared() {
            Some(why) => shared.hold(&why),
            None => shared.release(),
        }
        match self.status.list().stale {
            Some(why) => influencers.hold(&format!("config stale: {why}")),
            None => influencers.release(),
        }
        let blind: Vec<&str> = worker
            .accounts
            .iter()
            .filter(|account| account.coverage == "blind" && !account.leaving)
            .map(|account| account.influencer_id.as_str())
            .collect();
        if worker.listeners_connected == 0 {
            let why = worker.cannot_connect.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            listeners.hold(&format!("no listener is connected{why}"));
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
        match self.status.differences() {
            Some(differences) => audit.hold(&differences),
            None => audit.release(),
        }
        match self.status.journal_trouble(&worker) {
            Some(why) => journal.hold(&why),
            None => journal.release(),
        }
    }

    /// Stops: no more frames, everything accepted made durable, sinks drained (unless another instance writes), all within `grace`.
    #[must_use]
    pub fn stop(self, grace: Duration) -> Stopped {
        let until = clock::monotonic() + grace;
        let left = || until.saturating_duration_since(clock::monotonic());
        let is_superseded = self.superseded().is_some();
        let mut late = Vec::new();
        self.latches.iter().for_each(Latch::hold_stopping);
        self.orders.give_last(Command::Stop(grace / 2));
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
        self.repairs.stop();
        if self.status.worker().waiting {
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
        if is_superseded {
            // Another one tells by now how things stand: nothing older goes behind that. The journal keeps it.
            self.sinks.abandon();
        } else {
            let undrained = self.sinks.stop(left());
            late.extend(undrained.into_iter().map(|name| format!("sink {name} is not drained")));
        }
        #[cfg(feature = "redis")]
        if let Some(shared) = self.shared
            && !shared.stop(left().max(Duration::from_secs(1)))
            && !is_superseded
        {
            let why = "the shared state is older than what was delivered, or its lease ends by itself";
            late.push(why.to_owned());
        }
        if is_superseded {
            // Another service of this process will have its own.
            self.latches.into_iter().for_each(Latch::retire);
        }
        let clean = match self.journal.close(left().max(Duration::from_millis(500))) {
            Ok(()) => last.is_some() && !self.status.worker().waiting,
            Err(error) => {
                late.push(error.to_string());
                false
            }
        };
        Stopped { clean, left: late, totals: totals(&self.telemetry) }
    }
}

fn report(report: &StartReport, telemetry: &Telemetry) {
    for damage in &report.damage {
        telemetry.emit(&JournalDamaged { from: damage.from, to: damage.to, segment: damage.segment });
    }
    for passed in &report.passed_over {
        telemetry.emit(&FrontDamaged { damaged: passed });
    }
    if let Some((from, to)) = report.lost_end {
        telemetry.emit(&JournalDamaged {
            from,
            to,
            segment: report.torn_tail.map_or(0, |torn| torn.segment),
        });
    }
    if let Some(torn) = &report.torn_tail {
        info!(segment = torn.segment, bytes = torn.bytes, "a half-written end was cut");
    }
    info!(new = report.new, records = report.records, segments = report.segments_read, "journal open");
}
