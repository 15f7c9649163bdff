//! `sim-venue`: a simulated venue on its own, until it is stopped.

use std::time::Duration;

use hyperliquid_client::sim::{
    FaultSpec, Replay, SimConfig, SimSource, SimTls, SimVenue, Speed, TwapRows, VenueStatus,
};
use observability::causes;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::super::args::{SimVenue as Args, Twap};
use super::super::exit::{Exit, Failure};
use super::super::flags::Flags;
use super::super::output::Output;
use crate::config::{Problem, Problems};
use crate::runtime::clock;

/// Speed and faults, or all that is wrong with them.
fn arguments(args: &Args) -> Result<(Speed, Vec<FaultSpec>), Vec<Problem>> {
    let mut flags = Flags::default();
    let speed = flags.read("--speed", &args.speed, speed(&args.speed));
    let faults = flags.faults(&args.faults);
    flags.all((speed.unwrap_or(Speed::Max), faults))
}

fn speed(text: &str) -> Result<Speed, &'static str> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.parse().ok().filter(|times: &f64| times.is_finite() && *times > 0.0);
    times.map(Speed::Times).ok_or("wants a number above 0, or max")
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<Exit, Failure> {
    let (speed, faults) = arguments(args).map_err(|wrong| Failure::Usage(Problems(wrong).to_string()))?;
    let mut config = match &args.fills {
        None => SimConfig::synthetic(args.seed, clock::wall_ms()),
        Some(path) => {
            let rows = match args.twap {
                Twap::Split => TwapRows::Split,
                Twap::Inline => TwapRows::Inline,
            };
            let replay = Replay::load(path, args.segment.as_deref(), rows)
                .map_err(|error| Failure::World(causes(&error)))?;
            SimConfig::new(SimSource::Replay(replay))
        }
    };
    config.listen = args.listen;
    config.seed = args.seed;
    config.speed = speed;
    config.max_gap = args.max_gap_ms.map(Duration::from_millis);
    config.wait_subscriptions = args.wait_subscriptions;
    config.warmup = Duration::from_millis(args.warmup_ms);
    config.require_token.clone_from(&args.require_token);
    config.faults.extend(faults);
    let authority = if args.tls {
        let directory = tempfile::Builder::new().prefix("ingestion-sim-venue-").tempdir();
        let directory = directory.map_err(|error| Failure::world("temporary directory", error))?;
        let path = directory.path().join("ca.pem");
        config.tls = Some(SimTls { ca_pem_path: Some(path.clone()), ..SimTls::default() });
        Some((directory, path))
    } else {
        None
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::world("runtime", error))?;
    let venue = SimVenue::start(config).map_err(|error| Failure::World(causes(&error)))?;
    let ca_file = authority.as_ref().map(|(_, path)| path.display().to_string());
    if output.json() {
        let accounts = venue.accounts();
        output.document(
            &json!({ "ws": venue.ws_url(), "info": venue.info_url(), "caFile": ca_file, "accounts": accounts }),
        )?;
    } else {
        output.line(&format!("ws    {}", venue.ws_url()))?;
        output.line(&format!("info  {}", venue.info_url()))?;
        if let Some(path) = &ca_file {
            output.line(&format!("ca    {path}"))?;
        }
    }
    output.flush()?;
    runtime.block_on(async {
        let asked = |kind| signal(kind).map_err(|error| Failure::world("signals", error));
        let (mut terminate, mut interrupt) =
            (asked(SignalKind::terminate())?, asked(SignalKind::interrupt())?);
        let mut finished = std::pin::pin!(venue.finished());
        let mut told = false;
        loop {
            tokio::select! {
                biased;
                _ = terminate.recv() => return Ok::<(), Failure>(()),
                _ = interrupt.recv() => return Ok(()),
                () = &mut finished, if !told => {
                    told = true;
                    let status = venue.status();
                    if output.json() {
                        output.document(&json!({ "finished": true, "fills": status.fills }))?;
                    } else {
                        output.line(&format!("played to the end: {} fills; still serving", status.fills))?;
                    }
                    output.flush()?;
                }
            }
        }
    })?;
    last_words(&venue.status(), output)?;
    venue.stop().map_err(|error| Failure::world("simulated venue", error))?;
    Ok(Exit::Clean)
}

/// What happened, when it is told to stop: whether anybody went over the limits above all.
fn last_words(status: &VenueStatus, output: &mut Output) -> Result<(), Failure> {
    if output.json() {
        output.document(&json!({
            "stopped": true,
            "fills": status.fills,
            "venueTime": status.venue_time,
            "connectionsTotal": status.connections_total,
            "refusedConnections": status.refused_connections,
            "refusedByLimits": status.refused_by_limits,
            "infoRequests": status.info_requests,
            "infoOverBudget": status.info_over_budget,
            "infoWeightPeak": status.info_weight_peak,
            "slowClosed": status.slow_closed,
        }))?;
    } else {
        output.line(&format!(
            "stopped: {} fills, {} info requests, at most {} of weight in a minute, {} refused for it",
            status.fills, status.info_requests, status.info_weight_peak, status.info_over_budget
        ))?;
    }
    output.flush()
}
