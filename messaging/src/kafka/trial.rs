//! Which keys may go at full speed with a producer.
//!
//! A broker takes whatever a producer it does not know sends first: were that batch refused, one behind it that is on its way already
//! would be stored, and order lost. So of keys that nothing is known of, one message at a time is on its way, and the next such message
//! waits with all behind it; once it arrived, its partition knows the producer, and a gap there is refused. Keys that come once have no order to lose. Memory: at
//! most [`PROVEN_MAX`] keys; then all are tried anew.

use std::collections::HashSet;

/// Keys remembered, at most.
const PROVEN_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Trial {
    proven: HashSet<Box<[u8]>>,
    /// The message on its way of a key that is not proven.
    trying: Option<u64>,
}

impl Trial {
    /// Whether a message of `key` may go now.
    pub(super) fn admits(&self, key: &[u8]) -> bool {
        self.trying.is_none() || self.proven.contains(key)
    }

    /// Message `number` of `key` goes.
    pub(super) fn goes(&mut self, number: u64, key: &[u8]) {
        if !self.proven.contains(key) {
            self.trying = Some(number);
        }
    }

    /// Message `number` arrived.
    pub(super) fn arrived(&mut self, number: u64, key: impl FnOnce() -> Option<Box<[u8]>>) {
        if self.trying == Some(number) {
            self.trying = None;
            if self.proven.len() >= PROVEN_MAX {
                self.proven.clear();
            }
            self.proven.extend(key());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unknown_key_at_a_time_is_tried_beside_all_that_are_known() {
        let mut trial = Trial::default();
        trial.goes(7, b"a");
        assert!(!trial.admits(b"a") && !trial.admits(b"b"));
        trial.arrived(6, || panic!("another message"));
        trial.arrived(7, || Some(Box::from(*b"a")));
        assert!(trial.admits(b"a") && trial.admits(b"b"));
        trial.goes(8, b"b");
        assert!(trial.admits(b"a") && !trial.admits(b"b") && !trial.admits(b"c"));
        trial.goes(9, b"a");
        trial.arrived(9, || panic!("it is known"));
        assert!(!trial.admits(b"b"));
    }
}
