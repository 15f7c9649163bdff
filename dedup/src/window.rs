//! Which keys were seen: a ring of entries in the order of arrival and a small open-addressing table over it.
//!
//! Bounded twice: [`Window::prune`] drops what is older than a venue time, and a hard cap answers [`Entry::Full`]
//! instead of forgetting (forgetting a key would be a double signal later).
//! Memory per key: `24 + size_of::<V>()` bytes of entry (rounded up to 8) and 16 to 32 bytes of table; both grow by
//! doubling, so up to twice that just after growth. No allocation per key, none at all in steady state.
//! Time is the venue's millisecond of the entry; this module reads no clock.

use std::collections::VecDeque;

use crate::FillKey;

/// The answer to "have I seen this?".
#[derive(Debug)]
pub enum Entry<'a, V> {
    /// Seen before, with what was remembered.
    Seen(&'a mut V),
    /// New, now remembered.
    New(&'a mut V),
    /// New, and not remembered: the window is at its cap.
    Full,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Upper half of the key with the lowest bit set; 0 where the slot is empty. Most misses end here.
    tag: u32,
    /// Running number of the entry (wrapping); its place in the ring is the distance from the first one's number.
    number: u32,
}

#[derive(Clone, Debug)]
struct Item<V> {
    key: [u64; 2],
    time: i64,
    value: V,
}

/// A bounded set of keys with a small value each.
#[derive(Clone, Debug)]
pub struct Window<V> {
    ring: VecDeque<Item<V>>,
    /// Number of the ring's first entry.
    first: u32,
    table: Vec<Slot>,
    cap: usize,
    newest: i64,
    /// Some entry came in with a time older than one before it: pruning must look at all.
    disordered: bool,
}

impl<V> Window<V> {
    /// An empty window that holds at most `cap` keys (never more than 2^30).
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            first: 0,
            table: Vec::new(),
            cap: cap.min(1 << 30),
            newest: i64::MIN,
            disordered: false,
        }
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// The hard cap.
    #[must_use]
    pub fn cap(&self) -> usize {
        self.cap
    }

    /// Bytes this window occupies, spare room included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.ring.capacity() * size_of::<Item<V>>() + self.table.capacity() * size_of::<Slot>()
    }

    /// What is remembered of `key`.
    #[must_use]
    pub fn get(&self, key: FillKey) -> Option<&V> {
        let slot = self.find(key.halves()).ok()?;
        self.ring.get(self.place(slot)).map(|item| &item.value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: FillKey) -> Option<&mut V> {
        let slot = self.find(key.halves()).ok()?;
        let place = self.place(slot);
        self.ring.get_mut(place).map(|item| &mut item.value)
    }

    /// The venue time under which `key` was remembered.
    #[must_use]
    pub fn time_of(&self, key: FillKey) -> Option<i64> {
        let slot = self.find(key.halves()).ok()?;
        self.ring.get(self.place(slot)).map(|item| item.time)
    }

    /// One look-up: what is remembered of `key`, or a new entry made by `make`.
    pub fn insert_or_get(&mut self, key: FillKey, time: i64, make: impl FnOnce() -> V) -> Entry<'_, V> {
        let halves = key.halves();
        let place = match self.find(halves) {
            Ok(slot) => {
                let place = self.place(slot);
                return match self.ring.get_mut(place) {
                    Some(item) => Entry::Seen(&mut item.value),
                    None => Entry::Full,
                };
            }
            Err(_) if self.ring.len() >= self.cap => return Entry::Full,
            Err(free) => free,
        };
        let place = if (self.ring.len() + 1) * 2 > self.table.len() {
            self.grow();
            self.find(halves).err().unwrap_or(0)
        } else {
            place
        };
        let number = self.first.wrapping_add(self.ring.len() as u32);
        if let Some(slot) = self.table.get_mut(place) {
            *slot = Slot { tag: tag(halves), number };
        }
        self.disordered |= time < self.newest;
        self.newest = self.newest.max(time);
        self.ring.push_back(Item { key: halves, time, value: make() });
        match self.ring.back_mut() {
            Some(item) => Entry::New(&mut item.value),
            None => Entry::Full,
        }
    }

    /// Drops every key older than `floor` for which `keep` is false; returns how many.
    /// Costs the number dropped while entries came in the order of time, else one pass over all.
    pub fn prune(&mut self, floor: i64, keep: impl Fn(FillKey, &V) -> bool) -> usize {
        let before = self.ring.len();
        while let Some(item) = self.ring.front() {
            if item.time >= floor || keep(FillKey::from_halves(item.key), &item.value) {
                break;
            }
            let key = item.key;
            self.forget(key);
            self.ring.pop_front();
            self.first = self.first.wrapping_add(1);
        }
        let kept_behind = self.ring.front().is_some_and(|item| item.time < floor);
        if self.disordered || kept_behind {
            self.ring.retain(|item| item.time >= floor || keep(FillKey::from_halves(item.key), &item.value));
            self.disordered = !self.ring.iter().map(|item| item.time).is_sorted();
            self.rebuild(self.table.len());
        }
        before - self.ring.len()
    }

    /// All entries in the order they came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (FillKey, i64, &V)> {
        self.ring.iter().map(|item| (FillKey::from_halves(item.key), item.time, &item.value))
    }

    /// The same, values to be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (FillKey, i64, &mut V)> {
        self.ring.iter_mut().map(|item| (FillKey::from_halves(item.key), item.time, &mut item.value))
    }

    fn mask(&self) -> usize {
        self.table.len().wrapping_sub(1)
    }

    fn place(&self, slot: Slot) -> usize {
        slot.number.wrapping_sub(self.first) as usize
    }

    /// The slot of the key, or the free place where it belongs.
    #[inline]
    fn find(&self, key: [u64; 2]) -> Result<Slot, usize> {
        let mut at = key[0] as usize & self.mask();
        let wanted = tag(key);
        // Ends: at most half of the table is taken.
        while let Some(&slot) = self.table.get(at) {
            if slot.tag == 0 {
                return Err(at);
            }
            if slot.tag == wanted && self.ring.get(self.place(slot)).is_some_and(|item| item.key == key) {
                return Ok(slot);
            }
            at = (at + 1) & self.mask();
        }
        Err(0)
    }

    /// Empties the key's slot and moves back those that were pushed past it.
    fn forget(&mut self, key: [u64; 2]) {
        let Ok(found) = self.find(key) else { return };
        let mask = self.mask();
        let mut hole = key[0] as usize & mask;
        while self.table.get(hole).is_some_and(|slot| slot.tag == 0 || slot.number != found.number) {
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(&slot) = self.table.get(at) else { break };
            if slot.tag == 0 {
                break;
            }
            let home = self.ring.get(self.place(slot)).map_or(at, |item| item.key[0] as usize & mask);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                if let Some(free) = self.table.get_mut(hole) {
                    *free = slot;
                }
                hole = at;
            }
        }
        if let Some(free) = self.table.get_mut(hole) {
            *free = Slot::default();
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.rebuild((self.table.len() * 2).max(16));
    }

    fn rebuild(&mut self, slots: usize) {
        self.table.clear();
        self.table.resize(slots, Slot::default());
        self.first = 0;
        let mask = self.mask();
        for (number, item) in self.ring.iter().enumerate() {
            let mut at = item.key[0] as usize & mask;
            while self.table.get(at).is_some_and(|slot| slot.tag != 0) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = self.table.get_mut(at) {
                *slot = Slot { tag: tag(item.key), number: number as u32 };
            }
        }
    }
}

#[inline]
fn tag(key: [u64; 2]) -> u32 {
    (key[1] >> 32) as u32 | 1
}

/// Equal when they remember the same entries in the same order; room and cap do not count.
impl<V: PartialEq> PartialEq for Window<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(feature = "serde")]
mod image {
    //! A window is written as its cap and its entries in order; reading refuses more entries than the cap.
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Entry, FillKey, Window};

    impl<V: Serialize> Serialize for Window<V> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            (self.cap as u64, self.iter().collect::<Vec<_>>()).serialize(serializer)
        }
    }

    impl<'de, V: Deserialize<'de>> Deserialize<'de> for Window<V> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let (cap, entries) = <(u64, Vec<(FillKey, i64, V)>)>::deserialize(deserializer)?;
            let mut window = Self::new(usize::try_from(cap).unwrap_or(usize::MAX));
            for (key, time, value) in entries {
                match window.insert_or_get(key, time, || value) {
                    Entry::New(_) => {}
                    Entry::Seen(_) => return Err(D::Error::custom("a key stands twice in a window")),
                    Entry::Full => return Err(D::Error::custom("a window holds more keys than its cap")),
                }
            }
            Ok(window)
        }
    }
}

#[cfg(test)]
mod tests;
