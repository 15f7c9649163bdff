//! What a start finds in a stream's directory: cuts what a crash left half written, and reads back the keys of the
//! newest lines.
//!
//! Only the newest file can be half written: a file is fsynced to its end before the next one is created. Good are the
//! whole lines in front of the first torn one or the first NUL byte (a page that power loss took reads as zeros).
//!
//! What is good may be in the page cache alone: after a failed fsync its pages count as clean, and another fsync writes
//! nothing. So the newest lines, as many as may lie past the stored cursor, are written again in place before they are
//! believed.
//!
//! A cut can reach below the stored cursor when a disk lost what it had promised. Until those lines are written again a
//! mark, an empty file `{position}.cut`, keeps another crash from forgetting them.

use std::collections::VecDeque;
use std::io;

use super::line_file::LineFile;
use super::names::{file_name, list, mark_name, marks};
use super::recent::Recent;
use super::{LineKey, REMEMBERED, SinkError};
use crate::storage::{Storage, StoredFile};

/// One file of the stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stored {
    pub(super) first: u64,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct Recovered {
    /// Oldest first; the last one holds at least one line.
    pub(super) files: VecDeque<Stored>,
    pub(super) recent: Recent,
    /// Bytes cut from the newest files.
    pub(super) cut_bytes: u64,
    /// The position from which the journal has to be walked again so that every line that was cut is written again:
    /// every line from there on that is left is in `recent`.
    pub(super) walk_from: Option<u64>,
    /// To be removed when that is done.
    pub(super) marks: Vec<u64>,
    /// Whole lines nobody recognises; they are left as they are.
    pub(super) unrecognised: u64,
}

/// Reads, cuts and syncs; afterwards the directory holds whole lines only.
pub(super) fn recover(
    storage: &dyn Storage,
    dir: &str,
    key_of_line: &dyn Fn(&[u8]) -> Option<LineKey>,
) -> Result<Recovered, SinkError> {
    storage.create_dir(dir).map_err(|source| SinkError::io("make directory", dir, source))?;
    let names = list(storage, dir).map_err(|source| SinkError::io("list", dir, source))?;
    let mut found = Recovered {
        files: VecDeque::new(),
        recent: Recent::new(REMEMBERED),
        cut_bytes: 0,
        walk_from: None,
        marks: marks(storage, dir).map_err(|source| SinkError::io("list", dir, source))?,
        unrecognised: 0,
    };
    let mut older = names.into_iter().rev();
    for first in older.by_ref() {
        let name = file_name(dir, first);
        let scanned =
            scan(storage, &name, key_of_line).map_err(|source| SinkError::io("read", &name, source))?;
        if scanned.size > scanned.good {
            found
                .mark(storage, dir, first)
                .map_err(|source| SinkError::io("mark a cut in", &name, source))?;
        }
        found.cut(storage, &name, &scanned).map_err(|source| SinkError::io("cut", &name, source))?;
        if scanned.size > scanned.good {
            found.walk_from = Some(first);
        }
        if scanned.good > 0 {
            found.walk_from = found.walk_from.map(|_| first);
            found.take(first, scanned);
            break;
        }
    }
    found.walk_from = found.walk_from.into_iter().chain(found.marks.iter().copied()).min();
    for first in older {
        let name = file_name(dir, first);
        let read = |source| SinkError::io("read", &name, source);
        if found.recent.len() < REMEMBERED || found.walk_from.is_some_and(|walk| first >= walk) {
            let scanned = scan(storage, &name, key_of_line).map_err(read)?;
            found.take(first, scanned);
        } else {
            let bytes = storage.open_read(&name).and_then(|file| file.size()).map_err(read)?;
            found.files.push_front(Stored { first, bytes });
        }
    }
    // The newest name may be in the cache alone, too.
    storage.sync_dir(dir).map_err(|source| SinkError::io("sync", dir, source))?;
    Ok(found)
}

struct Scanned {
    /// The file's length as found.
    size: u64,
    /// The length up to which it holds whole, sound lines.
    good: u64,
    /// Offset of the oldest line that may lie past the stored cursor.
    newest_from: u64,
    keys: Vec<LineKey>,
    unrecognised: u64,
}

fn scan(
    storage: &dyn Storage,
    name: &str,
    key_of_line: &dyn Fn(&[u8]) -> Option<LineKey>,
) -> io::Result<Scanned> {
    let file = storage.open_read(name)?;
    let mut scanned =
        Scanned { size: file.size()?, good: 0, newest_from: 0, keys: Vec::new(), unrecognised: 0 };
    let mut newest = VecDeque::new();
    let mut lines = LineFile::new(file, 0);
    while let Some((offset, line)) = lines.next_line()? {
        if line.contains(&0) {
            break;
        }
        scanned.good = offset + line.len() as u64 + 1;
        newest.push_back(offset);
        if newest.len() > REMEMBERED {
            newest.pop_front();
        }
        match key_of_line(line) {
            Some(key) => scanned.keys.push(key),
            None => scanned.unrecognised += 1,
        }
    }
    scanned.newest_from = newest.front().copied().unwrap_or(0);
    Ok(scanned)
}

/// Makes bytes that can be read into bytes that are on the disk: writes them again where they are, then syncs.
fn write_again(file: &dyn StoredFile, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let piece = buffer.get_mut(..want).unwrap_or_default();
        let read = file.read_full_at(piece, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all_at(piece.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
    file.sync_data()
}

impl Recovered {
    /// Notes, durably, that lines from `first` on are about to be cut.
    fn mark(&mut self, storage: &dyn Storage, dir: &str, first: u64) -> io::Result<()> {
        if !self.marks.contains(&first) {
            storage.create(&mark_name(dir, first))?;
            self.marks.push(first);
        }
        storage.sync_dir(dir)
    }

    fn cut(&mut self, storage: &dyn Storage, name: &str, scanned: &Scanned) -> io::Result<()> {
        self.cut_bytes += scanned.size - scanned.good;
        if scanned.good == 0 {
            // Without a line it has no place in the order of names.
            return storage.remove(name);
        }
        let file = storage.open(name)?;
        if scanned.size > scanned.good {
            file.truncate(scanned.good)?;
        }
        write_again(file.as_ref(), scanned.newest_from, scanned.good)
    }

    fn take(&mut self, first: u64, scanned: Scanned) {
        self.files.push_front(Stored { first, bytes: scanned.good });
        self.unrecognised += scanned.unrecognised;
        self.recent.prepend(scanned.keys);
    }
}
