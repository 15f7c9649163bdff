//! `run --simulate`: a simulated venue on a loopback port, and everything else as for the real one.

use hyperliquid_client::sim::{FaultSpec, Market, SimConfig, SimHandle, SimVenue};
use tempfile::TempDir;

use super::super::super::args::Cli;
use super::super::super::exit::Failure;
use crate::runtime::clock;

/// What the simulated venue needs to live on while the service runs.
pub(super) struct Simulated {
    _venue: SimHandle,
    _directory: Option<TempDir>,
}

pub(super) type Overrides = Vec<(String, String)>;

/// Starts a venue on a loopback port and says where it is, in the words of the configuration.
pub(super) fn simulate(cli: &Cli, faults: &[FaultSpec]) -> Result<(Option<Simulated>, Overrides), Failure> {
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
