//! The memory of the newest lines: bounded, in the order written, asked before a line is written.

use std::collections::{HashSet, VecDeque};

use super::LineKey;

/// At most `capacity` keys, the oldest forgotten first. About 100 bytes each.
#[derive(Debug)]
pub(super) struct Recent {
    order: VecDeque<LineKey>,
    set: HashSet<LineKey>,
    capacity: usize,
}

impl Recent {
    pub(super) fn new(capacity: usize) -> Self {
        Self { order: VecDeque::new(), set: HashSet::new(), capacity }
    }

    /// Remembers a key. False when it was known already.
    pub(super) fn insert(&mut self, key: LineKey) -> bool {
        if !self.set.insert(key) {
            return false;
        }
        self.order.push_back(key);
        while self.order.len() > self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.set.remove(&oldest);
            }
        }
        true
    }

    /// Puts the keys of a file *before* those remembered (files are read newest first), whatever the capacity, which
    /// grows with them: what a start has to recognise is never forgotten by that start.
    pub(super) fn prepend(&mut self, keys: Vec<LineKey>) {
        for key in keys.into_iter().rev() {
            if self.set.insert(key) {
                self.order.push_front(key);
            }
        }
        self.capacity = self.capacity.max(self.order.len());
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
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
    }
}
