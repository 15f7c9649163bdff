//! Walks the batches of one segment and says for every position whether it can be read.
//!
//! It decides nothing: whether a broken place is a torn tail, damage or merely not written yet is the caller's to say.

use std::io;

use super::format::{
    BATCH_HEADER, BATCH_MAGIC, BatchHeader, RECORD_HEADER, RecordHead, Salt, parse_record, unchecked_record,
};
use super::record::Record;
use super::window::Window;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Record(Record<'a>),
    /// Positions that cannot be read; reading has gone on behind them.
    Bad(BadSpan),
    /// No good batch header here. [`Scan::resync`] looks for the next one.
    Broken,
    /// The file ends here.
    End,
}

/// Positions that cannot be read, and the offset at which that began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BadSpan {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) offset: u64,
}

#[derive(Clone, Copy, Debug)]
struct Inside {
    header: BatchHeader,
    start: u64,
    stop: u64,
    position: u64,
}

#[derive(Debug)]
pub(crate) struct Scan {
    window: Window,
    salt: Salt,
    offset: u64,
    end: u64,
    batch: Option<Inside>,
    broken_at: Option<u64>,
    current: Option<(u64, usize, u64)>,
}

/// A place in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    end: u64,
    batch: Option<Inside>,
    broken_at: Option<u64>,
}

impl Place {
    /// The position behind what was read up to here.
    pub(crate) fn end(&self) -> u64 {
        self.batch.map_or(self.end, |batch| batch.position)
    }
}

enum Found {
    Good { offset: u64, bytes: usize, position: u64 },
    Bad(BadSpan),
}

impl Scan {
    /// Reads batches from `offset` on; the record in front of it ended at `end`.
    pub(crate) fn new(window: Window, salt: Salt, offset: u64, end: u64) -> Self {
        Self { window, salt, offset, end, batch: None, broken_at: None, current: None }
    }

    /// The position behind what was read or passed over.
    pub(crate) fn end(&self) -> u64 {
        self.place().end()
    }

    /// Where the next batch (or, inside one, the next record) begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the next thing is a batch header.
    pub(crate) fn between_batches(&self) -> bool {
        self.batch.is_none_or(|batch| batch.position >= batch.header.end())
    }

    /// Moves over one batch, or over a place where none can be read. False at the end of what is good.
    pub(crate) fn pass_batch(&mut self) -> io::Result<bool> {
        if let Some(batch) = self.batch {
            self.leave(batch);
        }
        match self.enter()? {
            None => {
                if let Some(batch) = self.batch {
                    self.leave(batch);
                }
                Ok(true)
            }
            Some(Step::Bad(_) | Step::Record(_)) => Ok(true),
            Some(Step::Broken) => self.resync(),
            Some(Step::End) => Ok(false),
        }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.window.bytes_read()
    }

    /// Where it is, to come back to.
    pub(crate) fn place(&self) -> Place {
        Place { offset: self.offset, end: self.end, batch: self.batch, broken_at: self.broken_at }
    }

    /// Goes back to `place` and forgets what was read: the file may have other bytes by now.
    pub(crate) fn restore(&mut self, place: Place) {
        self.window.forget();
        let Place { offset, end, batch, broken_at } = place;
        (self.offset, self.end, self.batch, self.broken_at) = (offset, end, batch, broken_at);
    }

