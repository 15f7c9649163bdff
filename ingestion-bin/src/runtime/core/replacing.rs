//! Old connections are made anew before the venue ends them.
//!
//! Where its public address has a connection and subscriptions free, an old line gets a *successor*: one more line of the same listener, on
//! which everybody who sits on the old one takes a second seat. When the successor has brought all that the old one brings (snapshots, first
//! states), it takes its place and the old one closes; until its socket is gone, what still comes over it is taken in. The account machine
//! sees one more listener for a while and never one less. Users are counted once an address, so this takes none of their places. An account
//! that the successor does not get keeps the old one until the venue ends it; then the successor takes over as it is.
//!
//! Where there is none free, old ones close first and are opened again at once, one at a time, so that no account loses two listeners: an
//! old one waits for its turn until every other line of its cell is connected and carries live what the old one carries. A line that is the
//! only one of its cell waits for a connection that another one's successor will leave free; without any it closes when it is old: nobody
//! can carry on for it, and the venue would end it a little later.

use std::collections::BTreeSet;
use std::time::Instant;

use hyperliquid_client::io::Control;

use super::lines::{Line, Opening, Stand};
use super::{Core, Slot};
use crate::runtime::events::Replaced;

#[derive(Debug, Default)]
pub(super) struct Replacing {
    /// Old ones that wait for their turn.
    due: BTreeSet<usize>,
    /// Told to close, and not closed yet.
    closing: BTreeSet<usize>,
    /// Successors that nobody has opened yet.
    openings: Vec<Opening>,
}

/// How an old line is replaced.
enum Way {
    /// By one that is there before it goes.
    Successor,
    /// It closes first.
    CloseFirst,
    /// Not now.
    Wait,
}

impl Core {
    /// A connection is old.
    pub(in crate::runtime) fn replace(&mut self, line: usize, now: Instant) {
        self.replacing.due.insert(line);
        self.go_on_replacing(now);
        self.flush();
    }

    /// Something changed: successors may be ready, old ones may have their turn.
    pub(super) fn go_on_replacing(&mut self, now: Instant) {
        for (old, new) in self.successions() {
            if self.brings_all(old, new) {
                self.succeed(old, new, now);
            }
        }
        for old in self.replacing.due.clone() {
            match self.way_of(old) {
                Way::Successor => self.open_successor(old, now),
                Way::CloseFirst => {
                    if let Some(line) = self.lines.get(&old) {
                        self.telemetry.emit(&Replaced { listener: &line.name, way: "close_first" });
                    }
                    self.close(old, Control::replace);
                }
                Way::Wait => {}
            }
        }
    }

    /// Successors to be given a socket.
    pub(super) fn take_openings(&mut self) -> Vec<Opening> {
        std::mem::take(&mut self.replacing.openings)
    }

    /// Closes a line's connection, which missed something; it opens another one after its backoff.
    pub(super) fn recycle(&mut self, line: usize) {
        self.close(line, Control::recycle);
    }

    /// The line that is to take the place of this one.
    pub(super) fn successor_of(&self, old: usize) -> Option<usize> {
        self.lines.iter().find(|(_, line)| line.stand == Stand::Succeeds(old)).map(|(number, _)| *number)
    }

    /// A line's connection is gone, whoever ended it: who was to take its place takes it as it is.
    pub(super) fn is_gone(&mut self, line: usize, now: Instant) {
        self.forget_replacing(line);
        match self.lines.get(&line).map(|line| line.stand) {
            Some(Stand::Leaves) => self.drop_line(line, now),
            Some(Stand::Serves) => {
                if let Some(new) = self.successor_of(line) {
                    self.succeed(line, new, now);
                }
            }
            Some(Stand::Succeeds(_)) | None => {}
        }
    }

    /// What was to be done with its connection is done, or not to be done any more.
    pub(super) fn forget_replacing(&mut self, line: usize) {
        self.replacing.due.remove(&line);
        self.replacing.closing.remove(&line);
        self.replacing.openings.retain(|opening| opening.line != line);
    }

    /// Where the plan opened lines, successors give their connections back.
    pub(super) fn give_way(&mut self, now: Instant) {
        for group in 0..self.groups.len() {
            while self.connections_left(group) < 0 {
                let here = |(_, new): &(usize, usize)| self.lines.get(new).is_some_and(|l| l.group == group);
                let Some((old, new)) = self.successions().into_iter().find(here) else { break };
                if let Some(line) = self.lines.get(&new) {
                    line.control.stop();
                }
                self.drop_line(new, now);
                self.replacing.due.insert(old);
            }
        }
    }

    fn successions(&self) -> Vec<(usize, usize)> {
        let pair = |(new, line): (&usize, &Line)| match line.stand {
            Stand::Succeeds(old) => Some((old, *new)),
            Stand::Serves | Stand::Leaves => None,
        };
        self.lines.iter().filter_map(pair).collect()
    }

    fn way_of(&self, old: usize) -> Way {
        let Some(line) = self.lines.get(&old) else { return Way::CloseFirst };
        if line.stand != Stand::Serves || line.connection.is_none() || self.successor_of(old).is_some() {
            return Way::Wait;
        }
        if self.connections_left(line.group) > 0 && self.has_subscriptions_for(old, line) {
            return Way::Successor;
        }
        let here = |number: &usize| self.lines.get(number).is_some_and(|other| other.group == line.group);
        let soon_free = self.successions().iter().any(|(_, new)| here(new));
        let alone = self.serving(line.cell).len() < 2;
        if (alone && soon_free) || !self.is_dispensable(old) { Way::Wait } else { Way::CloseFirst }
    }

