//! The bytes of one file: what a process reads, what the disk has, and the writes that lie between.

use super::Seed;

/// One file's two faces.
#[derive(Debug, Default)]
pub(super) struct Content {
    cache: Vec<u8>,
    disk: Vec<u8>,
    unsynced: Vec<Unsynced>,
}

#[derive(Clone, Debug)]
enum Unsynced {
    Bytes { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Unsynced {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bytes { offset, bytes } => put(to, *offset, bytes),
            Self::Truncate(size) => to.resize(*size, 0),
        }
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(slot) = to.get_mut(offset..end) {
        slot.copy_from_slice(bytes);
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.cache.len() as u64
    }

    pub(super) fn read(&self, into: &mut [u8], offset: u64) -> usize {
        let there = self.cache.get(at(offset)..).unwrap_or_default();
        let read = there.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..read), there.get(..read)) {
            to.copy_from_slice(from);
        }
        read
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        put(&mut self.cache, at(offset), bytes);
        self.unsynced.push(Unsynced::Bytes { offset: at(offset), bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, size: u64) {
        self.cache.resize(at(size), 0);
        self.unsynced.push(Unsynced::Truncate(at(size)));
    }

    pub(super) fn sync(&mut self) {
        // Not `disk = cache`: what a failed sync lost stays lost until it is written again.
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.disk);
        }
    }

    /// Some of the pages reach the disk, all of them count as clean.
    pub(super) fn failed_sync(&mut self, seed: &mut Seed) {
        for change in self.unsynced.drain(..) {
            if seed.chance(300) {
                change.apply(&mut self.disk);
            }
        }
    }

    pub(super) fn power_loss(&mut self, seed: &mut Seed) {
        let changes = std::mem::take(&mut self.unsynced);
        let (prefix, subset) = (seed.index(changes.len() + 1), seed.chance(400));
        for (number, change) in changes.into_iter().enumerate() {
            let whole = if subset { seed.chance(500) } else { number < prefix };
            if whole {
                change.apply(&mut self.disk);
            } else if let (true, Unsynced::Bytes { offset, mut bytes }) = (subset || number == prefix, change)
            {
                bytes.truncate(seed.index(bytes.len() + 1));
                if seed.chance(500) {
                    put(&mut self.disk, offset, &bytes);
                }
            }
        }
        self.cache.clone_from(&self.disk);
    }

    pub(super) fn evict(&mut self) {
        self.cache.clone_from(&self.disk);
        for change in &self.unsynced {
            change.apply(&mut self.cache);
        }
    }

    pub(super) fn flip(&mut self, offset: u64, bit: u8) -> bool {
        let mask = 1u8 << (bit & 7);
        for side in [&mut self.cache, &mut self.disk] {
            if let Some(byte) = side.get_mut(at(offset)) {
                *byte ^= mask;
            }
        }
        for change in &mut self.unsynced {
            if let Unsynced::Bytes { offset: start, bytes } = change
                && let Some(byte) = at(offset).checked_sub(*start).and_then(|inside| bytes.get_mut(inside))
            {
                *byte ^= mask;
            }
        }
        at(offset) < self.cache.len()
    }
}
