//! One stored file as lines: only whole ones, each with the offset it begins at. Bytes behind the last line feed are a
//! line in the making or a torn one; they are not shown, and may become a line later.

use std::io;

use crate::storage::StoredFile;

const CHUNK: usize = 64 << 10;
/// The longest line read. A record of 64 MiB made of control characters renders to six times its size.
const MAX_LINE: usize = 512 << 20;
/// A buffer larger than this is given back once the line that needed it is passed.
const KEEP: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct LineFile {
    file: Box<dyn StoredFile>,
    buffer: Vec<u8>,
    /// Offset in the file of the buffer's first byte.
    base: u64,
    /// Where in the buffer the next line begins.
    start: usize,
    /// Bytes behind `start` in which there is no line feed.
    searched: usize,
    /// Length of the line given last; it ends at the line feed in front of `start`.
    last: Option<usize>,
}

impl LineFile {
    pub(super) fn new(file: Box<dyn StoredFile>, offset: u64) -> Self {
        Self { file, buffer: Vec::new(), base: offset, start: 0, searched: 0, last: None }
    }

    /// Offset at which the next line begins or will begin.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The next whole line without its line feed, and its offset. `None` at the end; asking again reads on when the
    /// file has grown.
    ///
    /// A file that became shorter than what was read is read on from its end: its lines end there.
    ///
    /// # Errors
    /// What the storage answers; `InvalidData` when a line is over 512 MiB.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        let len = loop {
            let unread = self.buffer.get(self.start + self.searched..).unwrap_or_default();
            if let Some(at) = unread.iter().position(|byte| *byte == b'\n') {
                break self.searched + at;
            }
            self.searched += unread.len();
            if !self.fill()? {
                return Ok(None);
            }
        };
        self.start += len + 1;
        self.searched = 0;
        self.last = Some(len);
        Ok(self.last_line())
    }

    /// The line given last, once more; `None` after the end was met.
    pub(super) fn last_line(&self) -> Option<(u64, &[u8])> {
        let from = self.start.checked_sub(self.last? + 1)?;
        Some((self.base + from as u64, self.buffer.get(from..self.start - 1)?))
    }

    /// Bytes behind the last whole line.
    pub(super) fn rest(&self) -> io::Result<u64> {
        Ok(self.file.size()?.saturating_sub(self.offset()))
    }

    /// Reads more behind the buffer; false when there is nothing more.
    fn fill(&mut self) -> io::Result<bool> {
        self.last = None;
        self.base += self.start as u64;
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.buffer.capacity() > KEEP && self.buffer.len() < CHUNK {
            self.buffer.shrink_to(CHUNK);
        }
        let have = self.buffer.len();
        if have > MAX_LINE {
            let line = format!("the line at offset {} is over {MAX_LINE} bytes", self.base);
            return Err(io::Error::new(io::ErrorKind::InvalidData, line));
        }
        self.buffer.resize(have + CHUNK.max(have), 0);
        let read =
            self.file.read_full_at(self.buffer.get_mut(have..).unwrap_or_default(), self.base + have as u64);
        self.buffer.truncate(have + *read.as_ref().unwrap_or(&0));
        let grown = read? > 0;
        if !grown {
            self.follow_a_cut()?;
        }
        Ok(grown)
    }

    /// The writer cuts what it could not finish: an unfinished line we hold may be replaced by another.
    fn follow_a_cut(&mut self) -> io::Result<()> {
        let size = self.file.size()?;
        self.base = self.base.min(size);
        self.buffer.clear();
        self.searched = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{FaultyStorage, Storage};

    fn all(lines: &mut LineFile) -> Vec<(u64, Vec<u8>)> {
        std::iter::from_fn(|| lines.next_line().unwrap().map(|(offset, line)| (offset, line.to_vec())))
            .collect()
    }

    #[test]
    fn shows_whole_lines_only_and_reads_on_when_the_file_grows() {
        let disk = FaultyStorage::new(1);
        let file = disk.create("a").unwrap();
        file.write_all_at(b"one\n\ntw", 0).unwrap();
        let mut lines = LineFile::new(disk.open_read("a").unwrap(), 0);
        assert_eq!(all(&mut lines), [(0, b"one".to_vec()), (4, b"".to_vec())]);
        file.write_all_at(b"o\n", 7).unwrap();
        assert_eq!(all(&mut lines), [(5, b"two".to_vec())]);
        assert_eq!(lines.offset(), 9);
    }

    #[test]
    fn an_unfinished_line_that_was_cut_is_read_as_what_replaced_it() {
        let disk = FaultyStorage::new(1);
        let file = disk.create("a").unwrap();
        file.write_all_at(b"one\nabcdef", 0).unwrap();
        let mut lines = LineFile::new(disk.open_read("a").unwrap(), 0);
        assert_eq!(all(&mut lines), [(0, b"one".to_vec())]);
        file.truncate(4).unwrap();
        file.write_all_at(b"xyz\n", 4).unwrap();
        assert_eq!(all(&mut lines), [(4, b"xyz".to_vec())]);
    }

    #[test]
    fn a_huge_line_is_read_whole_and_its_buffer_given_back() {
        let disk = FaultyStorage::new(1);
        let file = disk.create("a").unwrap();
        let huge = vec![b'x'; 9 << 20];
        file.write_all_at(&huge, 0).unwrap();
        file.write_all_at(b"\nnext\n", huge.len() as u64).unwrap();
        let mut lines = LineFile::new(disk.open_read("a").unwrap(), 0);
        assert_eq!(lines.next_line().unwrap().unwrap().1, huge);
        assert_eq!(lines.next_line().unwrap().unwrap().1, b"next");
        assert!(lines.next_line().unwrap().is_none());
        assert!(lines.buffer.capacity() < KEEP);
    }
}
