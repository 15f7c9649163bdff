//! The few file operations that durable code needs, behind a trait, so that a test can take the disk away.
//!
//! Names are relative to the storage's root and use `/`. Offsets and lengths are bytes. Reads and writes carry their
//! offset: a handle has no position, so a reader and a writer may share a file.
//! What counts as durable: bytes after [`StoredFile::sync_data`] succeeded, a name after [`Storage::sync_dir`] of its
//! directory succeeded. A failed sync says that *nothing since the last success* may be trusted, now or after a retry.
//! Not here: buffering, retries, formats.

mod disk;
mod faulty;
mod seed;

use std::fmt;
use std::io;

pub use disk::DiskStorage;
pub use faulty::{FaultRates, FaultyStorage, IoFault};
pub use seed::Seed;

/// A directory tree of files.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Creates an empty file for reading and writing, or empties the one of that name.
    ///
    /// # Errors
    /// What the file system answers.
    fn create(&self, name: &str) -> io::Result<Box<dyn StoredFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`, or what the file system answers.
    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>>;

    /// Opens an existing file for reading only; writes through it fail.
    ///
    /// # Errors
    /// `NotFound`, or what the file system answers.
    fn open_read(&self, name: &str) -> io::Result<Box<dyn StoredFile>>;

    /// Renames a file, replacing one that has the new name. Durable after [`Storage::sync_dir`].
    ///
    /// # Errors
    /// What the file system answers.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Open handles go on reading it.
    ///
    /// # Errors
    /// `NotFound`, or what the file system answers.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of the files directly in `dir` (`""` is the root), without the directory, in no order.
    ///
    /// # Errors
    /// `NotFound` when there is no such directory, or what the file system answers.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Makes a directory and what it lies in, durably; one that exists is fine.
    ///
    /// # Errors
    /// What the file system answers.
    fn create_dir(&self, dir: &str) -> io::Result<()>;

    /// Makes the names in `dir` durable: creations, renames, removals.
    ///
    /// # Errors
    /// What the file system answers.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Takes an exclusive lock that ends with the guard or with the process.
    ///
    /// # Errors
    /// `WouldBlock` when another holds it, or what the file system answers.
    fn lock(&self, name: &str) -> io::Result<Box<dyn StorageLock>>;
}

/// Holds a lock until dropped.
pub trait StorageLock: fmt::Debug + Send + Sync {}

/// One open file.
pub trait StoredFile: fmt::Debug + Send + Sync {
    /// Reads up to `into.len()` bytes at `offset`; 0 at or past the end. May be short.
    ///
    /// # Errors
    /// What the file system answers.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`, extending the file with zeros up to there where needed. May be short.
    ///
    /// # Errors
    /// What the file system answers; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// What the file system answers.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file to `size` bytes.
    ///
    /// # Errors
    /// What the file system answers.
    fn truncate(&self, size: u64) -> io::Result<()>;

    /// Makes the bytes and the length durable.
    ///
    /// # Errors
    /// What the file system answers; see the module about trusting anything afterwards.
    fn sync_data(&self) -> io::Result<()>;

    /// Writes all of `bytes`, going on after short and interrupted writes.
    ///
    /// # Errors
    /// The first error that is not an interruption; `WriteZero` when the file takes nothing.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            match self.write_at(rest, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    at += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until `into` is full or the file ends; how many bytes there were.
    ///
    /// # Errors
    /// The first error that is not an interruption.
    fn read_full_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

/// Reads a whole small file.
///
/// # Errors
/// What the storage answers, `InvalidData` when the file is longer than `max` bytes.
pub fn read_small(storage: &dyn Storage, name: &str, max: usize) -> io::Result<Vec<u8>> {
    let file = storage.open_read(name)?;
    let size = file.size()?;
    if size > max as u64 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{name} has {size} bytes, at most {max} expected"),
        ));
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(max)];
    let read = file.read_full_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Ends the name of a file that is not whole yet; what a crash leaves of it is nobody's.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Makes a file of these bytes, or replaces it, durably: under its name it is whole at any time. The file as it is open now.
///
/// # Errors
/// What the storage answers; then the old file may be there, or the new one.
pub fn replace(storage: &dyn Storage, name: &str, bytes: &[u8]) -> io::Result<Box<dyn StoredFile>> {
    let temporary = format!("{name}{TEMPORARY}");
    let file = storage.create(&temporary)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    storage.rename(&temporary, name)?;
    storage.sync_dir(name.rsplit_once('/').map_or("", |(dir, _)| dir))?;
    Ok(file)
}