    /// Connections that the venue allows a group beyond those there are or are to be.
    fn connections_left(&self, group: usize) -> i64 {
        let allowed =
            self.groups.get(group).map_or(0, |group| group.learned.limits(group.limits).connections);
        let lines = self.lines.values().filter(|line| line.group == group).count();
        i64::from(allowed).saturating_sub(i64::try_from(lines).unwrap_or(i64::MAX))
    }

    /// Whether everything that the old one subscribes can be subscribed once more.
    fn has_subscriptions_for(&self, old: usize, line: &Line) -> bool {
        let here = |number: &usize| self.lines.get(number).is_some_and(|other| other.group == line.group);
        let of = |slot: &Slot, seats: usize| seats * self.wanted(slot).len();
        let used: usize = self
            .slots
            .values()
            .map(|slot| of(slot, slot.seats.values().filter(|line| here(line)).count()))
            .sum();
        let more: usize =
            self.slots.values().map(|slot| of(slot, usize::from(slot.seat_on(old).is_some()))).sum();
        let allowed = self.groups.get(line.group).map_or(0, |group| group.limits.subscriptions);
        used + more <= usize::try_from(allowed).unwrap_or(usize::MAX)
    }

    fn open_successor(&mut self, old: usize, now: Instant) {
        self.replacing.due.remove(&old);
        let Some(line) = self.lines.get(&old) else { return };
        let (cell, leg, name, route) = (line.cell, line.leg, line.name.clone(), line.route);
        let opening = self.open_line(cell, leg, name, route, Stand::Succeeds(old));
        let seated: Vec<[u8; 20]> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.seat_on(old).is_some())
            .map(|(account, _)| *account)
            .collect();
        seated.into_iter().for_each(|account| self.seat(account, opening.line, now));
        self.replacing.openings.push(opening);
        self.rank();
        self.timer.notify_one();
    }

    /// Whether the successor has brought everything that the old one brings.
    fn brings_all(&self, old: usize, new: usize) -> bool {
        let Some((old_line, new_line)) = self.lines.get(&old).zip(self.lines.get(&new)) else { return false };
        let brings = |slot: &Slot, seat: usize| {
            let Some(new_seat) = slot.seat_on(new) else { return false };
            let heard = |line: &Line| {
                let wanted = self.wanted(slot);
                wanted.into_iter().filter(|wanted| line.control.has_heard(wanted)).collect::<Vec<_>>()
            };
            let (is, was) = (heard(new_line), heard(old_line));
            let live = slot.machine.is_live_on(new_seat) || !slot.machine.is_live_on(seat);
            live && was.iter().all(|wanted| is.contains(wanted))
        };
        let mut seated = self.slots.values().filter_map(|slot| Some((slot, slot.seat_on(old)?)));
        new_line.connection.is_some() && seated.all(|(slot, seat)| brings(slot, seat))
    }

    fn succeed(&mut self, old: usize, new: usize, now: Instant) {
        let Some(line) = self.lines.get_mut(&new) else { return };
        line.stand = Stand::Serves;
        let (name, is_open) = (line.name.clone(), line.connection.is_some());
        if is_open {
            self.begin_measuring(new);
        }
        self.forget_replacing(old);
        let Some(line) = self.lines.get_mut(&old) else { return };
        line.stand = Stand::Leaves;
        line.control.retire();
        let is_closed = line.connection.is_none();
        let way = if is_closed { "ended" } else { "overlap" };
        self.telemetry.emit(&Replaced { listener: &name, way });
        if is_closed {
            self.drop_line(old, now);
        }
        self.rank();
    }

    /// The plan has no place any more for a line of a cell that stays, nor for its successor.
    pub(super) fn give_up(&mut self, line: usize, now: Instant) {
        for line in self.successor_of(line).into_iter().chain([line]) {
            if let Some(given_up) = self.lines.get(&line) {
                given_up.control.stop();
            }
            self.drop_line(line, now);
        }
    }

    /// A line is no more: nobody sits on it.
    fn drop_line(&mut self, line: usize, now: Instant) {
        self.for_seats_on(line, |slot, seat| slot.leave(seat, now));
        self.lines.remove(&line);
        self.forget_replacing(line);
    }

    fn close(&mut self, line: usize, close: impl FnOnce(&Control)) {
        self.replacing.due.remove(&line);
        if let Some(closed) = self.lines.get(&line).filter(|line| line.stand != Stand::Leaves) {
            if closed.connection.is_some() {
                self.replacing.closing.insert(line);
            }
            close(&closed.control);
        }
    }

    /// Whether all others carry on without it.
    fn is_dispensable(&self, line: usize) -> bool {
        let Some(old) = self.lines.get(&line) else { return true };
        let mut others = self.serving(old.cell);
        others.retain(|other| *other != line);
        let open = |other: &usize| self.lines.get(other).is_some_and(|line| line.connection.is_some());
        let mut seated = self.slots.values().filter_map(|slot| Some((slot, slot.seat_on(line)?)));
        let carries_on = |(slot, seat): (&Slot, usize)| {
            let mut elsewhere = slot.seats.keys().filter(|other| **other != seat);
            !slot.machine.is_live_on(seat) || elsewhere.all(|other| slot.machine.is_live_on(*other))
        };
        others.iter().all(|other| open(other) && !self.replacing.closing.contains(other))
            && seated.all(carries_on)
    }
}
