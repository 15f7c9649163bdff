//! `run`: the service until it is told to stop.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use hyperliquid_client::sim::{FaultSpec, Market, SimConfig, SimHandle, SimVenue};
use influencer_registry::{Address, InfluencerSet, ListProblem, Start, diff};
use observability::admin::{AdminConfig, AdminServer};
use observability::log::{self, Format, LogConfig};
use observability::{Telemetry, causes};
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::interval;
use tracing::{info, warn};

use super::super::args::{Cli, Run};
use super::super::exit::{Exit, Failure};
use super::super::fit::Fit;
use super::super::flags::Flags;
use super::super::followed::{List, followed};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup::{self, BadEntries, Plan};
use super::super::table;
use crate::completeness::Complete;
use crate::config::{Config, LogFormat, Problem, SinkKind};
use crate::runtime::{Lines, Service, StartError, Stopped, Storages, clock, events, obstacles};

/// Between two looks at the list of influencers and at readiness.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The table waits this long for everybody's first rows.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(2);

pub(super) fn run(cli: &Cli, args: &Run, output: &mut Output) -> Result<Exit, Failure> {
    let arguments = arguments(args);
    let (mut simulated, mut overrides) = (None, Vec::new());
    // A venue is started only for a command line that is right.
    if let Ok((_, faults)) = &arguments {
        if args.simulate {
            (simulated, overrides) = simulate(cli, faults)?;
        }
        overrides.extend(args.start.iter().map(|start| ("listeners.start".to_owned(), start.clone())));
    }
    let follow = arguments.map(|(follow, _)| follow);
    let plan = setup::plan(cli, &overrides, follow, BadEntries::LeaveOut)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::world("runtime", error))?;
    let exit = runtime.block_on(serve(plan, output))?;
    drop(simulated);
    Ok(exit)
}

/// The accounts of `--follow` and the faults, or every value on the command line that is not right.
fn arguments(args: &Run) -> Result<(Vec<Address>, Vec<FaultSpec>), Vec<Problem>> {
    let mut flags = Flags::default();
    if let Some(start) = &args.start {
        flags.read("--start", start, start.parse::<Start>());
    }
    let faults = flags.faults(&args.faults);
    let follow = args.follow.iter().filter_map(|text| flags.read("--follow", text, text.parse::<Address>()));
    let follow = follow.collect();
    flags.all((follow, faults))
}

/// What the simulated venue needs to live on while the service runs.
struct Simulated {
    _venue: SimHandle,
    _directory: Option<TempDir>,
}

type Overrides = Vec<(String, String)>;

