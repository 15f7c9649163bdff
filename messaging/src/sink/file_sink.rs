//! Lines in files: `{dir}/{journal position of the first line, 20 digits}.ndjson`.
//!
//! The files are their own cursor. At the start a torn last line is cut, and from the stored cursor on (which is never
//! in front of the lines) records are walked again; those whose line is there already are recognised by their keys, so
//! writing goes on right behind the last line. When something had to be cut, or the cursor is lost, the walk begins at
//! the newest file's first record instead. No key is in the files twice (after the loss of a whole journal: none of the
//! newest [`REMEMBERED`] comes again).
//!
//! Writing: a file is fsynced to its end before the next one is created, and a new one's name is fsynced before its
//! first line counts. A failed write is cut off and the same bytes are written again at the same place. Around every
//! write the file is looked up by its name: a directory deleted under an open file is noticed, and the lines go into a
//! new file once a directory is there (it is not made again: it may have been a mount), or on in the same file where it was
//! only moved away and is back.
//! Bounds: `rotate_bytes` a file (a longer line has a file for itself), `max_bytes` together, oldest file deleted first
//! and never the one being written; the keys of [`REMEMBERED`] lines, and where the newest file is walked again of all its lines.
//! An empty file `older.deleted` says that the stream began before its oldest file: with files that were deleted since, or with
//! records that were deleted before there was a sink for them ([`FileSink::older_deleted`]).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::names::{deleted_name, file_name, mark_name};
use super::recent::Recent;
use super::recovery::{self, Stored};
use super::{Delivered, REMEMBERED, Render, Sink, SinkError, Tally};
use crate::journal::{Origin, Record};
use crate::storage::{Storage, StoredFile};

/// A batch buffer larger than this is given back.
const KEEP: usize = 8 << 20;

/// Where a stream's files are and how large they get.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileSinkConfig {
    /// The directory, below the storage's root; nothing else should write into it.
    pub dir: String,
    /// A file is followed by a new one before it would get larger.
    pub rotate_bytes: u64,
    /// All files together; the oldest are deleted.
    pub max_bytes: u64,
}

impl FileSinkConfig {
    /// 128 MiB a file, 8 GiB together.
    #[must_use]
    pub fn new(dir: impl Into<String>) -> Self {
        Self { dir: dir.into(), rotate_bytes: 128 << 20, max_bytes: 8 << 30 }
    }
}

/// See the module.
pub struct FileSink<R> {
    storage: Arc<dyn Storage>,
    config: FileSinkConfig,
    render: R,
    /// Oldest first. The last one is being written, if `current` is set.
    files: VecDeque<Stored>,
    current: Option<Current>,
    recent: Recent,
    walk_from: Option<u64>,
    /// Marks of lines that were cut, and where the stored cursor was then: behind it they are all written again.
    marks_of_cuts: Vec<u64>,
    walk_until: u64,
    /// Behind the last record accepted.
    seen_to: u64,
    /// Lines accepted and not delivered, each with its line feed.
    waiting: Vec<u8>,
    /// One for each of them.
    marks: VecDeque<Mark>,
    /// How much of `waiting` is delivered.
    done: usize,
    line: Vec<u8>,
    tally: Tally,
}

#[derive(Debug)]
struct Current {
    file: Box<dyn StoredFile>,
    first: u64,
    /// Up to here everything is fsynced.
    durable: u64,
    /// There may be bytes behind `durable`.
    spoiled: bool,
    /// Its name is fsynced.
    named: bool,
    /// Its name led nowhere when it was last looked up.
    missing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Where its line ends in `waiting`.
    end: usize,
    position: u64,
}

