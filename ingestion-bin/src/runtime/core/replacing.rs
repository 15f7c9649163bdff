//! Old connections are made anew before the venue ends them: one at a time, so that no account loses two listeners at once.
//!
//! An old one waits for its turn until every other line of its cell is connected and carries live what the old one carries. An account that
//! only the old one carries (the venue refuses it elsewhere) keeps it until the venue ends it. A line that is the only one of its cell is
//! replaced when it is old: nobody can carry on for it, and the venue would end it a little later. The next connection is
//! opened at once.

use std::collections::BTreeSet;

use hyperliquid_client::io::Control;

use super::{Core, Slot};

#[derive(Debug, Default)]
pub(super) struct Replacing {
    /// Old ones that wait for their turn.
    due: BTreeSet<usize>,
    /// Told to close, and not closed yet.
    closing: BTreeSet<usize>,
}

impl Core {
    /// A connection is old.
    pub(in crate::runtime) fn replace(&mut self, line: usize) {
        self.replacing.due.insert(line);
        self.go_on_replacing();
    }

    /// Something changed: old ones may have their turn.
    pub(super) fn go_on_replacing(&mut self) {
        while let Some(line) = self.replacing.due.iter().copied().find(|old| self.is_dispensable(*old)) {
            self.close(line, Control::replace);
        }
    }

    /// Closes a line's connection, which missed something; it opens another one after its backoff.
    pub(super) fn recycle(&mut self, line: usize) {
        self.close(line, Control::recycle);
    }

    fn close(&mut self, line: usize, close: impl FnOnce(&Control)) {
        self.replacing.due.remove(&line);
        if let Some(closed) = self.lines.get(&line) {
            if closed.connection.is_some() {
                self.replacing.closing.insert(line);
            }
            close(&closed.control);
        }
    }

    /// Its connection is gone, whoever ended it.
    pub(super) fn is_replaced(&mut self, line: usize) {
        self.replacing.due.remove(&line);
        self.replacing.closing.remove(&line);
    }

    /// Whether all others carry on without it.
    fn is_dispensable(&self, line: usize) -> bool {
        let Some(old) = self.lines.get(&line) else { return true };
        let cell = self.lines.iter().filter(|(number, other)| **number != line && other.cell == old.cell);
        let mut others = cell.map(|(number, other)| (number, other.connection.is_some()));
        let mut seated = self.slots.values().filter_map(|slot| Some((slot, slot.seat_on(line)?)));
        let carries_on = |(slot, seat): (&Slot, usize)| {
            let mut elsewhere = slot.seats.keys().filter(|other| **other != seat);
            !slot.machine.is_live_on(seat) || elsewhere.all(|other| slot.machine.is_live_on(*other))
        };
        others.all(|(number, open)| open && !self.replacing.closing.contains(number))
            && seated.all(carries_on)
    }
}
