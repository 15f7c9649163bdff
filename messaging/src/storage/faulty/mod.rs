//! [`Storage`] in memory that fails like a real disk does, by command or by seed. For tests and drills of any service.
//!
//! What it knows that a `HashMap` of files does not:
//! - every write stays *unsynced* until `sync_data` succeeds; [`FaultyStorage::power_loss`] keeps a prefix or a subset of
//!   what is unsynced, tears the last of it, and keeps only a prefix of the unsynced names of each directory;
//! - a failed `sync_data` marks the pages clean without writing them: a second one "succeeds" and writes nothing, the
//!   bytes are readable until [`FaultyStorage::evict`] or a power loss takes them (what Linux does);
//! - writes may be short, fail half done, or meet a full disk; bytes flip.
//!
//! A handle from before [`FaultyStorage::kill`] or [`FaultyStorage::power_loss`] only gives errors: that process is dead.

mod file;
mod handle;
mod names;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Seed, Storage, StorageLock, StoredFile};
use file::Content;
use handle::{Handle, Lock};
use names::{Change, Dir};
use state::{State, split};

/// What a failing operation answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IoFault {
    /// `EIO`: the device failed.
    Device,
    /// `ENOSPC`: the disk is full.
    Full,
}

impl IoFault {
    fn error(self) -> io::Error {
        match self {
            Self::Device => io::Error::from_raw_os_error(5),
            Self::Full => io::Error::from_raw_os_error(28),
        }
    }
}

/// How often an operation fails by itself, in thousandths.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FaultRates {
    /// A write fails (some of its bytes may be in the file).
    pub write: u32,
    /// A write is short.
    pub short_write: u32,
    /// A `sync_data` fails.
    pub sync: u32,
    /// Creating, renaming, removing or syncing a name fails.
    pub names: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct FaultyStorage {
    state: Arc<Mutex<State>>,
    /// Whether `sync_data` hangs.
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl FaultyStorage {
    /// An empty disk whose accidents follow from `seed`. Nothing fails until asked to.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dirs = BTreeMap::new();
        dirs.insert(String::new(), Dir::default());
        let state = State {
            seed: Seed(seed),
            files: BTreeMap::new(),
            dirs,
            locks: BTreeSet::new(),
            capacity: None,
            rates: FaultRates::default(),
            failing_writes: None,
            failing_syncs: None,
            failing_names: None,
            process: 0,
            next_file: 0,
            syncs: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), held: Arc::default() }
    }

    /// Makes operations fail at random from now on; the default rates stop that.
    pub fn set_rates(&self, rates: FaultRates) {
        self.lock_state().rates = rates;
    }

    /// The next `times` writes fail.
    pub fn fail_writes(&self, times: u32, fault: IoFault) {
        self.lock_state().failing_writes = Some((times, fault));
    }

    /// The next `times` `sync_data` fail, their pages marked clean.
    pub fn fail_syncs(&self, times: u32, fault: IoFault) {
        self.lock_state().failing_syncs = Some((times, fault));
    }

    /// Every `sync_data` hangs from now on, until [`FaultyStorage::heal`]: a disk that is slow beyond measure.
    pub fn hold_syncs(&self) {
        self.set_held(true);
    }

    /// The next `times` operations on names (create, rename, remove, sync of a directory) fail.
    pub fn fail_names(&self, times: u32, fault: IoFault) {
        self.lock_state().failing_names = Some((times, fault));
    }

    /// Ends all failing asked for so far; the capacity stays.
    pub fn heal(&self) {
        self.set_held(false);
        let mut state = self.lock_state();
        state.rates = FaultRates::default();
        (state.failing_writes, state.failing_syncs, state.failing_names) = (None, None, None);
    }

    /// The bytes all files together may have; `None` is endless.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock_state().capacity = bytes;
    }

    /// The process ends: its handles and locks are dead, what it wrote stays readable.
    pub fn kill(&self) {
        self.set_held(false);
        let mut state = self.lock_state();
        state.process += 1;
        state.locks.clear();
    }

    /// The power goes: like [`FaultyStorage::kill`], and some or all of what was not synced is gone.
    pub fn power_loss(&self) {
        self.kill();
        let state = &mut *self.lock_state();
        for content in state.files.values_mut() {
            content.power_loss(&mut state.seed);
        }
        for dir in state.dirs.values_mut() {
            let survivors = state.seed.index(dir.unsynced.len() + 1);
            for change in dir.unsynced.drain(..).take(survivors) {
                change.apply(&mut dir.disk);
            }
            dir.names = dir.disk.clone();
        }
        state.sweep();
    }

    /// The kernel drops its clean pages: what a failed `sync_data` did not write is gone for readers too.
    pub fn evict(&self) {
        self.lock_state().files.values_mut().for_each(Content::evict);
    }

    /// Inverts one bit of `name`, in the cache and on the disk. False when there is no such byte.
    pub fn flip(&self, name: &str, offset: u64, bit: u8) -> bool {
        let mut state = self.lock_state();
        let Some(file) = state.find(name) else { return false };
        state.files.get_mut(&file).is_some_and(|content| content.flip(offset, bit))
    }

    /// The length of a file as a process sees it.
    #[must_use]
    pub fn size_of(&self, name: &str) -> Option<u64> {
        let state = self.lock_state();
        let file = state.find(name)?;
        state.files.get(&file).map(Content::size)
    }

    /// How many `sync_data` succeeded.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.lock_state().syncs
    }

    fn set_held(&self, held: bool) {
        let (is_held, changed) = &*self.held;
        *is_held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        changed.notify_all();
    }

    fn wait_while_held(&self) {
        let (is_held, changed) = &*self.held;
        let mut held = is_held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held {
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        // A panic while it was held is a test's own failing assertion; the state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, file: u64, process: u64, writable: bool) -> Box<dyn StoredFile> {
        Box::new(Handle { storage: self.clone(), file, process, writable })
    }
}

