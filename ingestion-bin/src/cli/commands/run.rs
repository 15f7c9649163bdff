//! `run`: the service until it is told to stop.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use hyperliquid_client::sim::{FaultSpec, Market, SimConfig, SimHandle, SimVenue};
use influencer_registry::{InfluencerSet, diff};
use observability::Telemetry;
use observability::admin::{AdminConfig, AdminServer, Token};
use observability::log::{self, Format, LogConfig};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::interval;
use tracing::{info, warn};

use super::super::args::{Cli, Run};
use super::super::exit::{Exit, Failure};
use super::super::followed::{List, followed};
use super::super::output::Output;
use super::super::setup;
use crate::config::{Config, LogFormat, SinkKind};
use crate::runtime::{Lines, Service, StartError, Stopped, Storages, clock, events};

/// Between two looks at the list of influencers and at readiness.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) fn run(cli: &Cli, args: &Run, output: &mut Output) -> Result<Exit, Failure> {
    let (simulated, overrides) = if args.simulate { simulate(cli, args)? } else { (None, Vec::new()) };
    let mut overrides = overrides;
    if let Some(start) = &args.start {
        setup::moment("--start", Some(start))?;
        overrides.push(("listeners.start".to_owned(), start.clone()));
    }
    let config = setup::configuration(cli, &overrides)?;
    crate::runtime::endpoints(&config.venue)?;
    let list = List::read(&config, &args.follow)?;
    if list.set.enabled_by_priority().is_empty() && list.file.is_none() {
        return Err(Failure::Usage(
            "nobody to follow: name accounts in [influencers], or with --follow ADDR, or try --simulate"
                .to_owned(),
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::world("runtime", error))?;
    let exit = runtime.block_on(serve(config, list, output))?;
    drop(simulated);
    Ok(exit)
}

/// What the simulated venue needs to live on while the service runs.
struct Simulated {
    _venue: SimHandle,
    _directory: Option<TempDir>,
}

type Overrides = Vec<(String, String)>;

/// Starts a venue on a loopback port and says where it is, in the words of the configuration.
fn simulate(cli: &Cli, args: &Run) -> Result<(Option<Simulated>, Overrides), Failure> {
    let mut sim = SimConfig::synthetic(clock::wall_ns(), clock::wall_ms());
    for fault in &args.faults {
        let parsed = fault
            .parse::<FaultSpec>()
            .map_err(|error| Failure::Usage(format!("--fault {fault}: {}", error.problem)))?;
        sim.faults.push(parsed);
    }
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

async fn serve(config: Config, mut list: List, output: &mut Output) -> Result<Exit, Failure> {
    let telemetry = Telemetry::new(&events::catalogue()).map_err(|error| Failure::world("metrics", error))?;
    let format = match config.telemetry.log {
        LogFormat::Pretty => Format::Pretty,
        LogFormat::Json => Format::Json,
    };
    let log_config = LogConfig::new(format, &config.telemetry.level)
        .map_err(|error| Failure::Usage(format!("telemetry.level: {error}")))?;
    let _log = log::init(&log_config, &telemetry).map_err(|error| Failure::world("log", error))?;
    let admin = admin(&config)?;
    let people = output.is_terminal() && !output.json();
    let echo: Option<(Lines, Box<dyn Write + Send>)> = (config.storage.signals.kind != SinkKind::Stdout)
        .then(|| {
            (
                if people { Lines::Human } else { Lines::Json },
                Box::new(std::io::stdout()) as Box<dyn Write + Send>,
            )
        });
    // The port is taken before anything is written or contacted.
    let status = Arc::new(std::sync::OnceLock::<crate::runtime::ServiceStatus>::new());
    let for_admin = Arc::clone(&status);
    let source =
        move || for_admin.get().map_or_else(|| serde_json::json!({}), crate::runtime::ServiceStatus::json);
    let server = match admin {
        None => None,
        Some(admin) => Some(
            AdminServer::bind(&admin, &telemetry, Arc::new(source))
                .await
                .map_err(|error| Failure::World(format!("admin server: {}", causes(&error))))?,
        ),
    };
    let follow = list.followed(&config);
    let service = Service::start(&config, Storages::on_disk(&config.data_dir), follow, &telemetry, echo)
        .map_err(|error| match error {
            StartError::Configuration(problems) => Failure::Configuration(problems),
            world @ (StartError::InUse(_) | StartError::World(_)) => Failure::World(world.to_string()),
        })?;
    let _first = status.set(service.status());
    let stop_admin = Arc::new(Notify::new());
    let admin_task = server.map(|server| {
        info!(address = %server.local_addr(), "admin server");
        let stop = Arc::clone(&stop_admin);
        tokio::spawn(async move {
            server.serve(async move { stop.notified().await }, Duration::from_secs(1)).await;
        })
    });
    table(&list, &config, people, output)?;
    let failed = watch(&config, &mut list, &service).await?;
    info!("stopping");
    let grace = config.shutdown.grace;
    let stopped = tokio::task::spawn_blocking(move || service.stop(grace))
        .await
        .map_err(|error| Failure::world("stop", error))?;
    stop_admin.notify_one();
    if let Some(task) = admin_task {
        let _ended = task.await;
    }
    summary(&stopped);
    Ok(if stopped.clean && !failed { Exit::Clean } else { Exit::Failed })
}

/// Until a signal comes (false) or the worker ends by itself (true).
async fn watch(config: &Config, list: &mut List, service: &Service) -> Result<bool, Failure> {
    let asked = |kind| signal(kind).map_err(|error| Failure::world("signals", error));
    let (mut terminate, mut interrupt) = (asked(SignalKind::terminate())?, asked(SignalKind::interrupt())?);
    let mut look = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => return Ok(false),
            _ = interrupt.recv() => return Ok(false),
            _ = look.tick() => {
                if service.has_failed() {
                    tracing::error!("the worker ended by itself");
                    return Ok(true);
                }
                service.judge_readiness();
                reload(config, list, service);
            }
        }
    }
}

