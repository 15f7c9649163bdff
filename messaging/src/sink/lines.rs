//! Stored lines read back, across files and in order, also while they are written, rotated and deleted.
//!
//! Only whole lines are shown: a line in the making waits, a torn one is never shown. Nothing is locked and nothing
//! written, so any process may read along.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::line_file::LineFile;
use super::names::{file_name, list, older_deleted};
use crate::storage::Storage;

/// Where reading begins. Files are found by position, lines are not: a line does not hold its record's position.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Begin {
    /// With the oldest line there is.
    #[default]
    Oldest,
    /// With the file that holds, or would hold, the line of this journal position.
    FileOf(u64),
    /// Exactly here: a place [`Lines::place`] gave. When that file is gone, with the one after it.
    At(Place),
    /// Behind the newest whole line.
    End,
}

/// A place between two lines.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The journal position in the file's name.
    pub file: u64,
    /// Bytes from the file's beginning.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {} of file {:020}", self.offset, self.file)
    }
}

/// One stored line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// Where it begins.
    pub place: Place,
    /// Its bytes, without the line feed.
    pub bytes: &'a [u8],
}

/// Reading failed; asking again goes on at the same line.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {name:?}")]
pub struct LinesError {
    /// The file or directory.
    pub name: String,
    /// What the storage answered.
    #[source]
    pub source: io::Error,
}

impl LinesError {
    fn of(name: &str, source: io::Error) -> Self {
        Self { name: name.to_owned(), source }
    }
}

/// See the module.
pub struct Lines {
    storage: Arc<dyn Storage>,
    dir: String,
    current: Option<Open>,
    /// Files below this one are done with.
    next_file: u64,
    /// Where to begin inside `next_file`, when that is the file.
    skip_to: u64,
    /// Bytes of torn lines in files that are finished.
    torn_bytes: u64,
}

#[derive(Debug)]
struct Open {
    first: u64,
    lines: LineFile,
    /// A newer file exists, so this one will not grow.
    finished: bool,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("dir", &self.dir).field("place", &self.place()).finish_non_exhaustive()
    }
}

impl Lines {
    /// Reads the stream in `dir`; a directory that is missing or empty is a stream without lines yet.
    ///
    /// # Errors
    /// What the storage answers.
    pub fn open(storage: Arc<dyn Storage>, dir: impl Into<String>, begin: Begin) -> Result<Self, LinesError> {
        let mut lines =
            Self { storage, dir: dir.into(), current: None, next_file: 0, skip_to: 0, torn_bytes: 0 };
        match begin {
            Begin::Oldest => {}
            Begin::FileOf(position) => {
                let files = lines.files()?;
                let at = files.partition_point(|first| *first <= position);
                lines.next_file = at.checked_sub(1).and_then(|at| files.get(at)).copied().unwrap_or(0);
            }
            Begin::At(place) => (lines.next_file, lines.skip_to) = (place.file, place.offset),
            Begin::End => {
                lines.next_file = lines.files()?.last().copied().unwrap_or(0);
                while lines.next_line()?.is_some() {}
            }
        }
        Ok(lines)
    }

    /// The next line. `None` at the end for now: ask again later to follow what is written ([`Lines::poll_new`]).
    ///
    /// # Errors
    /// [`LinesError`]; asking again goes on at the same line.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, LinesError> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            if self.advance()? {
                break;
            }
            match &mut self.current {
                // Finished was seen before the file was read to its end, so that was all of it.
                Some(open) if open.finished => self.leave()?,
                Some(open) => {
                    let first = open.first;
                    if self.files()?.last().is_none_or(|newest| *newest <= first) {
                        return Ok(None);
                    }
                    if let Some(open) = &mut self.current {
                        open.finished = true;
                    }
                }
                None => return Ok(None),
            }
        }
        Ok(self.current.as_ref().and_then(|open| {
            let (offset, bytes) = open.lines.last_line()?;
            Some(Line { place: Place { file: open.first, offset }, bytes })
        }))
    }

    /// [`Lines::next_line`] by another name, for loops that follow a stream: `None` means nothing new yet.
    ///
    /// # Errors
    /// As [`Lines::next_line`].
    pub fn poll_new(&mut self) -> Result<Option<Line<'_>>, LinesError> {
        self.next_line()
    }

    /// The place behind the last line given: reading goes on there with [`Begin::At`].
    #[must_use]
    pub fn place(&self) -> Place {
        self.current.as_ref().map_or(Place { file: self.next_file, offset: self.skip_to }, |open| Place {
            file: open.first,
            offset: open.lines.offset(),
        })
    }

    /// Bytes of torn lines passed over in finished files. 0 unless a disk lost what it had promised.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Whether the stream began before its oldest file: what was older is deleted.
    ///
    /// # Errors
    /// What the storage answers.
    pub fn older_deleted(&self) -> Result<bool, LinesError> {
        self.listed(older_deleted(self.storage.as_ref(), &self.dir))
    }

    fn files(&self) -> Result<Vec<u64>, LinesError> {
        self.listed(list(self.storage.as_ref(), &self.dir))
    }

    /// A directory that is missing holds nothing.
    fn listed<T: Default>(&self, found: io::Result<T>) -> Result<T, LinesError> {
        match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            found => found.map_err(|source| LinesError::of(&self.dir, source)),
        }
    }

    /// Reads one line of the current file into its buffer.
    fn advance(&mut self) -> Result<bool, LinesError> {
        let Some(open) = &mut self.current else { return Ok(false) };
        let read = open.lines.next_line().map(|line| line.is_some());
        let first = open.first;
        read.map_err(|source| LinesError::of(&file_name(&self.dir, first), source))
    }

    /// Opens the oldest file that is not done with; false when there is none.
    fn open_next(&mut self) -> Result<bool, LinesError> {
        for first in self.files()?.into_iter().filter(|first| *first >= self.next_file) {
            let name = file_name(&self.dir, first);
            match self.storage.open_read(&name) {
                // Deleted since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(LinesError::of(&name, source)),
                Ok(file) => {
                    let offset = if first == self.next_file { self.skip_to } else { 0 };
                    self.current = Some(Open { first, lines: LineFile::new(file, offset), finished: false });
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn leave(&mut self) -> Result<(), LinesError> {
        let Some(open) = self.current.take() else { return Ok(()) };
        (self.next_file, self.skip_to) = (open.first.saturating_add(1), 0);
        let name = file_name(&self.dir, open.first);
        self.torn_bytes += open.lines.rest().map_err(|source| LinesError::of(&name, source))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
