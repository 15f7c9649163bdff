//! What keeps a process from working in a data directory, looked at without making anything, so that it is told before anything begins.

use std::path::Path;

use messaging::journal::Journal;

use super::{StartError, Storages};
use crate::config::Config;

/// Everything that a service would meet in its data directory now, as [`super::Service::start`] would say it; empty when nothing shows.
#[must_use]
pub fn obstacles(config: &Config) -> Vec<StartError> {
    let data_dir = &config.data_dir;
    if Journal::is_in_use(&*Storages::on_disk(data_dir).journal) {
        return vec![StartError::InUse(data_dir.clone())];
    }
    unwritable(config)
}

/// Those of them that are there whoever runs: places in which no file can be made.
#[must_use]
pub fn unwritable(config: &Config) -> Vec<StartError> {
    let told = |place: &Path| {
        let error = refusal(place)?;
        Some(StartError::World(format!("data directory {}: {error}", place.display())))
    };
    if let Some(error) = told(&config.data_dir) {
        return vec![error];
    }
    let streams = std::iter::once("journal").chain(config.storage.file_streams());
    streams
        .map(|name| config.data_dir.join(name))
        .filter(|place| place.exists())
        .filter_map(|place| told(&place))
        .collect()
}

/// Why no file can be made there, or in what is there already of it: tried with one without a name.
fn refusal(place: &Path) -> Option<std::io::Error> {
    let there = place.ancestors().find(|at| at.as_os_str().is_empty() || at.exists())?;
    tempfile::tempfile_in(if there.as_os_str().is_empty() { Path::new(".") } else { there }).err()
}
