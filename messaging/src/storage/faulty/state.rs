//! The disk itself: its files and names, what it was told to fail, and whose process is alive.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::file::Content;
use super::names::{Change, Dir};
use super::{FaultRates, IoFault, Seed};

#[derive(Debug)]
pub(super) struct State {
    pub(super) seed: Seed,
    pub(super) files: BTreeMap<u64, Content>,
    pub(super) dirs: BTreeMap<String, Dir>,
    pub(super) locks: BTreeSet<String>,
    pub(super) capacity: Option<u64>,
    pub(super) rates: FaultRates,
    pub(super) failing_writes: Option<(u32, IoFault)>,
    pub(super) failing_syncs: Option<(u32, IoFault)>,
    pub(super) failing_names: Option<(u32, IoFault)>,
    pub(super) process: u64,
    pub(super) next_file: u64,
    pub(super) syncs: u64,
}

impl State {
    pub(super) fn find(&self, name: &str) -> Option<u64> {
        let (dir, base) = split(name);
        self.dirs.get(dir)?.names.get(base).copied()
    }

    pub(super) fn dir(&mut self, name: &str) -> io::Result<&mut Dir> {
        self.dirs.get_mut(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn name_fails(&mut self) -> io::Result<()> {
        fails(&mut self.failing_names, self.rates.names, &mut self.seed)
            .map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// Forgets files no name leads to. Only after everything that could hold a handle is dead.
    pub(super) fn sweep(&mut self) {
        let named: BTreeSet<u64> = self.dirs.values().flat_map(|dir| dir.names.values().copied()).collect();
        self.files.retain(|file, _| named.contains(file));
    }

    pub(super) fn change(&mut self, dir: &str, change: impl Fn() -> Change) -> io::Result<()> {
        let dir = self.dir(dir)?;
        change().apply(&mut dir.names);
        dir.unsynced.push(change());
        Ok(())
    }
}

/// One asked-for failure is used up, or chance makes one.
pub(super) fn fails(asked: &mut Option<(u32, IoFault)>, rate: u32, seed: &mut Seed) -> Option<IoFault> {
    if let Some((left, fault)) = asked {
        let fault = *fault;
        *left = left.saturating_sub(1);
        if *left == 0 {
            *asked = None;
        }
        return Some(fault);
    }
    (rate > 0 && seed.chance(rate)).then_some(IoFault::Device)
}

pub(super) fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}
