//! The connections of a worker: which are kept open, and which accounts each carries.
//!
//! A *line* is one connection kept open for one listener of the accounts in its cell. An account sits on the lines of its cell, each in a
//! seat: the number under which its machine knows that listener. While an account moves it sits on the lines of both cells, and while a line is
//! replaced on that and on its successor.

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
    /// Which listener of its accounts it is, and how that is called.
    pub(super) leg: usize,
    pub(super) name: String,
    /// The way it takes, and who shares that way's limits.
    pub(super) route: usize,
    pub(super) group: usize,
    /// The number of its connection, while there is one.
    pub(super) connection: Option<u64>,
    /// Since when there is one.
    pub(super) since: Option<Instant>,
    /// It has a place among the minute's new connections and tries to connect.
    pub(super) tries: bool,
    /// The venue answered its last handshake with "too many".
    pub(super) is_refused: bool,
    pub(super) stand: Stand,
}

/// What a line is to its cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stand {
    /// It is one of the cell's listeners.
    Serves,
    /// It is to take the place of this line of the same listener, and carries beside it what that one carries.
    Succeeds(usize),
    /// Another one took its place, and its connection closes.
    Leaves,
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
    /// One more line; it has no socket before somebody takes what this answers.
    pub(super) fn open_line(
        &mut self,
        cell: usize,
        leg: usize,
        name: String,
        route: usize,
        stand: Stand,
    ) -> Opening {
        let (line, control) = (self.next_line, Control::new(self.session_of_line()));
        self.next_line += 1;
        let group = self.config.routes.get(route).copied().unwrap_or_default();
        let opened = Line {
            control: control.clone(),
            cell,
            leg,
            name: name.clone(),
            route,
            group,
            connection: None,
            since: None,
            tries: false,
            is_refused: false,
            stand,
        };
        self.lines.insert(line, opened);
        Opening { line, leg, name, route, control }
    }

    /// A line's socket is open. Answers the number of its connection.
    pub(in crate::runtime) fn line_up(&mut self, line: usize, now: Instant) -> u64 {
        let connection = self.next_connection.get() + 1;
        self.next_connection.set(connection);
        if let Some(line) = self.lines.get_mut(&line) {
            (line.connection, line.since, line.tries) = (Some(connection), Some(now), false);
            line.is_refused = false;
        }
        self.begin_measuring(line);
        self.for_seats_on(line, |slot, seat| slot.machine.handle_listener_up(seat, now));
        connection
    }

    /// A line's socket is gone.
    pub(in crate::runtime) fn line_down(&mut self, line: usize, now: Instant) {
        let was = self.lines.get_mut(&line).and_then(|line| {
            line.since = None;
            line.connection.take()
        });
        if was.is_some() {
            self.note_end(line, now);
            self.for_seats_on(line, |slot, seat| slot.machine.handle_listener_down(seat, now));
        }
        self.is_gone(line, now);
        self.go_on_replacing(now);
        self.line_tries(line, false);
        self.flush();
    }

    /// How many lines are connected, successors and leaving ones included.
    pub(in crate::runtime) fn connected(&self) -> usize {
        self.lines.values().filter(|line| line.connection.is_some()).count()
    }

    /// The lines of a cell's listeners, in their order.
    pub(super) fn serving(&self, cell: usize) -> Vec<usize> {
        self.cells().remove(&cell).unwrap_or_default()
    }

    /// The same, those with a connection before the others.
    pub(super) fn serving_connected_first(&self, cell: usize) -> Vec<usize> {
        let mut lines = self.serving(cell);
        let lacks = |line: &usize| self.lines.get(line).is_none_or(|line| line.connection.is_none());
        lines.sort_by_key(lacks);
        lines
    }

    /// Ends all lines, for good.
    pub(in crate::runtime) fn stop_lines(&self) {
        self.lines.values().for_each(|line| line.control.stop());
    }

    /// What an account wants of every line that carries it.
    pub(super) fn wanted(&self, slot: &Slot) -> Vec<Subscription> {
        slot.subscriptions(self.config.twap, self.config.state_interval.is_some())
    }

    /// Puts an account on a line, in the first free seat, and on the line that is to take its place.
    pub(super) fn seat(&mut self, account: [u8; 20], line: usize, now: Instant) {
        let Some((slot, sat)) = self.slots.get_mut(&account).zip(self.lines.get(&line)) else { return };
        let seat = (0..).find(|seat| !slot.seats.contains_key(seat)).unwrap_or_default();
        slot.seats.insert(seat, line);
        sat.control.tune(slot.address, slot.followed.tuning.of_session(), now);
        for subscription in slot.subscriptions(self.config.twap, self.config.state_interval.is_some()) {
            sat.control.subscribe(subscription);
        }
        if sat.connection.is_some() {
            self.with_slot(account, |slot| slot.machine.handle_listener_up(seat, now));
        }
        if let Some(successor) = self.successor_of(line) {
            self.seat(account, successor, now);
        }
    }

    /// Asks for an account's order updates on its lines from now on, or not any more. Where a line has an account that asks already, the
    /// plan moves this one, and it asks on its new lines.
    pub(super) fn turn_orders(&self, account: [u8; 20], on: bool) {
        let Some(slot) = self.slots.get(&account) else { return };
        let subscription = Subscription::OrderUpdates { user: slot.address };
        for (number, line) in
            slot.seats.values().filter_map(|number| Some((*number, self.lines.get(number)?)))
        {
            let others = self.slots.iter().filter(|(other, _)| **other != account);
            let taken = { others }.any(|(_, other)| other.followed.orders && other.seat_on(number).is_some());
            if !on {
                line.control.unsubscribe(&subscription);
            } else if !taken {
                line.control.subscribe(subscription.clone());
            }
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
        self.unseat(account, gone, now);
    }

    /// Takes an account off the lines of its cell that are more than it may have.
    pub(super) fn unseat_surplus(&mut self, account: [u8; 20], now: Instant) {
        let Some(slot) = self.slots.get(&account) else { return };
        let (all, kept) = (self.lines_of(slot.cell), self.lines_for(slot));
        let surplus: Vec<usize> = all.into_iter().filter(|line| !kept.contains(line)).collect();
        let replaces_one = |line: &usize| surplus.iter().any(|old| self.successor_of(*old) == Some(*line));
        let surplus = |line: &usize| surplus.contains(line) || replaces_one(line);
        let gone = slot.seats.iter().filter(|(_, line)| surplus(line)).map(|(seat, line)| (*seat, *line));
        self.unseat(account, gone.collect(), now);
    }

    /// Out of these seats, each with its line.
    fn unseat(&mut self, account: [u8; 20], gone: Vec<(usize, usize)>, now: Instant) {
        for (seat, line) in gone {
            self.unsubscribe(account, line);
            self.with_slot(account, |slot| slot.leave(seat, now));
        }
    }

    /// Nothing of this account is wanted of the line any more.
    pub(super) fn unsubscribe(&self, account: [u8; 20], line: usize) {
        let Some((slot, line)) = self.slots.get(&account).zip(self.lines.get(&line)) else { return };
        for subscription in self.wanted(slot) {
            line.control.unsubscribe(&subscription);
        }
    }

    /// Runs something on every slot that sits on a line, with its seat there.
    pub(super) fn for_seats_on(&mut self, line: usize, mut run: impl FnMut(&mut Slot, usize)) {
        let seated: Vec<([u8; 20], usize)> =
            self.slots.iter().filter_map(|(account, slot)| Some((*account, slot.seat_on(line)?))).collect();
        for (account, seat) in seated {
            self.with_slot(account, |slot| run(slot, seat));
        }
        self.flush();
    }

    /// The lines of each cell's listeners, in their order.
    pub(super) fn cells(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut cells: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, line) in self.lines.iter().filter(|(_, line)| line.stand == Stand::Serves) {
            cells.entry(line.cell).or_default().push(*number);
        }
        let leg = |number: &usize| self.lines.get(number).map(|line| line.leg);
        cells.values_mut().for_each(|lines| lines.sort_by_key(leg));
        cells
    }
}
