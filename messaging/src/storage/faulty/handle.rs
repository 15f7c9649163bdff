//! What an opener holds: a file or a lock. Both are of one process and die with it.

use std::io;

use super::file::Content;
use super::state::{State, fails};
use super::{FaultyStorage, IoFault};
use crate::storage::{StorageLock, StoredFile};

#[derive(Debug)]
pub(super) struct Handle {
    pub(super) storage: FaultyStorage,
    pub(super) file: u64,
    pub(super) process: u64,
    pub(super) writable: bool,
}

impl Handle {
    /// Runs `work` on the file, unless the process that opened it is dead.
    fn with<T>(&self, work: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.storage.lock_state();
        if state.process != self.process {
            return Err(io::Error::other("the process that opened this file is dead"));
        }
        work(&mut state, self.file)
    }

    fn content(state: &mut State, file: u64) -> io::Result<&mut Content> {
        state.files.get_mut(&file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl StoredFile for Handle {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state, file| Ok(Self::content(state, file)?.read(into, offset)))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.with(|state, file| {
            if let Some(fault) = fails(&mut state.failing_writes, state.rates.write, &mut state.seed) {
                let done = state.seed.index(bytes.len() + 1);
                Self::content(state, file)?.write(bytes.get(..done).unwrap_or_default(), offset);
                return Err(fault.error());
            }
            let mut take = bytes.len();
            if state.rates.short_write > 0 && state.seed.chance(state.rates.short_write) {
                take = state.seed.index(take) + 1;
            }
            if let Some(capacity) = state.capacity {
                let used: u64 = state.files.values().map(Content::size).sum();
                let size = Self::content(state, file)?.size();
                let room = size + capacity.saturating_sub(used);
                take = take.min(usize::try_from(room.saturating_sub(offset)).unwrap_or(take));
                if take == 0 {
                    return Err(IoFault::Full.error());
                }
            }
            let take = take.min(bytes.len());
            Self::content(state, file)?.write(bytes.get(..take).unwrap_or_default(), offset);
            Ok(take)
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.with(|state, file| Ok(Self::content(state, file)?.size()))
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.with(|state, file| {
            Self::content(state, file)?.truncate(size);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.wait_while_held();
        self.with(|state, file| {
            let fault = fails(&mut state.failing_syncs, state.rates.sync, &mut state.seed);
            let mut seed = state.seed.clone();
            let content = Self::content(state, file)?;
            if let Some(fault) = fault {
                content.failed_sync(&mut seed);
                state.seed = seed;
                return Err(fault.error());
            }
            content.sync();
            state.syncs += 1;
            Ok(())
        })
    }
}

#[derive(Debug)]
pub(super) struct Lock {
    pub(super) storage: FaultyStorage,
    pub(super) name: String,
    pub(super) process: u64,
}

impl StorageLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.storage.lock_state();
        if state.process == self.process {
            state.locks.remove(&self.name);
        }
    }
}
