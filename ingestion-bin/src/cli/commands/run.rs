//! `run`: the service until it is told to stop.

mod front;
mod simulated;
mod standby;
mod telling;

use std::collections::HashSet;
use std::time::Duration;

use hyperliquid_client::sim::FaultSpec;
use influencer_registry::{Address, InfluencerSet, Start, diff};
use observability::admin::AdminConfig;
use observability::log::{self, Format, LogConfig};
use observability::{Telemetry, causes};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::interval;
use tracing::{info, warn};

use super::super::args::{Cli, Run};
use super::super::exit::{Exit, Failure};
use super::super::flags::Flags;
use super::super::followed::{List, followed};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup::{self, BadEntries, Plan};
use super::super::table;
use crate::config::{Config, LogFormat, Problem, SinkKind};
use crate::runtime::{Lines, Service, StartError, Storages, clock, events, machine_settings, obstacles};
use front::Front;
use simulated::simulate;
use telling::{summary, tell, tell_refused, tell_shared_exit, tell_stale, tell_uncovered};

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
    let exit = runtime.block_on(serve(plan, args.quiet, output))?;
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

async fn serve(plan: Plan, quiet: bool, output: &mut Output) -> Result<Exit, Failure> {
    let Plan { config, token, list } = plan;
    // From now on who asks for the end gets a graceful one, however little has begun.
    let mut asked = Asked::new()?;
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
    // The port is taken before anything is written or contacted.
    let admin = config.admin.listen.map(|listen| AdminConfig { listen, token });
    let front = Front::bind(admin, &telemetry).await;
    // With it whatever else stands in the way.
    let in_the_way = obstacles(&config);
    let front = match front {
        Ok(front) if in_the_way.is_empty() => front,
        front => {
            let admin = front.err().map(|error| format!("admin server: {}", causes(&error)));
            let lines = admin.into_iter().chain(in_the_way.iter().map(ToString::to_string));
            return Err(Failure::World(lines.collect::<Vec<_>>().join("\n")));
        }
    };
    let claim = standby::claim(&config)?;
    let mut run = Life { config, list, told, quiet, telemetry, front, claim };
    // As long as another instance only takes over for a while.
    let exit = loop {
        if let Some(exit) = run.once(&mut asked, output).await? {
            break exit;
        }
    };
    run.front.close().await;
    Ok(exit)
}

/// The process, from one service to the next: there is another one where a standby took over meanwhile.
struct Life {
    config: Config,
    list: List,
    /// Refused entries that were told and are still refused.
    told: HashSet<String>,
    /// No signal is shown.
    quiet: bool,
    telemetry: Telemetry,
    front: Front,
    claim: standby::Claim,
}

impl Life {
    /// One service from its start to its end; with what the process ends, if it does.
    async fn once(&mut self, asked: &mut Asked, output: &mut Output) -> Result<Option<Exit>, Failure> {
        let tenancy = tokio::select! {
            biased;
            () = asked.end() => return Ok(Some(Exit::Clean)),
            tenancy = standby::tenancy(&mut self.claim, &self.config, &mut self.list, &self.front) => tenancy?,
        };
        let fit = tell_uncovered(&self.list.set, &self.config);
        let (follow, since) = (self.list.followed(&self.config), setup::now());
        let storages = Storages::on_disk(&self.config.data_dir);
        let settings = machine_settings(&self.config);
        let service =
            Service::start_with(&self.config, settings, storages, follow, (&self.telemetry, tenancy))
                .map_err(not_started)?;
        tell_shared_exit(&fit);
        self.list.keep(&self.config);
        service.show_list(self.list.status());
        self.front.serves(service.status());
        let mut running = Running { life: self, service, since, shown: false };
        let end = running.watch(asked, output).await?;
        info!("stopping");
        let service = running.service;
        let (grace, status) = (self.config.shutdown.grace, service.status());
        if let End::Superseded(why) = &end {
            self.front.waits(why);
        }
        #[cfg(feature = "redis")]
        if let (Some(claim), Some(epoch)) = (&mut self.claim, status.shared_epoch()) {
            claim.saw(epoch);
        }
        let stopped = tokio::task::spawn_blocking(move || service.stop(grace))
            .await
            .map_err(|error| Failure::world("stop", error))?;
        summary(&stopped, &status.worker().completeness.total);
        Ok(match end {
            End::Superseded(_) => None,
            End::Asked if stopped.clean => Some(Exit::Clean),
            End::Asked | End::Failed => Some(Exit::Failed),
        })
    }
}

/// Why a service is to be stopped.
enum End {
    /// A person or a supervisor wants it.
    Asked,
    /// Its worker ended by itself.
    Failed,
    /// Another instance writes: this one stands by. Why.
    Superseded(String),
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

    /// Waits for one of them.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The service and who looks after it.
struct Running<'a> {
    life: &'a mut Life,
    service: Service,
    /// When it was started.
    since: Moment,
    /// The table was shown, and signals are from then on.
    shown: bool,
}

impl Running<'_> {
    async fn watch(&mut self, asked: &mut Asked, output: &mut Output) -> Result<End, Failure> {
        if !output.is_terminal() || output.json() {
            self.show_signals(Lines::Json)?;
        }
        let started = clock::now();
        let mut look = interval(LOOK_EVERY);
        let end = loop {
            tokio::select! {
                biased;
                () = asked.end() => break End::Asked,
                _ = look.tick() => {
                    if self.service.has_failed() {
                        tracing::error!("the worker ended by itself");
                        break End::Failed;
                    }
                    if let Some(why) = self.service.superseded() {
                        warn!(why, "stops, and stands by");
                        break End::Superseded(why);
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
        Ok(end)
    }

    /// Whether everybody's beginning is known, and the venue's clock.
    fn is_based(&self) -> bool {
        let worker = self.service.status().worker();
        worker.venue_time.is_some()
            && worker.accounts.len() >= self.life.list.set.enabled_by_priority().len()
            && worker.accounts.iter().all(|account| account.based)
    }

    /// Whom it follows: on stdout for people, before the first signal; on stderr where stdout is for programs, whose signals wait for
    /// nothing.
    fn show(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.shown = true;
        let people = output.is_terminal() && !output.json();
        let worker = self.service.status().worker();
        let mut lines = table::lines(&self.life.list.set, &worker, setup::now().0);
        lines.push(format!(
            "data in {}, since {}",
            self.life.config.data_dir.display(),
            self.since.rfc3339()
        ));
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
        if self.life.quiet || self.life.config.storage.signals.kind == SinkKind::Stdout {
            return Ok(());
        }
        self.service.show(lines, std::io::stdout()).map_err(not_started)
    }

    fn reload(&mut self) {
        let Life { config, list, told, .. } = &mut *self.life;
        let (config, service) = (&*config, &self.service);
        let Some(reload) = list.poll(clock::now()) else { return };
        tell_stale(reload.problem.as_ref());
        *told = tell_refused(list, told);
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