/// Starts a venue on a loopback port and says where it is, in the words of the configuration.
fn simulate(cli: &Cli, faults: &[FaultSpec]) -> Result<(Option<Simulated>, Overrides), Failure> {
    let mut sim = SimConfig::synthetic(clock::wall_ns(), clock::wall_ms());
    sim.faults.extend_from_slice(faults);
    let venue = SimVenue::start(sim).map_err(|error| Failure::world("simulated venue", error))?;
    let entries: Vec<String> = Market::followed()
        .iter()
        .map(|(name, address)| format!("{{ id = {name:?}, address = {:?} }}", address.to_string()))
        .collect();
    let mut overrides: Overrides = [
        ("venue.endpoint.0.name", "sim".to_owned()),
        ("venue.endpoint.0.network", "sim".to_owned()),
        ("venue.endpoint.0.ws_url", venue.ws_url()),
        ("venue.endpoint.0.info_url", venue.info_url()),
        ("influencers.source", "static".to_owned()),
        ("influencers.static", format!("[{}]", entries.join(", "))),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec();
    let directory = if cli.data_dir.is_some() {
        None
    } else {
        let directory = tempfile::Builder::new()
            .prefix("ingestion-simulate-")
            .tempdir()
            .map_err(|error| Failure::world("temporary directory", error))?;
        overrides.push(("data_dir".to_owned(), directory.path().display().to_string()));
        Some(directory)
    };
    Ok((Some(Simulated { _venue: venue, _directory: directory }), overrides))
}

async fn serve(plan: Plan, output: &mut Output) -> Result<Exit, Failure> {
    let Plan { config, token, mut list } = plan;
    // From now on who asks for the end gets a graceful one, however little has begun.
    let asked = Asked::new()?;
    let telemetry = Telemetry::new(&events::catalogue()).map_err(|error| Failure::world("metrics", error))?;
    let format = match config.telemetry.log {
        LogFormat::Pretty => Format::Pretty,
        LogFormat::Json => Format::Json,
    };
    let log_config = LogConfig::new(format, &config.telemetry.level)
        .map_err(|error| Failure::Usage(format!("telemetry.level: {error}")))?;
    let _log = log::init(&log_config, &telemetry).map_err(|error| Failure::world("log", error))?;
    if let Some(why) = &list.unkept {
        warn!(why, "no last good list to fall back on");
    }
    tell_stale(list.problem());
    let told = tell_refused(&list, &HashSet::new());
    let fit = tell_uncovered(&list.set, &config);
    let admin = config.admin.listen.map(|listen| AdminConfig { listen, token });
    // The port is taken before anything is written or contacted.
    let status = Arc::new(std::sync::OnceLock::<crate::runtime::ServiceStatus>::new());
    let for_admin = Arc::clone(&status);
    let source =
        move || for_admin.get().map_or_else(|| serde_json::json!({}), crate::runtime::ServiceStatus::json);
    let server = match admin {
        None => Ok(None),
        Some(admin) => AdminServer::bind(&admin, &telemetry, Arc::new(source)).await.map(Some),
    };
    // With it whatever else stands in the way.
    let in_the_way = obstacles(&config);
    let server = match server {
        Ok(server) if in_the_way.is_empty() => server,
        server => {
            let admin = server.err().map(|error| format!("admin server: {}", causes(&error)));
            let lines = admin.into_iter().chain(in_the_way.iter().map(ToString::to_string));
            return Err(Failure::World(lines.collect::<Vec<_>>().join("\n")));
        }
    };
    let (follow, since) = (list.followed(&config), setup::now());
    let service = Service::start(&config, Storages::on_disk(&config.data_dir), follow, &telemetry)
        .map_err(not_started)?;
    tell_shared_exit(&fit);
    list.keep(&config);
    service.show_list(list.status());
    let _first = status.set(service.status());
    let stop_admin = Arc::new(Notify::new());
    let admin_task = server.map(|server| {
        info!(address = %server.local_addr(), "admin server");
        let stop = Arc::clone(&stop_admin);
        tokio::spawn(async move {
            server.serve(async move { stop.notified().await }, Duration::from_secs(1)).await;
        })
    });
    let mut running = Running { config, list, told, service, since, shown: false };
    let failed = running.watch(asked, output).await?;
    info!("stopping");
    let Running { config, service, .. } = running;
    let (grace, status) = (config.shutdown.grace, service.status());
    let stopped = tokio::task::spawn_blocking(move || service.stop(grace))
        .await
        .map_err(|error| Failure::world("stop", error))?;
    stop_admin.notify_one();
    if let Some(task) = admin_task {
        let _ended = task.await;
    }
    summary(&stopped, &status.worker().completeness.total);
    Ok(if stopped.clean && !failed { Exit::Clean } else { Exit::Failed })
}

fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Configuration(problems) => Failure::Configuration(problems),
        world @ (StartError::InUse(_) | StartError::World(_)) => Failure::World(world.to_string()),
    }
}

/// The signals that ask for the end.
struct Asked {
    terminate: Signal,
    interrupt: Signal,
}

impl Asked {
    fn new() -> Result<Self, Failure> {
        let asked = |kind| signal(kind).map_err(|error| Failure::world("signals", error));
        Ok(Self { terminate: asked(SignalKind::terminate())?, interrupt: asked(SignalKind::interrupt())? })
    }
}

/// The service and who looks after it.
struct Running {
    config: Config,
    list: List,
    /// Refused entries that were told and are still refused.
    told: HashSet<String>,
    service: Service,
    /// When it was started.
    since: Moment,
    /// The table was shown, and signals are from then on.
    shown: bool,
}

impl Running {
    /// Until a signal comes (false) or the worker ends by itself (true).
    async fn watch(&mut self, mut asked: Asked, output: &mut Output) -> Result<bool, Failure> {
        if !output.is_terminal() || output.json() {
            self.show_signals(Lines::Json)?;
        }
        let started = clock::now();
        let mut look = interval(LOOK_EVERY);
        let failed = loop {
            tokio::select! {
                biased;
                _ = asked.terminate.recv() => break false,
                _ = asked.interrupt.recv() => break false,
                _ = look.tick() => {
                    if self.service.has_failed() {
                        tracing::error!("the worker ended by itself");
                        break true;
                    }
                    self.service.judge_readiness();
                    if self.service.takes_orders() {
                        self.reload();
                    }
                    if !self.shown && (self.is_based() || clock::now() >= started + FIRST_LOOK_MAX) {
                        self.show(output)?;
                    }
                }
            }
        };
        if !self.shown {
            self.show(output)?;
        }
        Ok(failed)
    }

    /// Whether everybody's beginning is known, and the venue's clock.
    fn is_based(&self) -> bool {
        let worker = self.service.status().worker();
        worker.venue_time.is_some()
            && worker.accounts.len() >= self.list.set.enabled_by_priority().len()
            && worker.accounts.iter().all(|account| account.based)
    }

    /// Whom it follows: on stdout for people, before the first signal; on stderr where stdout is for programs, whose signals wait for
    /// nothing.
    fn show(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.shown = true;
        let people = output.is_terminal() && !output.json();
        let worker = self.service.status().worker();
        let mut lines = table::lines(&self.list.set, &worker, setup::now().0);
        lines.push(format!("data in {}, since {}", self.config.data_dir.display(), self.since.rfc3339()));
        for line in lines {
            if people {
                output.line(&line)?;
            } else {
                tell(&line);
            }
        }
        output.flush()?;
        if people { self.show_signals(Lines::Human) } else { Ok(()) }
    }

