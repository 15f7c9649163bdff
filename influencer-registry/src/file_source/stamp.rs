//! What a file looks like from outside, to notice that it may have changed without reading it.

use std::{fs, io, path::Path, time::SystemTime};

/// Equal stamps: very likely the same content. Different stamps: worth reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    Missing,
    Unreadable(io::ErrorKind),
    File { modified: Option<SystemTime>, length: u64, inode: u64 },
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(file) => {
                Self::File { modified: file.modified().ok(), length: file.len(), inode: inode(&file) }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(e) => Self::Unreadable(e.kind()),
        }
    }

    /// Whether another file stands there now: put in place whole, not being written.
    pub(super) fn replaces(self, before: Self) -> bool {
        match (before, self) {
            (Self::File { inode: before, .. }, Self::File { inode, .. }) => before != inode,
            _ => false,
        }
    }
}

/// A file put in place by a rename has another inode, even within one tick of the file system's clock.
#[cfg(unix)]
fn inode(file: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}
