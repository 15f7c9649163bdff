//! Segment files: their names, making a whole one, opening one.

use std::io;

use super::error::PassedOver;
use super::format::{BatchHeader, HeaderRead, JournalId, SEGMENT_HEADER, Salt, SegmentHeader, stamp};
use super::record::Fold;
use super::scan::Scan;
use super::window::Window;
use crate::storage::{Storage, StoredFile, TEMPORARY};

const SUFFIX: &str = ".seg";
/// Where the checkpoint begins: behind the header and its own checksum.
const CHECKPOINT_AT: u64 = SEGMENT_HEADER as u64 + 4;
/// How much of a checkpoint is looked at, or written, at once.
const PIECE: usize = 64 << 10;

pub(crate) fn name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

pub(crate) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    if digits.len() != 20 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The first positions of all segments, oldest first.
pub(crate) fn list(storage: &dyn Storage) -> io::Result<Vec<u64>> {
    let mut firsts: Vec<u64> = storage.list("")?.iter().filter_map(|name| first_of(name)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

/// A segment that was just made: whole, durable, and under its name.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Box<dyn StoredFile>,
    pub(crate) end: u64,
    pub(crate) batches_at: u64,
}

/// Writes a segment under a temporary name, header, the fold's checkpoint and `groups`, makes it durable, and only then gives it
/// its name. Until this returned `Ok` the segment does not exist: what it replaces is still there.
pub(crate) fn make(
    storage: &dyn Storage,
    header: SegmentHeader,
    fold: &dyn Fold,
    groups: &mut dyn Iterator<Item = &mut Vec<u8>>,
) -> io::Result<Made> {
    let temporary = format!("{:020}{TEMPORARY}", header.first);
    let made = write(storage, &temporary, header, fold, groups).and_then(|made| {
        storage.rename(&temporary, &name(header.first))?;
        storage.sync_dir("")?;
        Ok(made)
    });
    if made.is_err() {
        // Best effort: a start removes what is left, and the next attempt empties it.
        let _ = storage.remove(&temporary);
    }
    made
}

fn write(
    storage: &dyn Storage,
    temporary: &str,
    mut header: SegmentHeader,
    fold: &dyn Fold,
    groups: &mut dyn Iterator<Item = &mut Vec<u8>>,
) -> io::Result<Made> {
    // A fresh file, never the one a failed attempt left: its clean pages would stay unwritten.
    match storage.remove(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = storage.create(temporary)?;
    let mut checkpoint = CheckpointWriter::new(&*file);
    fold.save(&mut checkpoint)?;
    let checksum;
    (header.checkpoint_bytes, checksum) = checkpoint.finish()?;
    // What is written last stands first: nothing reads the file before it has its name.
    let mut front = header.encode().to_vec();
    front.extend_from_slice(&checksum.to_le_bytes());
    file.write_all_at(&front, 0)?;
    let batches_at = header.batches_at();
    let mut end = batches_at;
    for group in groups {
        stamp(group, end, header.first, header.journal.salt());
        file.write_all_at(group, end)?;
        end += group.len() as u64;
    }
    file.sync_data()?;
    Ok(Made { header, file, end, batches_at })
}

/// Writes a checkpoint behind the place of a segment's header, in pieces.
struct CheckpointWriter<'a> {
    file: &'a dyn StoredFile,
    piece: Vec<u8>,
    written: u64,
    checksum: u32,
}

impl<'a> CheckpointWriter<'a> {
    fn new(file: &'a dyn StoredFile) -> Self {
        Self { file, piece: Vec::with_capacity(PIECE), written: 0, checksum: 0 }
    }

    /// Bytes and checksum of the whole.
    fn finish(mut self) -> io::Result<(u64, u32)> {
        io::Write::flush(&mut self)?;
        Ok((self.written, self.checksum))
    }
}

impl io::Write for CheckpointWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        let (taken, _) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
        self.piece.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.piece, CHECKPOINT_AT + self.written)?;
        self.checksum = crc32c::crc32c_append(self.checksum, &self.piece);
        self.written += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }
}