impl Storage for FaultyStorage {
    fn create(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        let mut state = self.lock_state();
        state.name_fails()?;
        let (dir, base) = split(name);
        let process = state.process;
        if let Some(file) = state.find(name) {
            if let Some(content) = state.files.get_mut(&file) {
                content.truncate(0);
            }
            return Ok(self.handle(file, process, true));
        }
        let file = state.next_file;
        state.change(dir, || Change::Link { name: base.to_owned(), file })?;
        state.next_file += 1;
        state.files.insert(file, Content::default());
        Ok(self.handle(file, process, true))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        let state = self.lock_state();
        let file = state.find(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file, state.process, true))
    }

    fn open_read(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        let state = self.lock_state();
        let file = state.find(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(file, state.process, false))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock_state();
        state.name_fails()?;
        state.find(from).ok_or(io::ErrorKind::NotFound)?;
        let ((dir, old), (to_dir, new)) = (split(from), split(to));
        if dir != to_dir {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        state.change(dir, || Change::Rename { from: old.to_owned(), to: new.to_owned() })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock_state();
        state.name_fails()?;
        state.find(name).ok_or(io::ErrorKind::NotFound)?;
        let (dir, base) = split(name);
        state.change(dir, || Change::Unlink { name: base.to_owned() })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        Ok(self.lock_state().dir(dir)?.names.keys().cloned().collect())
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.lock_state().dirs.entry(dir.to_owned()).or_default();
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.lock_state();
        state.name_fails()?;
        let dir = state.dir(dir)?;
        for change in dir.unsynced.drain(..) {
            change.apply(&mut dir.disk);
        }
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn StorageLock>> {
        let mut state = self.lock_state();
        if !state.locks.insert(name.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock { storage: self.clone(), name: name.to_owned(), process: state.process }))
    }
}

#[cfg(test)]
mod tests;
