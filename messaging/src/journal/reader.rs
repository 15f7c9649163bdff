//! Reading the journal in position order, across segments and while they are written, rolled, replaced and deleted.
//! It never writes, and it is never ahead of its limit. Memory: one buffer of 256 KiB, or the largest record.

use std::io;
use std::sync::Arc;

use super::cursor::{self, Done};
use super::error::{Damage, PassedOver};
use super::format::{HeaderRead, JournalId};
use super::index::{self, Query, Skip};
use super::progress::Progress;
use super::record::Record;
use super::scan::{BadSpan, Place, Scan, Step};
use super::segment::{self, Segment};
use crate::storage::Storage;

/// How far a reader of the journal's own process goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// What is safe from power loss.
    Synced,
    /// What is written; power loss may take the end of it.
    Appended,
}

/// One thing read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read<'a> {
    /// A record.
    Record(Record<'a>),
    /// Positions that cannot be read any more; reading goes on behind them.
    Damage(Damage),
    /// The header or checkpoint of the segment that comes now is damaged; its records are read all the same. Told once a segment.
    PassedOver(PassedOver),
    /// The wanted position was deleted; reading goes on at `to`, the oldest there is.
    Gone {
        /// What was wanted.
        from: u64,
        /// What there is.
        to: u64,
    },
}

/// Why nothing could be read; the reader stays where it was.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk did not do what was asked.
    #[error("journal: reading at position {position} failed")]
    Io {
        /// Where the reader is.
        position: u64,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// A later version wrote this segment.
    #[error("segment {segment} has format version {version}, this program reads 1")]
    Newer {
        /// Its first position.
        segment: u64,
        /// Its version.
        version: u16,
    },
}

/// Where a reader must stop.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Owner(Arc<Progress>, Limit),
    /// Another process' journal: as far as it is good. What a sink had read when this began was durable, and so is there or damaged.
    Good {
        assured: u64,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    storage: Arc<dyn Storage>,
    journal: JournalId,
    bound: Bound,
    query: Option<Query>,
    position: u64,
    open: Option<Open>,
    /// The segment whose front was looked at last.
    checked: Option<u64>,
    bytes_read: u64,
}

#[derive(Debug)]
struct Open {
    first: u64,
    header: HeaderRead,
    /// Where the next segment begins, if there is one.
    next: Option<u64>,
    scan: Scan,
    skips: Vec<Skip>,
    /// How many segments the run had made when it was last looked up.
    made: u64,
    /// The place that was bad when it was last looked at; a second look decides.
    doubt: Option<u64>,
}

/// What to do after a step, without a borrow on the scan.
enum Next {
    Again,
    Wait,
    Tell(Read<'static>),
    /// The scan stands behind a wanted record.
    Record,
}

/// A place that cannot be read: not written yet, replaced by now, or damaged.
enum Trouble {
    Bad(BadSpan),
    Broken,
    End,
}

impl Reader {
    pub(crate) fn new(storage: Arc<dyn Storage>, journal: JournalId, bound: Bound, position: u64) -> Self {
        Self { storage, journal, bound, query: None, position, open: None, checked: None, bytes_read: 0 }
    }

    /// Reads another process' journal, as far as it is good, from `position` on. An end that cannot be read is one in the making, or
    /// damaged, where a sink's cursor has passed it.
    ///
    /// # Errors
    /// No readable identity there, or what the disk says.
    pub fn open(storage: Arc<dyn Storage>, position: u64) -> Result<Self, super::OpenError> {
        let journal = super::identity::require(&*storage)?;
        let assured = cursor::foremost(&*storage, journal)
            .map_err(|source| super::OpenError::Io { what: "read the cursors".to_owned(), source })?;
        Ok(Self::new(storage, journal, Bound::Good { assured }, position))
    }

    /// How far the sink of that name is, as it stored it; `None` where it stored nothing readable for this journal.
    ///
    /// # Errors
    /// What the disk says.
    pub fn done(&self, sink: &str) -> io::Result<Option<Done>> {
        cursor::look(&*self.storage, sink, self.journal)
    }

    /// Another reader of the same journal, up to the same limit, from `position` on; it wants everything.
    #[must_use]
    pub fn fork(&self, position: u64) -> Self {
        Self::new(Arc::clone(&self.storage), self.journal, self.bound.clone(), position)
    }

