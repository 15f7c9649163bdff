//! Replaces a file in one step: whoever reads sees the old one or the new one, also after power loss.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

/// Writes a temporary file beside `path`, makes it durable and renames it over `path`. Permissions are kept.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(path)?;
    let done = write(&temporary, path, bytes).and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // Best effort: the error worth reporting is the first one.
        let _ = fs::remove_file(&temporary);
    }
    done?;
    File::open(folder(path))?.sync_all()
}

/// Where the file is.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn write(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A left-over of a killed process with our id: ours to replace.
    match fs::remove_file(temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.tmp", process::id()));
    Ok(path.with_file_name(name))
}
