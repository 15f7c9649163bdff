//! A file seen through one buffer: 256 KiB, or the largest record met.

use std::io;

use crate::storage::StoredFile;

const CHUNK: usize = 1 << 18;
const FIRST_CHUNK: usize = 4 << 10;

#[derive(Debug)]
pub(crate) struct Window {
    file: Box<dyn StoredFile>,
    buffer: Vec<u8>,
    start: u64,
    /// How much to read at once: little at first, for who wants a header only.
    chunk: usize,
    /// Up to here it reads ahead: what lies behind is passed over.
    ahead_to: u64,
    bytes_read: u64,
}

impl Window {
    pub(crate) fn new(file: Box<dyn StoredFile>) -> Self {
        Self { file, buffer: Vec::new(), start: 0, chunk: FIRST_CHUNK, ahead_to: u64::MAX, bytes_read: 0 }
    }

    /// The `len` bytes at `offset`; `None` when the file ends before them.
    pub(crate) fn get(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        if self.cached(offset, len).is_none() {
            self.fill(offset, len)?;
        }
        Ok(self.cached(offset, len))
    }

    fn cached(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let inside = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.buffer.get(inside..inside.checked_add(len)?)
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let there = usize::try_from(self.file.size()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let ahead = self.ahead_to.checked_sub(offset).filter(|ahead| *ahead > 0);
        let ahead = ahead.map_or(CHUNK, |ahead| usize::try_from(ahead).unwrap_or(CHUNK));
        let want = if there < len { 0 } else { len.max(self.chunk.min(ahead)).min(there) };
        self.chunk = (self.chunk * 8).min(CHUNK);
        if want <= CHUNK && self.buffer.capacity() > CHUNK {
            self.buffer = Vec::new();
        }
        self.buffer.resize(want, 0);
        self.start = offset;
        let read = self.file.read_full_at(&mut self.buffer, offset);
        self.buffer.truncate(*read.as_ref().unwrap_or(&0));
        self.bytes_read += read? as u64;
        Ok(())
    }

    /// What is asked for next ends there.
    pub(crate) fn read_ahead_to(&mut self, offset: u64) {
        self.ahead_to = offset;
    }

    /// Forgets what was read: the file may have more or other bytes now.
    pub(crate) fn forget(&mut self) {
        self.buffer.clear();
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The first offset at or behind `from` where `pattern` begins.
    pub(crate) fn find(&mut self, from: u64, pattern: &[u8]) -> io::Result<Option<u64>> {
        let mut offset = from;
        loop {
            let size = self.file.size()?;
            let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
            if left < pattern.len() {
                return Ok(None);
            }
            let step = left.min(CHUNK / 4);
            let Some(bytes) = self.get(offset, step)? else { return Ok(None) };
            if let Some(found) = bytes.windows(pattern.len()).position(|here| here == pattern) {
                return Ok(Some(offset + found as u64));
            }
            offset += (step + 1 - pattern.len()) as u64;
        }
    }
}

/// Bytes in memory that answer like the file they were read from, at their old offsets.
#[derive(Debug)]
pub(crate) struct Bytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) base: u64,
}

impl StoredFile for Bytes {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let there = offset.checked_sub(self.base).and_then(|inside| usize::try_from(inside).ok());
        let there = there.and_then(|inside| self.bytes.get(inside..)).unwrap_or_default();
        let read = there.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..read), there.get(..read)) {
            to.copy_from_slice(from);
        }
        Ok(read)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.base + self.bytes.len() as u64)
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