    /// The newest good checkpoint at or below `position`, and the position in front of which it stands: what the fold
    /// made of all records before, whether they can still be read or not. `None` when there is none any more.
    ///
    /// # Errors
    /// [`ReadError::Io`]; asking again is right.
    pub fn checkpoint(&self, position: u64) -> Result<Option<(u64, Vec<u8>)>, ReadError> {
        let io = |source| ReadError::Io { position, source };
        let firsts = segment::list(&*self.storage).map_err(io)?;
        for first in firsts.into_iter().rev().filter(|first| *first <= position) {
            let mut segment = match Segment::open(&*self.storage, first) {
                // Deleted since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(io)?,
            };
            if segment.ours(self.journal).is_some()
                && let Some(bytes) = segment.checkpoint().map_err(io)?
            {
                return Ok(Some((first, bytes)));
            }
        }
        Ok(None)
    }

    /// Yields only what `query` wants, skipping by index where there is one; what is skipped is not checked for damage, nor are checkpoints
    /// where more than kinds is asked for.
    #[must_use]
    pub fn select(mut self, query: Query) -> Self {
        self.query = Some(query);
        self.open = None;
        self
    }

    /// The next position it will read: everything below it was yielded, is damaged, gone, or was not wanted.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The journal's identity.
    #[must_use]
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// Bytes read from the disk so far, indexes included.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read + self.open.as_ref().map_or(0, |open| open.scan.bytes_read())
    }

    /// The next thing, or `None` at the limit: ask again when the journal has moved.
    ///
    /// # Errors
    /// [`ReadError`]; asking again is right.
    #[expect(clippy::should_implement_trait, reason = "what it yields borrows its buffer")]
    pub fn next(&mut self) -> Result<Option<Read<'_>>, ReadError> {
        let position = self.position;
        let io = |source| ReadError::Io { position, source };
        loop {
            let limit = self.limit();
            if self.position >= limit {
                return Ok(None);
            }
            let next =
                if self.open.is_none() { self.find_segment()? } else { self.advance(limit).map_err(io)? };
            match next {
                Next::Again => {}
                Next::Wait => return Ok(None),
                Next::Tell(read) => return Ok(Some(read)),
                Next::Record => break,
            }
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        Ok(open.scan.current().map_err(io)?.map(Read::Record))
    }

    fn limit(&self) -> u64 {
        match &self.bound {
            Bound::Owner(progress, Limit::Synced) => progress.synced(),
            Bound::Owner(progress, Limit::Appended) => progress.readable(),
            Bound::Good { .. } => u64::MAX,
        }
    }

    fn segments_made(&self) -> u64 {
        match &self.bound {
            Bound::Owner(progress, _) => progress.segments_made(),
            Bound::Good { .. } => 0,
        }
    }

    /// Opens the segment that holds the position.
    fn find_segment(&mut self) -> Result<Next, ReadError> {
        let position = self.position;
        let io = |source| ReadError::Io { position, source };
        let made = self.segments_made();
        let firsts = segment::list(&*self.storage).map_err(io)?;
        let Some(&oldest) = firsts.first() else { return Ok(self.nothing_left()) };
        if position < oldest {
            self.position = oldest;
            return Ok(Next::Tell(Read::Gone { from: position, to: oldest }));
        }
        let behind = firsts.partition_point(|first| *first <= position);
        let Some(&first) = behind.checked_sub(1).and_then(|at| firsts.get(at)) else { return Ok(Next::Wait) };
        let mut segment = match Segment::open(&*self.storage, first) {
            // Deleted since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Next::Again),
            opened => opened.map_err(io)?,
        };
        if let HeaderRead::Newer(version) = segment.header {
            return Err(ReadError::Newer { segment: first, version });
        }
        let mut skips = Vec::new();
        if let (Some(query), Some(header)) = (&self.query, segment.ours(self.journal)) {
            let (found, read) = index::skips(&*self.storage, self.journal, &header, query);
            skips = found;
            self.bytes_read += read;
        }
        let next = firsts.get(behind).copied();
        let looks_up = self.query.as_ref().is_some_and(Query::looks_up);
        let damaged = if self.checked == Some(first) || (looks_up && segment.ours(self.journal).is_some()) {
            None
        } else {
            segment.front_damage(self.journal).map_err(io)?
        };
        let (header, mut scan) = (segment.header, segment.scan(self.journal.salt()));
        scan.read_ahead_to(skips.first().map_or(u64::MAX, |skip| skip.from));
        self.open = Some(Open { first, header, next, scan, skips, made, doubt: None });
        self.checked = Some(first);
        Ok(damaged.map_or(Next::Again, |damaged| Next::Tell(Read::PassedOver(damaged))))
    }

    /// There is no segment at all.
    fn nothing_left(&mut self) -> Next {
        match &self.bound {
            Bound::Good { assured } if self.position < *assured => {
                let (from, to) = (self.position, *assured);
                self.position = to;
                Next::Tell(Read::Damage(Damage { from, to, segment: from, offset: 0 }))
            }
            Bound::Good { .. } | Bound::Owner(..) => Next::Wait,
        }
    }

