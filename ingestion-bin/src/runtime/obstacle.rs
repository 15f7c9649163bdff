//! What keeps a process from working in a data directory, looked at without making anything: told beside another reason not to start.

use std::path::Path;

use messaging::journal::Journal;

use super::{StartError, Storages};

/// Why a service could not work in `data_dir` now, as [`super::Service::start`] would say it; `None` when nothing shows.
#[must_use]
pub fn obstacle(data_dir: &Path) -> Option<StartError> {
    if Journal::is_in_use(&*Storages::on_disk(data_dir).journal) {
        return Some(StartError::InUse(data_dir.to_owned()));
    }
    // A file without a name, in what is there already.
    let there = data_dir.ancestors().find(|at| at.as_os_str().is_empty() || at.exists())?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    let error = tempfile::tempfile_in(there).err()?;
    Some(StartError::World(format!("data directory {}: {error}", data_dir.display())))
}
