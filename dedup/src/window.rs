//! Which keys were seen: a ring of entries in the order of arrival and a table of their places, found by key.
//!
//! Bounded twice: [`Window::prune`] drops what is older than a venue time, and a hard cap answers [`Entry::Full`]
//! instead of forgetting (forgetting a key would be a double signal later).
//! Memory per key: `24 + size_of::<V>()` bytes of entry (rounded up to 8), in pieces of 32, and 6 to 12 bytes of table, which grows
//! by doubling. One allocation for 32 keys; what is pruned is given back, the table when it has room for eight times as many.
//! Time is the venue's millisecond of the entry; this module reads no clock.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use crate::FillKey;
use crate::ring::Ring;

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

#[derive(Clone, Debug)]
struct Item<V> {
    key: [u64; 2],
    time: i64,
    value: V,
}

/// Keys for which the table always keeps its room.
const ROOM_MIN: usize = 16;

/// A bounded set of keys with a small value each.
#[derive(Clone, Debug)]
pub struct Window<V> {
    ring: Ring<Item<V>>,
    /// Number of the ring's first entry.
    first: u32,
    /// Running numbers (wrapping) of the entries; an entry's place in the ring is the distance from the first one's number.
    table: HashTable<u32>,
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
            ring: Ring::new(),
            first: 0,
            table: HashTable::new(),
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
        self.ring.memory_bytes() + self.table.allocation_size()
    }

    /// What is remembered of `key`.
    #[must_use]
    pub fn get(&self, key: FillKey) -> Option<&V> {
        self.ring.get(self.place(key.halves())?).map(|item| &item.value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: FillKey) -> Option<&mut V> {
        let place = self.place(key.halves())?;
        self.ring.get_mut(place).map(|item| &mut item.value)
    }

    /// The venue time under which `key` was remembered.
    #[must_use]
    pub fn time_of(&self, key: FillKey) -> Option<i64> {
        self.ring.get(self.place(key.halves())?).map(|item| item.time)
    }

    /// One look-up: what is remembered of `key`, or a new entry made by `make`.
    pub fn insert_or_get(&mut self, key: FillKey, time: i64, make: impl FnOnce() -> V) -> Entry<'_, V> {
        if self.table.len() == self.table.capacity() {
            self.number_anew(2 * self.table.len());
        }
        let halves = key.halves();
        let Self { ring, first, table, cap, newest, disordered } = self;
        let place = |number: u32| number.wrapping_sub(*first) as usize;
        let is_it = |&number: &u32| ring.get(place(number)).is_some_and(|item| item.key == halves);
        let hash_of = |&number: &u32| ring.get(place(number)).map_or(0, |item| item.key[0]);
        let vacant = match table.entry(halves[0], is_it, hash_of) {
            TableEntry::Occupied(seen) => {
                let place = place(*seen.get());
                return match ring.get_mut(place) {
                    Some(item) => Entry::Seen(&mut item.value),
                    None => Entry::Full,
                };
            }
            TableEntry::Vacant(_) if ring.len() >= *cap => return Entry::Full,
            TableEntry::Vacant(vacant) => vacant,
        };
        vacant.insert(first.wrapping_add(ring.len() as u32));
        *disordered |= time < *newest;
        *newest = time.max(*newest);
        ring.push_back(Item { key: halves, time, value: make() });
        match ring.back_mut() {
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
            let (hash, number) = (item.key[0], self.first);
            if let Ok(entry) = self.table.find_entry(hash, |&at| at == number) {
                entry.remove();
            }
            self.ring.drop_front();
            self.first = self.first.wrapping_add(1);
        }
        let kept_behind = self.ring.front().is_some_and(|item| item.time < floor);
        let retains = self.disordered || kept_behind;
        if retains {
            self.ring.retain(|item| item.time >= floor || keep(FillKey::from_halves(item.key), &item.value));
            self.disordered = !self.ring.iter().map(|item| item.time).is_sorted();
        }
        let shrinks = self.table.capacity() > 8 * self.ring.len().max(ROOM_MIN);
        if retains || shrinks {
            self.number_anew(self.ring.len());
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

    fn place(&self, key: [u64; 2]) -> Option<usize> {
        let place = |number: u32| number.wrapping_sub(self.first) as usize;
        let is_it = |&number: &u32| self.ring.get(place(number)).is_some_and(|item| item.key == key);
        self.table.find(key[0], is_it).map(|&number| place(number))
    }

    /// A new table with room for `keys`, filled in the order of the ring: growing in the order of the table would look into
    /// the ring at random.
    fn number_anew(&mut self, keys: usize) {
        (self.first, self.table) = (0, HashTable::with_capacity(keys));
        for (number, item) in (0..).zip(self.ring.iter()) {
            self.table.insert_unique(item.key[0], number, |_| 0);
        }
    }
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
    use serde::ser::SerializeSeq;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Entry, FillKey, Window};

    impl<V: Serialize> Serialize for Window<V> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            (self.cap as u64, Entries(self)).serialize(serializer)
        }
    }

    struct Entries<'a, V>(&'a Window<V>);

    impl<V: Serialize> Serialize for Entries<'_, V> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut entries = serializer.serialize_seq(Some(self.0.len()))?;
            self.0.iter().try_for_each(|entry| entries.serialize_element(&entry))?;
            entries.end()
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
