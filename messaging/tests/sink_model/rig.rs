//! A storage around [`FaultyStorage`] that can die at any operation, and that can be told to break its promises.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use messaging::storage::{FaultyStorage, Storage, StorageLock, StoredFile};

/// A promise the storage does not keep: what a sink that forgot to ask for it would see.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Lie {
    #[default]
    None,
    /// `sync_data` does nothing.
    Sync,
    /// `sync_dir` does nothing.
    Names,
    /// `truncate` does nothing.
    Cut,
}

#[derive(Clone, Debug)]
pub(crate) struct Rig {
    pub(crate) disk: FaultyStorage,
    lie: Lie,
    /// Operations left to live; negative: for ever.
    fuse: Arc<AtomicI64>,
}

impl Rig {
    pub(crate) fn new(disk: FaultyStorage, lie: Lie) -> Self {
        Self { disk, lie, fuse: Arc::new(AtomicI64::new(-1)) }
    }

    /// The process dies at the operation after the next `operations`.
    pub(crate) fn die_after(&self, operations: u64) {
        self.fuse.store(i64::try_from(operations).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn live(&self) {
        self.fuse.store(-1, Ordering::SeqCst);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.fuse.load(Ordering::SeqCst) == 0
    }

    fn burn(&self) -> io::Result<()> {
        match self.fuse.load(Ordering::SeqCst) {
            0 => Err(io::Error::other("killed here")),
            left if left > 0 => {
                self.fuse.store(left - 1, Ordering::SeqCst);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn wrap(&self, file: Box<dyn StoredFile>) -> Box<dyn StoredFile> {
        Box::new(RigFile { file, rig: self.clone() })
    }
}

impl Storage for Rig {
    fn create(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.burn()?;
        Ok(self.wrap(self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.burn()?;
        Ok(self.wrap(self.disk.open(name)?))
    }

    fn open_read(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.burn()?;
        Ok(self.wrap(self.disk.open_read(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.burn()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.burn()?;
        self.disk.remove(name)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.burn()?;
        self.disk.list(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.burn()?;
        self.disk.create_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.burn()?;
        if self.lie == Lie::Names { Ok(()) } else { self.disk.sync_dir(dir) }
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn StorageLock>> {
        self.disk.lock(name)
    }
}

#[derive(Debug)]
struct RigFile {
    file: Box<dyn StoredFile>,
    rig: Rig,
}

impl StoredFile for RigFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.rig.burn()?;
        self.file.read_at(into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if let Err(dead) = self.rig.burn() {
            // Killed inside the write: part of it is in the page cache.
            let _ = self.file.write_at(&bytes[..bytes.len() / 2], offset);
            return Err(dead);
        }
        self.file.write_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.rig.burn()?;
        self.file.size()
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.rig.burn()?;
        if self.rig.lie == Lie::Cut { Ok(()) } else { self.file.truncate(size) }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.rig.burn()?;
        if self.rig.lie == Lie::Sync { Ok(()) } else { self.file.sync_data() }
    }
}