    fn show_signals(&mut self, lines: Lines) -> Result<(), Failure> {
        if self.config.storage.signals.kind == SinkKind::Stdout {
            return Ok(());
        }
        self.service.show(lines, std::io::stdout()).map_err(not_started)
    }

    fn reload(&mut self) {
        let (config, list, service) = (&self.config, &mut self.list, &self.service);
        let Some(reload) = list.poll(clock::now()) else { return };
        tell_stale(reload.problem.as_ref());
        self.told = tell_refused(list, &self.told);
        let new: InfluencerSet = list.with_extra(&reload.set);
        let changes = diff(&list.set, &new);
        for gone in &changes.removed {
            service.unfollow(*gone.address().as_bytes());
        }
        for changed in &changes.changed {
            match (changed.old.enabled(), changed.new.enabled()) {
                (true, false) => service.unfollow(*changed.old.address().as_bytes()),
                (false, true) => service.follow(followed(&changed.new, config)),
                (true, true) if changed.old.start() != changed.new.start() => {
                    service.change_start(followed(&changed.new, config));
                }
                (true, true) => service.change(followed(&changed.new, config)),
                (false, false) => {}
            }
        }
        for new in changes.added.iter().filter(|influencer| influencer.enabled()) {
            service.follow(followed(new, config));
        }
        if !changes.is_empty() {
            tell_shared_exit(&tell_uncovered(&new, config));
        }
        list.set = new;
        list.keep(config);
        service.show_list(list.status());
    }
}

fn tell_stale(problem: Option<&ListProblem>) {
    if let Some(problem) = problem {
        warn!(%problem, "the list of influencers is not taken, the last good one stays");
    }
}

/// Refused entries told one by one; more of them are counted, and named by `check`, `influencers list` and `status`.
const REFUSALS_TOLD: usize = 50;

/// Tells what is refused and was not told yet. Answers what is told by now.
fn tell_refused(list: &List, told: &HashSet<String>) -> HashSet<String> {
    let place = list.place().unwrap_or_default();
    let (mut known, mut more) = (HashSet::new(), 0_usize);
    for refusal in list.refused() {
        let text = refusal.to_string();
        if !told.contains(&text) {
            if known.len() >= REFUSALS_TOLD {
                more += 1;
                continue;
            }
            warn!(list = place, %refusal, "an entry of the list is refused, the others are followed");
        }
        if known.len() < REFUSALS_TOLD {
            known.insert(text);
        }
    }
    if more > 0 {
        warn!(list = place, more, "more entries of the list are refused, the others are followed");
    }
    known
}

/// By name, before the venue refuses them one by one.
fn tell_uncovered(set: &InfluencerSet, config: &Config) -> Fit {
    let fit = Fit::of(set, config);
    if !fit.uncovered.is_empty() {
        warn!(fit = %brief(&fit.to_string()), "not everybody fits into the venue's limits");
    }
    if let Some(thin) = fit.thin() {
        warn!(thin = %brief(&thin), "not everybody has all listeners");
    }
    fit
}

/// No warning: it is what few addresses come to. A service that does not start does not say it.
fn tell_shared_exit(fit: &Fit) {
    if let Some(shared) = fit.shared_exit() {
        info!(shared = %brief(&shared), "listeners that share a public address go together with it");
    }
}

/// A line of the log is not for a hundred thousand names; `check` has all of them.
fn brief(text: &str) -> String {
    const CHARS_MAX: usize = 4_000;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… (`check` names all)", text.get(..end).unwrap_or_default()),
    }
}

fn summary(stopped: &Stopped, complete: &Complete) {
    let mut parts: Vec<String> = Vec::new();
    for (name, label, total) in &stopped.totals {
        parts.push(if label.is_empty() {
            format!("{name} {total}")
        } else {
            format!("{name} {label} {total}")
        });
    }
    tell(&format!(
        "stopped: {}",
        if parts.is_empty() { "nothing happened".to_owned() } else { parts.join(", ") }
    ));
    if complete.since_start.in_history() > 0 {
        let certified = complete.certified_to.map_or_else(
            || "not everybody is certified yet".to_owned(),
            |time| format!("everybody certified to {}", Moment(time).rfc3339()),
        );
        tell(&format!(
            "complete: {} % of {} events since the start, {} % of {} in the last hour, {certified}",
            complete.since_start.percent(),
            complete.since_start.in_history(),
            complete.last_hour.percent(),
            complete.last_hour.in_history(),
        ));
    }
    for left in &stopped.left {
        tell(&format!("left: {left}"));
    }
}

/// One line to the person on stderr, beside the log.
fn tell(line: &str) {
    let mut stderr = std::io::stderr();
    let colour = stderr.is_terminal();
    let _closed =
        if colour { writeln!(stderr, "\u{1b}[2m{line}\u{1b}[0m") } else { writeln!(stderr, "{line}") };
}