impl<R> fmt::Debug for FileSink<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink")
            .field("config", &self.config)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl<R: Render> FileSink<R> {
    /// Opens the stream's directory, making it where it is missing, and puts its end in order.
    ///
    /// # Errors
    /// [`SinkError::Io`]; nothing was lost, open again.
    pub fn open(storage: Arc<dyn Storage>, config: FileSinkConfig, render: R) -> Result<Self, SinkError> {
        let found = recovery::recover(storage.as_ref(), &config.dir, &|line| render.key_of_line(line))?;
        let current = match found.files.back() {
            None => None,
            Some(newest) => {
                let name = file_name(&config.dir, newest.first);
                let file = storage.open(&name).map_err(|source| SinkError::io("open", &name, source))?;
                Some(Current {
                    file,
                    first: newest.first,
                    durable: newest.bytes,
                    spoiled: false,
                    named: true,
                    missing: false,
                })
            }
        };
        let tally =
            Tally { cut_bytes: found.cut_bytes, unrecognised: found.unrecognised, ..Tally::default() };
        let mut sink = Self {
            storage,
            config,
            render,
            files: found.files,
            current,
            recent: found.recent,
            walk_from: found.walk_from,
            marks_of_cuts: found.marks,
            walk_until: u64::MAX,
            seen_to: 0,
            waiting: Vec::new(),
            marks: VecDeque::new(),
            done: 0,
            line: Vec::new(),
            tally,
        };
        sink.delete_oldest();
        sink.measure();
        Ok(sink)
    }

    /// Whether it holds no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Says beside the files that the stream had older lines than they hold, so that whoever audits them does not miss those. To be
    /// called before the cursor of a new sink is made: then no death in between can leave it unsaid.
    ///
    /// # Errors
    /// [`SinkError::Io`].
    pub fn older_deleted(&self) -> Result<(), SinkError> {
        let told = self.tell_of_deletion();
        told.map_err(|source| SinkError::io("mark", &self.config.dir, source))
    }

    /// Writes as many waiting lines as belong into one file.
    fn write_some(&mut self, next: Mark) -> Result<(), SinkError> {
        let line_bytes = (next.end - self.done) as u64;
        let full = |current: &Current| {
            current.durable > 0 && current.durable.saturating_add(line_bytes) > self.config.rotate_bytes
        };
        let mut current = match self.current.take().filter(|current| !full(current)) {
            Some(current) if current.missing => self.found_again(current, next.position)?,
            Some(current) => current,
            None => self.create(next.position)?,
        };
        let (lines, end) = self.fitting(current.durable);
        let bytes = self.waiting.get(self.done..end).unwrap_or_default();
        match self.write_to(&mut current, bytes) {
            Ok(()) => {}
            Err(error) => {
                // What was written into a file that is gone comes to light with it, should it come back.
                current.missing = matches!(error, SinkError::Changed { found: None, .. });
                let stays = current.missing || current.named && !matches!(error, SinkError::Changed { .. });
                self.current = stays.then_some(current);
                return Err(error);
            }
        }
        match self.files.back_mut() {
            Some(newest) if newest.first == current.first => newest.bytes = current.durable,
            Some(_) | None => self.files.push_back(Stored { first: current.first, bytes: current.durable }),
        }
        self.current = Some(current);
        self.tally.lines += lines as u64;
        self.tally.bytes += (end - self.done) as u64;
        self.marks.drain(..lines);
        self.done = end;
        Ok(())
    }

    /// How many of the waiting lines a file of `bytes` takes, and where the last of them ends: at least one.
    fn fitting(&self, bytes: u64) -> (usize, usize) {
        let room = self.config.rotate_bytes.saturating_sub(bytes);
        let fit = self.marks.partition_point(|mark| (mark.end - self.done) as u64 <= room).max(1);
        (fit, self.marks.get(fit - 1).map_or(self.done, |mark| mark.end))
    }

    /// The file whose name led nowhere, if it does again, or else a new one in its place.
    fn found_again(&mut self, gone: Current, position: u64) -> Result<Current, SinkError> {
        if self.storage.open_read(&file_name(&self.config.dir, gone.first)).is_ok() {
            return Ok(Current { missing: false, ..gone });
        }
        // Without a directory there is no new one either: then it may still come back.
        self.create(position.max(gone.first.saturating_add(1))).inspect_err(|_| self.current = Some(gone))
    }

    fn create(&self, position: u64) -> Result<Current, SinkError> {
        // A journal that was lost while the clock stood wrong may begin again below: names still sort.
        let first = self.files.back().map_or(position, |newest| position.max(newest.first.saturating_add(1)));
        let name = file_name(&self.config.dir, first);
        let file = self.storage.create(&name).map_err(|source| SinkError::io("create", &name, source))?;
        Ok(Current { file, first, durable: 0, spoiled: false, named: false, missing: false })
    }

    fn write_to(&self, current: &mut Current, bytes: &[u8]) -> Result<(), SinkError> {
        let name = file_name(&self.config.dir, current.first);
        let failed = |operation, source| SinkError::io(operation, &name, source);
        if current.spoiled {
            current.file.truncate(current.durable).map_err(|error| failed("cut", error))?;
        }
        self.check_by_name(&name, current.durable)?;
        current.spoiled = true;
        current.file.write_all_at(bytes, current.durable).map_err(|error| failed("write", error))?;
        current.file.sync_data().map_err(|error| failed("sync", error))?;
        if !current.named {
            self.storage.sync_dir(&self.config.dir).map_err(|error| failed("sync the name of", error))?;
        }
        let written = current.durable + bytes.len() as u64;
        self.check_by_name(&name, written)?;
        (current.durable, current.spoiled, current.named) = (written, false, true);
        Ok(())
    }

    /// Whether the name still leads to the file that is open.
    fn check_by_name(&self, name: &str, expected: u64) -> Result<(), SinkError> {
        let found = match self.storage.open_read(name).and_then(|file| file.size()) {
            Ok(size) => Some(size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(SinkError::io("look up", name, source)),
        };
        if found == Some(expected) {
            Ok(())
        } else {
            Err(SinkError::Changed { name: name.to_owned(), expected, found })
        }
    }

    /// Keeps the stream under its `max_bytes`.
    fn delete_oldest(&mut self) {
        let mut total: u64 = self.files.iter().map(|file| file.bytes).sum();
        while total > self.config.max_bytes && self.files.len() > 1 {
            let Some(oldest) = self.files.front().copied() else { break };
            let told = if self.tally.deleted_files == 0 { self.tell_of_deletion() } else { Ok(()) };
            match told.and_then(|()| self.storage.remove(&file_name(&self.config.dir, oldest.first))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    self.tally.delete_failures += 1;
                    break;
                }
                Ok(()) | Err(_) => {}
            }
            self.files.pop_front();
            self.tally.deleted_files += 1;
            self.tally.deleted_bytes += oldest.bytes;
            total -= oldest.bytes;
        }
    }

    fn tell_of_deletion(&self) -> io::Result<()> {
        self.storage.create(&deleted_name(&self.config.dir))?;
        self.storage.sync_dir(&self.config.dir)
    }

    /// Removes the marks of cuts once everything behind them is there again. One that stays, or comes back after a power
    /// loss, costs a walk.
    fn unmark(&mut self) {
        if self.seen_to >= self.walk_until {
            let (storage, dir) = (&self.storage, &self.config.dir);
            self.marks_of_cuts.retain(|mark| {
                storage
                    .remove(&mark_name(dir, *mark))
                    .is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
            });
        }
    }

    fn measure(&mut self) {
        self.tally.files = self.files.len() as u64;
        self.tally.stored_bytes = self.files.iter().map(|file| file.bytes).sum();
    }
}

