//! Old connections are made anew before the venue ends them: one at a time, so that no account loses two listeners at once.
//!
//! An old one waits for its turn until every other listener is connected and carries live what the old one carries. An account that only
//! the old one carries (the venue refuses it elsewhere) keeps it until the venue ends it. A listener that is the only one is replaced when
//! it is old: nobody can carry on for it, and the venue would end it a little later. The next connection is opened at once.

use std::collections::BTreeSet;

use hyperliquid_client::io::Control;

use super::Core;

#[derive(Debug, Default)]
pub(super) struct Replacing {
    /// Old ones that wait for their turn.
    due: BTreeSet<usize>,
    /// Told to close, and not closed yet.
    closing: BTreeSet<usize>,
}

impl Core {
    /// A connection is old.
    pub(in crate::runtime) fn replace(&mut self, listener: usize) {
        self.replacing.due.insert(listener);
        self.go_on_replacing();
    }

    /// Something changed: the next old one may have its turn.
    pub(super) fn go_on_replacing(&mut self) {
        if let Some(listener) = self.replacing.due.iter().copied().find(|old| self.is_dispensable(*old)) {
            self.close(listener, Control::replace);
        }
    }

    /// Closes a listener's connection, which missed something; it opens another one after its backoff.
    pub(super) fn recycle(&mut self, listener: usize) {
        self.close(listener, Control::recycle);
    }

    fn close(&mut self, listener: usize, close: impl FnOnce(&Control)) {
        self.replacing.due.remove(&listener);
        if self.connected.contains_key(&listener) {
            self.replacing.closing.insert(listener);
        }
        if let Some(control) = self.controls.get(listener) {
            close(control);
        }
    }

    /// Its connection is gone, whoever ended it.
    pub(super) fn is_replaced(&mut self, listener: usize) {
        self.replacing.due.remove(&listener);
        self.replacing.closing.remove(&listener);
    }

    /// Whether all others carry on without it.
    fn is_dispensable(&self, listener: usize) -> bool {
        let others: Vec<usize> = (0..self.controls.len()).filter(|other| *other != listener).collect();
        let open =
            |other: &usize| self.connected.contains_key(other) && !self.replacing.closing.contains(other);
        let mut carried = self.slots.values().filter(|slot| slot.machine.is_live_on(listener));
        others.iter().all(open)
            && carried.all(|slot| others.iter().all(|other| slot.machine.is_live_on(*other)))
    }
}