/// A segment opened for reading, as far as its header allows.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) header: HeaderRead,
    window: Window,
}

impl Segment {
    pub(crate) fn open(storage: &dyn Storage, first: u64) -> io::Result<Self> {
        Self::read(first, storage.open_read(&name(first))?)
    }

    pub(crate) fn read(first: u64, file: Box<dyn StoredFile>) -> io::Result<Self> {
        let mut window = Window::new(file);
        let raw = window.get(0, SEGMENT_HEADER)?;
        let header = match raw.map_or(HeaderRead::Bad, SegmentHeader::parse) {
            // Another segment's bytes under this name are no header of this segment.
            HeaderRead::Good(header) if header.first != first => HeaderRead::Bad,
            header @ (HeaderRead::Good(_) | HeaderRead::Newer(_) | HeaderRead::Bad) => header,
        };
        Ok(Self { first, header, window })
    }

    /// The good header of a segment of this journal.
    pub(crate) fn ours(&self, journal: JournalId) -> Option<SegmentHeader> {
        match self.header {
            HeaderRead::Good(header) if header.journal == journal => Some(header),
            HeaderRead::Good(_) | HeaderRead::Newer(_) | HeaderRead::Bad => None,
        }
    }

    /// The checkpoint, if its checksum is right.
    pub(crate) fn checkpoint(&mut self) -> io::Result<Option<Vec<u8>>> {
        let HeaderRead::Good(header) = self.header else { return Ok(None) };
        let Ok(bytes) = usize::try_from(header.checkpoint_bytes.saturating_add(4)) else { return Ok(None) };
        let Some(raw) = self.window.get(SEGMENT_HEADER as u64, bytes)? else { return Ok(None) };
        let Some((crc, checkpoint)) = raw.split_first_chunk::<4>() else { return Ok(None) };
        Ok((crc32c::crc32c(checkpoint) == u32::from_le_bytes(*crc)).then(|| checkpoint.to_vec()))
    }

    /// What is wrong with the front of a segment of this journal, if anything: header or checkpoint. Its records are another matter.
    pub(crate) fn front_damage(&mut self, journal: JournalId) -> io::Result<Option<PassedOver>> {
        let (segment, header) = (self.first, self.ours(journal).is_none());
        let damaged = header || !self.checkpoint_sound()?;
        Ok(damaged.then_some(PassedOver { segment, header }))
    }

    /// Whether the checkpoint's checksum is right; reads it in pieces.
    fn checkpoint_sound(&mut self) -> io::Result<bool> {
        let HeaderRead::Good(header) = self.header else { return Ok(false) };
        let mut at = SEGMENT_HEADER as u64;
        let Some(expected) = self.window.get(at, 4)?.and_then(|raw| raw.try_into().ok()) else {
            return Ok(false);
        };
        at += 4;
        let mut crc = 0;
        while at < header.batches_at() {
            let piece = usize::try_from(header.batches_at() - at).unwrap_or(PIECE).min(PIECE);
            let Some(raw) = self.window.get(at, piece)? else { return Ok(false) };
            crc = crc32c::crc32c_append(crc, raw);
            at += piece as u64;
        }
        Ok(crc == u32::from_le_bytes(expected))
    }

    /// Where the batches begin; behind a bad header they are searched for.
    pub(crate) fn batches_at(&self) -> u64 {
        match self.header {
            HeaderRead::Good(header) => header.batches_at(),
            HeaderRead::Newer(_) | HeaderRead::Bad => SEGMENT_HEADER as u64,
        }
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        self.window.size()
    }

    /// Its batches from the first on.
    pub(crate) fn scan(self, salt: Salt) -> Scan {
        let (at, first) = (self.batches_at(), self.first);
        Scan::new(self.window, salt, at, first)
    }
}

/// The largest mark in the batches a scan still has before it, and the end behind the last of them.
pub(crate) fn largest_mark(scan: &mut Scan) -> io::Result<Option<u64>> {
    let mut largest = None;
    while let Some((_, BatchHeader { mark, .. })) = scan.next_header()? {
        largest = largest.max(Some(mark));
    }
    Ok(largest)
}