impl<R: Render> Sink for FileSink<R> {
    fn resume(&mut self, origin: Origin, position: u64, end: u64) -> u64 {
        let known = match origin {
            Origin::Resumed | Origin::Clamped(_) => true,
            Origin::New | Origin::OtherJournal(..) | Origin::Damaged => false,
        };
        self.walk_until = position;
        if known && self.walk_from.is_none() {
            // Nothing is walked again but what lies past the cursor.
            self.recent.keep_newest(REMEMBERED);
        }
        match self.files.back() {
            // The files say where they are. Positions past the end are of a journal that was lost.
            Some(newest) if !known && newest.first < end => {
                self.walk_from.map_or(newest.first, |walk| newest.first.min(walk))
            }
            // What was cut is written again, as far as the journal still has it.
            Some(_) | None => self.walk_from.map_or(position, |walk| position.min(walk)),
        }
    }

    fn accept(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.line.clear();
        self.seen_to = record.position + 1;
        let Some(key) = self.render.render(record, &mut self.line) else { return Ok(()) };
        let bad = |what| Err(SinkError::BadLine { position: record.position, what });
        if self.line.is_empty() {
            return bad("is empty");
        }
        if self.line.contains(&b'\n') || self.line.contains(&0) {
            return bad("holds a line feed or a NUL byte");
        }
        debug_assert_eq!(
            self.render.key_of_line(&self.line),
            Some(key),
            "Invariant: a line is recognised when read back"
        );
        if !self.recent.insert(key) {
            self.tally.repeats += 1;
            return Ok(());
        }
        self.waiting.extend_from_slice(&self.line);
        self.waiting.push(b'\n');
        self.marks.push_back(Mark { end: self.waiting.len(), position: record.position });
        Ok(())
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.len() - self.done
    }

    fn flush(&mut self, _: Instant) -> Result<Delivered, SinkError> {
        while let Some(next) = self.marks.front().copied() {
            self.write_some(next)?;
        }
        self.done = 0;
        self.waiting.clear();
        self.waiting.shrink_to(KEEP);
        self.line.shrink_to(KEEP);
        self.delete_oldest();
        self.unmark();
        self.measure();
        Ok(Delivered::All)
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