fn reload(config: &Config, list: &mut List, service: &Service) {
    let Some(reload) = list.file.as_mut().and_then(|file| file.poll(clock::now())) else { return };
    if let Some(problem) = &reload.problem {
        warn!(%problem, "the list of influencers is not taken, the last good one stays");
    }
    for refusal in &reload.refused {
        warn!(%refusal, "an entry of the list is refused, the others are followed");
    }
    let new: InfluencerSet = list.with_extra(&reload.set);
    let changes = diff(&list.set, &new);
    for gone in &changes.removed {
        service.unfollow(*gone.address().as_bytes());
    }
    for changed in &changes.changed {
        match (changed.old.enabled(), changed.new.enabled()) {
            (true, false) => service.unfollow(*changed.old.address().as_bytes()),
            (false, true) => service.follow(followed(&changed.new, config)),
            (true, true) => service.change(followed(&changed.new, config)),
            (false, false) => {}
        }
    }
    for new in changes.added.iter().filter(|influencer| influencer.enabled()) {
        service.follow(followed(new, config));
    }
    list.set = new;
}

fn admin(config: &Config) -> Result<Option<AdminConfig>, Failure> {
    let Some(listen) = config.admin.listen else { return Ok(None) };
    let token = match &config.admin.token_from {
        None => None,
        Some(source) => {
            let text = source.read().map_err(|error| Failure::Usage(format!("admin.token_from: {error}")))?;
            Some(Token::new(&text).map_err(|error| Failure::Usage(format!("admin.token_from: {error}")))?)
        }
    };
    Ok(Some(AdminConfig { listen, token }))
}

/// What is followed, before the first signal: on stdout for people, on stderr where stdout is for programs.
fn table(list: &List, config: &Config, people: bool, output: &mut Output) -> Result<(), Failure> {
    let mut lines = vec![format!("{:<16} {:<42} {:>8}  markets", "influencer", "account", "priority")];
    for influencer in list.set.enabled_by_priority() {
        let markets: Vec<&str> =
            influencer.markets().iter().map(influencer_registry::Market::as_str).collect();
        let markets = if markets.is_empty() { "all".to_owned() } else { markets.join(", ") };
        let (id, address) = (influencer.id().as_str(), influencer.address().as_str());
        let id = if id == address { "-" } else { id };
        lines.push(format!("{id:<16} {address} {:>8}  {markets}", influencer.priority()));
    }
    lines.push(format!("data in {}, since {}", config.data_dir.display(), setup::now().rfc3339()));
    for line in lines {
        if people {
            output.line(&line)?;
        } else {
            tell(&line);
        }
    }
    output.flush()
}

fn summary(stopped: &Stopped) {
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

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