    fn close_segment(&mut self) {
        if let Some(open) = self.open.take() {
            self.bytes_read += open.scan.bytes_read();
        }
    }

    /// Moves by one step.
    fn advance(&mut self, limit: u64) -> io::Result<Next> {
        let made = self.segments_made();
        let Some(open) = &mut self.open else { return Ok(Next::Again) };
        if let Some(next) = open.next.filter(|next| open.scan.end() >= *next || self.position >= *next) {
            self.position = self.position.max(next);
            self.close_segment();
            return Ok(Next::Again);
        }
        if open.next.is_none() && open.made != made {
            // What lies behind in this file may be what a failed write left.
            open.made = made;
            let here = open.scan.place();
            return self.look_again(here);
        }
        if open.scan.between_batches()
            && let Ok(at) = open.skips.binary_search_by_key(&open.scan.offset(), |skip| skip.from)
            && let Some(skip) = open.skips.get(at)
        {
            open.scan.jump(skip.to, skip.end);
            open.scan.read_ahead_to(open.skips.get(at + 1).map_or(u64::MAX, |next| next.from));
            self.position = self.position.max(skip.end.min(limit));
            return Ok(Next::Again);
        }
        let (before, stop) = (open.scan.place(), open.next.unwrap_or(u64::MAX));
        let trouble = match open.scan.next()? {
            Step::Record(record) if record.position >= stop => {
                // The next segment has it.
                self.position = stop;
                self.close_segment();
                return Ok(Next::Again);
            }
            Step::Record(record) if record.position >= limit => {
                open.scan.restore(before);
                return Ok(Next::Wait);
            }
            Step::Record(record) => {
                let wanted = record.position >= self.position
                    && self.query.as_ref().is_none_or(|query| query.wants(&record));
                self.position = self.position.max(record.position + 1);
                open.doubt = None;
                return Ok(if wanted { Next::Record } else { Next::Again });
            }
            Step::Bad(bad) => Trouble::Bad(bad),
            Step::Broken => Trouble::Broken,
            Step::End => Trouble::End,
        };
        if open.doubt == Some(before.offset) {
            return self.judge(&trouble, before, limit);
        }
        self.look_again(before)
    }

    /// Perhaps the buffer is older than the file, or the segment was followed or replaced: asks the directory, by name.
    fn look_again(&mut self, before: Place) -> io::Result<Next> {
        let Some(open) = &mut self.open else { return Ok(Next::Again) };
        let next = segment::list(&*self.storage)?.into_iter().find(|first| *first > open.first);
        match Segment::open(&*self.storage, open.first) {
            Ok(now) if now.header == open.header => {
                open.next = next;
                open.doubt = Some(before.offset);
                open.scan.restore(before);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // Another file has its name, or none.
            Ok(_) | Err(_) => self.close_segment(),
        }
        Ok(Next::Again)
    }

    /// The second look at a bad place: below what is durable it is damage, else it is not there yet.
    fn judge(&mut self, trouble: &Trouble, before: Place, limit: u64) -> io::Result<Next> {
        let durable = self.durable_past(before)?;
        let Some(open) = &mut self.open else { return Ok(Next::Again) };
        open.doubt = None;
        if !durable {
            open.scan.restore(before);
            return Ok(Next::Wait);
        }
        let end = match &self.bound {
            Bound::Owner(..) => limit,
            Bound::Good { assured } => before.end().max(*assured),
        };
        let (segment, stop) = (open.first, open.next.unwrap_or(end).min(limit));
        let (from, to, offset) = match trouble {
            Trouble::Bad(bad) => (bad.from, bad.to, bad.offset),
            // The next step says which positions are missing.
            Trouble::Broken if open.scan.resync()? => return Ok(Next::Again),
            Trouble::Broken | Trouble::End => {
                self.close_segment();
                (before.end(), stop, before.offset)
            }
        };
        let (from, to) = (from.max(self.position), to.min(stop));
        if from >= to {
            return Ok(Next::Again);
        }
        self.position = to;
        Ok(Next::Tell(Read::Damage(Damage { from, to, segment, offset })))
    }

    /// Whether something behind this place is known to be durable.
    fn durable_past(&self, place: Place) -> io::Result<bool> {
        let Some(open) = &self.open else { return Ok(false) };
        match &self.bound {
            Bound::Owner(progress, _) => Ok(place.end() < progress.synced()),
            Bound::Good { .. } if open.next.is_some() => Ok(true),
            Bound::Good { assured } if place.end().max(self.position) < *assured => Ok(true),
            Bound::Good { .. } => {
                let mut ahead = Segment::open(&*self.storage, open.first)?.scan(self.journal.salt());
                ahead.restore(place);
                Ok(segment::largest_mark(&mut ahead)?.is_some_and(|mark| mark > place.end()))
            }
        }
    }
}
