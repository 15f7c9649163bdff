//! The connections of a worker: which are kept open, and which accounts each carries.
//!
//! A *line* is one connection kept open for one listener of the accounts in its cell. An account sits on the lines of its cell, each in a
//! seat: the number under which its machine knows that listener. While an account moves it sits on the lines of both cells.

use std::collections::BTreeMap;
use std::time::Instant;

use hyperliquid_client::io::Control;
use hyperliquid_client::wire::Subscription;

use super::{Core, Slot};

/// One connection that is kept open.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) control: Control,
    pub(super) cell: usize,
    /// The way it takes, and who shares that way's limits.
    pub(super) route: usize,
    pub(super) group: usize,
    /// The number of its connection, while there is one.
    pub(super) connection: Option<u64>,
}

/// A line to be opened: to be given a socket that reports to it.
#[derive(Debug)]
pub(in crate::runtime) struct Opening {
    pub(in crate::runtime) line: usize,
    /// Which listener of its accounts it is.
    pub(in crate::runtime) leg: usize,
    /// Unique among the open ones: `a`, `b` of the first cell, `a2`, `b2` of the second.
    pub(in crate::runtime) name: String,
    pub(in crate::runtime) route: usize,
    pub(in crate::runtime) control: Control,
}

impl Core {
    /// A line's socket is open. Answers the number of its connection.
    pub(in crate::runtime) fn line_up(&mut self, line: usize, now: Instant) -> u64 {
        let connection = self.next_connection.get() + 1;
        self.next_connection.set(connection);
        if let Some(line) = self.lines.get_mut(&line) {
            line.connection = Some(connection);
        }
        self.for_seats_on(line, |slot, seat| slot.machine.handle_listener_up(seat, now));
        connection
    }

    /// A line's socket is gone.
    pub(in crate::runtime) fn line_down(&mut self, line: usize, now: Instant) {
        self.is_replaced(line);
        let was = self.lines.get_mut(&line).and_then(|line| line.connection.take());
        if was.is_some() {
            self.for_seats_on(line, |slot, seat| slot.machine.handle_listener_down(seat, now));
        }
    }

    /// How many lines are connected.
    pub(in crate::runtime) fn connected(&self) -> usize {
        self.lines.values().filter(|line| line.connection.is_some()).count()
    }

    /// Ends all lines, for good.
    pub(in crate::runtime) fn stop_lines(&self) {
        self.lines.values().for_each(|line| line.control.stop());
    }

    /// What an account wants of every line that carries it.
    pub(super) fn wanted(&self, slot: &Slot) -> Vec<Subscription> {
        slot.subscriptions(self.config.twap, self.config.state_interval.is_some())
    }

    /// Puts an account on a line, in the first free seat.
    pub(super) fn seat(&mut self, account: [u8; 20], line: usize, now: Instant) {
        let Some((slot, sat)) = self.slots.get_mut(&account).zip(self.lines.get(&line)) else { return };
        let seat = (0..).find(|seat| !slot.seats.contains_key(seat)).unwrap_or_default();
        slot.seats.insert(seat, line);
        for subscription in slot.subscriptions(self.config.twap, self.config.state_interval.is_some()) {
            sat.control.subscribe(subscription);
        }
        if sat.connection.is_some() {
            self.with_slot(account, |slot| slot.machine.handle_listener_up(seat, now));
        }
    }

    /// Takes an account off every line but those of `cell`.
    pub(super) fn unseat_but(&mut self, account: [u8; 20], cell: Option<usize>, now: Instant) {
        let Some(slot) = self.slots.get(&account) else { return };
        let elsewhere = |line: &usize| self.lines.get(line).map(|line| line.cell) != cell || cell.is_none();
        let gone: Vec<(usize, usize)> = slot
            .seats
            .iter()
            .filter(|(_, line)| elsewhere(line))
            .map(|(seat, line)| (*seat, *line))
            .collect();
        for (seat, line) in gone {
            self.unsubscribe(account, line);
            self.with_slot(account, |slot| {
                slot.seats.remove(&seat);
                slot.refused.retain(|(refusing, _), _| *refusing != line);
                slot.machine.handle_listener_down(seat, now);
            });
        }
    }

    /// Nothing of this account is wanted of the line any more.
    pub(super) fn unsubscribe(&self, account: [u8; 20], line: usize) {
        let Some((slot, line)) = self.slots.get(&account).zip(self.lines.get(&line)) else { return };
        for subscription in self.wanted(slot) {
            line.control.unsubscribe(&subscription);
        }
    }

    fn for_seats_on(&mut self, line: usize, mut run: impl FnMut(&mut Slot, usize)) {
        let seated: Vec<([u8; 20], usize)> =
            self.slots.iter().filter_map(|(account, slot)| Some((*account, slot.seat_on(line)?))).collect();
        for (account, seat) in seated {
            self.with_slot(account, |slot| run(slot, seat));
        }
        self.flush();
    }

    /// The lines of each cell, in the order of their listeners.
    pub(super) fn cells(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut cells: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, line) in &self.lines {
            cells.entry(line.cell).or_default().push(*number);
        }
        cells
    }
}
