//! The memory of the newest lines: bounded, in the order written, asked before a line is written.

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::LineKey;

/// At most `capacity` keys, the oldest forgotten first. About 50 bytes each.
#[derive(Debug)]
pub(super) struct Recent {
    order: VecDeque<LineKey>,
    /// Running number (wrapping) of the oldest.
    first: u32,
    /// The running numbers of all, found by key.
    table: HashTable<u32>,
    capacity: usize,
}

impl Recent {
    pub(super) fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), first: 0, table: HashTable::new(), capacity }
    }

    /// Remembers a key. False when it was known already.
    pub(super) fn insert(&mut self, key: LineKey) -> bool {
        let number = self.first.wrapping_add(self.order.len() as u32);
        if !self.note(key, number) {
            return false;
        }
        self.order.push_back(key);
        self.forget_beyond(self.capacity);
        true
    }

    /// Puts the keys of a file *before* those remembered (files are read newest first), whatever the capacity, which
    /// grows with them: what a start has to recognise is never forgotten by that start.
    pub(super) fn prepend(&mut self, keys: Vec<LineKey>) {
        for key in keys.into_iter().rev() {
            let number = self.first.wrapping_sub(1);
            if self.note(key, number) {
                self.order.push_front(key);
                self.first = number;
            }
        }
        self.capacity = self.capacity.max(self.order.len());
    }

    /// Forgets all but the newest keys, and gives their memory back.
    pub(super) fn keep_newest(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.forget_beyond(capacity);
        self.order.shrink_to_fit();
        let (first, order) = (self.first, &self.order);
        self.table.shrink_to_fit(|number| hash_at(order, first, *number));
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    fn forget_beyond(&mut self, capacity: usize) {
        while self.order.len() > capacity {
            let Some(oldest) = self.order.pop_front() else { return };
            let number = self.first;
            if let Ok(entry) = self.table.find_entry(hash(&oldest), |at| *at == number) {
                entry.remove();
            }
            self.first = number.wrapping_add(1);
        }
    }

    /// Whether a key is new, and is found by this number from now on.
    fn note(&mut self, key: LineKey, number: u32) -> bool {
        let (first, order) = (self.first, &self.order);
        let is_it = |at: &u32| order.get(at.wrapping_sub(first) as usize) == Some(&key);
        match self.table.entry(hash(&key), is_it, |number| hash_at(order, first, *number)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(number);
                true
            }
        }
    }
}

/// Ids are spread evenly; where one comes back, its number tells the lines apart.
fn hash(key: &LineKey) -> u64 {
    let (id, _) = key.id.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*id) ^ key.epoch.rotate_left(32) ^ key.seq.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn hash_at(order: &VecDeque<LineKey>, first: u32, number: u32) -> u64 {
    order.get(number.wrapping_sub(first) as usize).map_or(0, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> LineKey {
        LineKey { seq: number, ..LineKey::default() }
    }

    #[test]
    fn forgets_the_oldest_first_and_never_more_than_it_must() {
        let mut recent = Recent::new(3);
        for number in 0..5 {
            assert!(recent.insert(key(number)));
        }
        assert!(!recent.insert(key(4)) && !recent.insert(key(2)));
        assert!(recent.insert(key(1)), "forgotten, so new");
        assert_eq!(recent.len(), 3);
    }

    #[test]
    fn what_a_start_loads_is_kept_beyond_the_capacity() {
        let mut recent = Recent::new(2);
        recent.prepend((10..20).map(key).collect());
        recent.prepend((0..10).map(key).collect());
        assert_eq!(recent.len(), 20);
        assert!(recent.insert(key(20)));
        assert!(recent.insert(key(0)), "the oldest made room");
        assert!(!recent.insert(key(2)));
        recent.keep_newest(2);
        assert!(recent.insert(key(2)) && !recent.insert(key(0)) && recent.len() == 2);
    }
    /// Against a plain list: a short capacity, few different keys, so that each comes back often.
    #[test]
    fn behaves_like_a_list() {
        let (mut recent, mut list, mut random) = (Recent::new(20), VecDeque::new(), 1_u64);
        for round in 0..5_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = key(random >> 58);
            let is_new = !list.contains(&key);
            assert_eq!(recent.insert(key), is_new, "round {round}");
            if is_new {
                list.push_back(key);
            }
            if round % 500 == 0 {
                recent.keep_newest(10);
                recent.capacity = 20;
                list.drain(..list.len().saturating_sub(10));
            }
            list.drain(..list.len().saturating_sub(20));
            assert_eq!(recent.len(), list.len());
        }
    }
}