    /// The record the last step found, once more.
    pub(crate) fn current(&mut self) -> io::Result<Option<Record<'_>>> {
        let Some((offset, bytes, position)) = self.current else { return Ok(None) };
        Ok(self.window.get(offset, bytes)?.map(|raw| unchecked_record(raw, position)))
    }

    /// The batch it is in: its offset, and the position in front of it.
    pub(crate) fn batch(&self) -> (u64, u64) {
        self.batch.map_or((self.offset, self.end), |batch| (batch.start, batch.header.previous))
    }

    /// Where the next part begins that is passed over; what lies there is not read ahead.
    pub(crate) fn read_ahead_to(&mut self, offset: u64) {
        self.window.read_ahead_to(offset);
    }

    /// Goes on at another batch boundary of the same segment.
    pub(crate) fn jump(&mut self, offset: u64, end: u64) {
        (self.offset, self.end, self.batch, self.broken_at) = (offset, end, None, None);
    }

    pub(crate) fn next(&mut self) -> io::Result<Step<'_>> {
        loop {
            let Some(batch) = self.batch else {
                match self.enter()? {
                    Some(Step::Bad(bad)) => return Ok(Step::Bad(bad)),
                    Some(step) => {
                        return Ok(if matches!(step, Step::End) { Step::End } else { Step::Broken });
                    }
                    None => continue,
                }
            };
            if batch.position >= batch.header.end() {
                self.leave(batch);
                continue;
            }
            return match self.locate(batch)? {
                Found::Bad(bad) => Ok(Step::Bad(bad)),
                Found::Good { offset, bytes, position } => {
                    self.current = Some((offset, bytes, position));
                    // Just checked, so still in the window.
                    let raw = self.window.get(offset, bytes)?.unwrap_or_default();
                    Ok(Step::Record(unchecked_record(raw, position)))
                }
            };
        }
    }

    /// The next batch header, without its records: what a search for marks needs.
    pub(crate) fn next_header(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        loop {
            if let Some(batch) = self.batch {
                self.leave(batch);
            }
            match self.enter()? {
                None => {
                    if let Some(batch) = self.batch {
                        return Ok(Some((batch.start, batch.header)));
                    }
                }
                Some(Step::Bad(_)) => {}
                Some(Step::Broken) => {
                    if !self.resync()? {
                        return Ok(None);
                    }
                }
                Some(Step::End | Step::Record(_)) => return Ok(None),
            }
        }
    }

    /// After [`Step::Broken`]: moves to the next good batch header. False when there is none in the file.
    pub(crate) fn resync(&mut self) -> io::Result<bool> {
        let mut from = self.offset + 1;
        while let Some(offset) = self.window.find(from, &BATCH_MAGIC)? {
            if self.header_at(offset)?.is_some() {
                self.broken_at.get_or_insert(self.offset);
                self.offset = offset;
                return Ok(true);
            }
            from = offset + 1;
        }
        Ok(false)
    }

    fn header_at(&mut self, offset: u64) -> io::Result<Option<BatchHeader>> {
        let (salt, end) = (self.salt, self.end);
        let raw = self.window.get(offset, BATCH_HEADER)?;
        Ok(raw.and_then(|raw| BatchHeader::parse(raw, offset, salt)).filter(|header| header.previous >= end))
    }

    /// Enters the batch at the offset: `None` when it is in it now.
    fn enter(&mut self) -> io::Result<Option<Step<'static>>> {
        let Some(header) = self.header_at(self.offset)? else {
            let at_end = self.offset >= self.window.size()?;
            return Ok(Some(if at_end { Step::End } else { Step::Broken }));
        };
        let broken_at = self.broken_at.take().unwrap_or(self.offset);
        if header.previous > self.end {
            let from = std::mem::replace(&mut self.end, header.previous);
            return Ok(Some(Step::Bad(BadSpan { from, to: header.previous, offset: broken_at })));
        }
        let start = self.offset;
        self.offset += BATCH_HEADER as u64;
        let stop = self.offset + u64::from(header.bytes);
        self.batch = Some(Inside { header, start, stop, position: header.first });
        Ok(None)
    }

    fn leave(&mut self, batch: Inside) {
        self.offset = batch.stop;
        self.end = batch.header.end();
        self.batch = None;
    }

    /// The next good record of the batch, or the bad ones in front of it.
    fn locate(&mut self, batch: Inside) -> io::Result<Found> {
        let (mut offset, mut position) = (self.offset, batch.position);
        let good = loop {
            let Some(bytes) = self.record_bytes(offset, batch.stop)? else { break None };
            let raw = self.window.get(offset, bytes)?.unwrap_or_default();
            if parse_record(raw, position, self.salt).is_some() {
                break Some(bytes);
            }
            offset += bytes as u64;
            position += 1;
            if position >= batch.header.end() {
                break None;
            }
        };
        let bad = BadSpan { from: batch.position, to: position, offset: self.offset };
        let Some(bytes) = good else {
            // Nothing in the rest proves itself.
            self.set_inside(batch, batch.stop, batch.header.end());
            return Ok(Found::Bad(BadSpan { to: batch.header.end(), ..bad }));
        };
        if position > batch.position {
            self.set_inside(batch, offset, position);
            return Ok(Found::Bad(bad));
        }
        self.set_inside(batch, offset + bytes as u64, position + 1);
        Ok(Found::Good { offset, bytes, position })
    }

    fn set_inside(&mut self, batch: Inside, offset: u64, position: u64) {
        self.offset = offset;
        self.batch = Some(Inside { position, ..batch });
    }

    /// The size of the record at `offset`, if it can lie there.
    fn record_bytes(&mut self, offset: u64, stop: u64) -> io::Result<Option<usize>> {
        let Some(raw) = self.window.get(offset, RECORD_HEADER)? else { return Ok(None) };
        let bytes = RecordHead::parse(raw).map(|head| head.whole_bytes());
        let Some(bytes) = bytes.filter(|bytes| offset + *bytes as u64 <= stop) else { return Ok(None) };
        Ok(self.window.get(offset, bytes)?.map(<[u8]>::len))
    }
}
