//! The plan put into effect: cells open, accounts join, move and leave, and cells that nobody is in close.
//!
//! An account that moves is subscribed in its new cell first, and leaves the old one when every new line shows it live. Meanwhile it has two
//! places, so a newcomer may have to wait for the one it leaves: what the venue would refuse is not asked for. An account that the plan has
//! no room for leaves at once: its place is needed by somebody more important.

use std::cmp::Reverse;
use std::time::Instant;

use hyperliquid_client::plan::{self, Cell, Demand, Route};

use super::lines::{Line, Opening, Stand};
use super::{Core, Primary, Slot};
use crate::runtime::demand;
use crate::runtime::worker::listener_name;

impl Core {
    /// Who is followed has changed: the plan is to be made again.
    pub(super) fn ask_for_plan(&mut self) {
        self.plan_is_old = true;
        self.timer.notify_one();
    }

    /// Plans anew, if anything changed. Answers the lines to open, successors of old ones too; everything else is done.
    pub(in crate::runtime) fn replan(&mut self, now: Instant) -> Vec<Opening> {
        if !std::mem::take(&mut self.plan_is_old) {
            return self.take_openings();
        }
        let order = self.by_importance();
        let (ids, open): (Vec<usize>, Vec<Cell>) = self.open_cells().into_iter().unzip();
        let (twap, state) = (self.config.twap, self.config.state_interval.is_some());
        let asks = |account: &[u8; 20]| self.slots.get(account).is_some_and(|slot| slot.followed.orders);
        let of = |account| demand::of_account(twap, state, asks(account), &self.config.settings);
        let cell_of = |account: &[u8; 20]| self.slots.get(account).and_then(|slot| slot.cell);
        let accounts = order.iter().map(|account| plan::Want {
            at: cell_of(account).and_then(|cell| ids.iter().position(|id| *id == cell)),
            single: self.slots.get(account).is_some_and(Slot::is_single),
            ..of(account)
        });
        let accounts: Vec<plan::Want> = accounts.collect();
        let routes: Vec<Route> = self.config.routes.iter().map(|group| Route { group: *group }).collect();
        let limits: Vec<_> = self.groups.iter().map(|group| group.learned.limits(group.limits)).collect();
        let plan = plan::plan(
            &Demand {
                routes: &routes,
                groups: &limits,
                accounts: &accounts,
                listeners: self.config.listeners,
                dedicated: self.config.dedicated,
                pings_per_minute: demand::pings_per_minute(&self.config.session),
            },
            &open,
        );
        let mut openings = Vec::new();
        for cell in &plan.cells {
            let open = cell.was.and_then(|was| ids.get(was).copied());
            let id = open.unwrap_or_else(|| self.open_cell(&cell.routes, now, &mut openings));
            self.narrow(id, &cell.routes, now);
            for account in cell.accounts.iter().filter_map(|place| order.get(*place)) {
                if let Some(slot) = self.slots.get_mut(account) {
                    slot.cell = Some(id);
                }
            }
        }
        for account in plan.uncovered.iter().filter_map(|place| order.get(*place)) {
            if let Some(slot) = self.slots.get_mut(account) {
                slot.cell = None;
            }
            self.unseat_but(*account, None, now);
        }
        self.lacks = plan.bound;
        self.is_rearranging = true;
        self.give_way(now);
        self.go_on_moving(now);
        self.flush();
        openings.extend(self.take_openings());
        openings
    }

    /// Closes what a cell has beyond the planned connections: the first line over each of these routes stays.
    fn narrow(&mut self, cell: usize, routes: &[usize], now: Instant) {
        let mut planned = routes.to_vec();
        for number in self.serving_connected_first(cell) {
            let Some(line) = self.lines.get(&number) else { continue };
            match planned.iter().position(|route| *route == line.route) {
                Some(at) => drop(planned.swap_remove(at)),
                None => self.give_up(number, now),
            }
        }
    }

    /// Accounts that move leave their old lines when the new ones show them live, which makes room for others; lines that carry nobody
    /// close.
    pub(super) fn go_on_moving(&mut self, now: Instant) {
        if !self.is_rearranging {
            return;
        }
        while self.leave_old_cells(now) || self.take_seats(now) || self.make_room(now) {}
        let carries = |number: &usize, line: &Line| {
            self.slots.values().any(|slot| slot.cell == Some(line.cell) || slot.seat_on(*number).is_some())
        };
        let idle: Vec<usize> = self
            .lines
            .iter()
            .filter(|(number, line)| !carries(number, line))
            .map(|(number, _)| *number)
            .collect();
        for number in idle {
            self.forget_replacing(number);
            if let Some(line) = self.lines.remove(&number) {
                line.control.stop();
            }
        }
        let lines = &self.lines;
        self.primaries.retain(|cell, _| lines.values().any(|line| line.cell == *cell));
        self.rank();
        let waits = |slot: &Slot| self.lines_for(slot).iter().any(|line| slot.seat_on(*line).is_none());
        self.is_rearranging = self.slots.values().any(|slot| self.is_moving(slot) || waits(slot));
    }

    /// Whoever is live on every line of its cell sits nowhere else. A line to which the venue refuses a connection is not waited for: it
    /// may get that of a line that is left. True when somebody left.
    fn leave_old_cells(&mut self, now: Instant) -> bool {
        let arrived = |slot: &Slot| {
            let cell = self.lines_for(slot);
            let live = |line: &usize| slot.seat_on(*line).is_some_and(|seat| slot.machine.is_live_on(seat));
            let refused = |line: &usize| self.lines.get(line).is_some_and(|line| line.is_refused);
            let come = cell.iter().all(|line| live(line) || refused(line)) && cell.iter().any(live);
            self.is_moving(slot) && come
        };
        let arrived: Vec<([u8; 20], Option<usize>)> = self
            .slots
            .iter()
            .filter(|(_, slot)| arrived(slot))
            .map(|(account, slot)| (*account, slot.cell))
            .collect();
        for (account, cell) in &arrived {
            self.unseat_but(*account, *cell, now);
        }
        !arrived.is_empty()
    }

    /// Seats those who have no seat in their cell yet and for whom every public address has a place, the most important first. True when
    /// there was one.
    fn take_seats(&mut self, now: Instant) -> bool {
        let mut seated = false;
        for account in self.by_importance() {
            let Some(slot) = self.slots.get(&account) else { continue };
            let mut lines = self.lines_for(slot);
            lines.retain(|line| slot.seat_on(*line).is_none());
            if !lines.is_empty() && lines.iter().all(|line| self.has_place(slot, *line)) {
                lines.into_iter().for_each(|line| self.seat(account, line, now));
                seated = true;
            }
        }
        seated
    }

    /// Where everybody waits for the place of somebody else who waits, the least important gives way: what it misses until it is seated is
    /// a gap like after any other outage. True when somebody did.
    fn make_room(&mut self, now: Instant) -> bool {
        let waits = |slot: &&Slot| {
            let lines = self.lines_for(slot);
            lines.iter().any(|line| slot.seat_on(*line).is_none())
        };
        let in_both = |slot: &Slot| self.is_moving(slot) && !waits(&slot);
        if self.slots.values().any(in_both) {
            return false;
        }
        let order = self.by_importance();
        let gives_way = order.iter().rev().find_map(|account| {
            let slot = self.slots.get(account).filter(waits)?;
            self.is_moving(slot).then_some((*account, slot.cell))
        });
        let Some((account, cell)) = gives_way else { return false };
        self.unseat_but(account, cell, now);
        true
    }

    /// Whether it sits on a line of another cell than its own.
    fn is_moving(&self, slot: &Slot) -> bool {
        slot.seats.values().any(|line| self.lines.get(line).map(|line| line.cell) != slot.cell)
    }

    pub(super) fn lines_of(&self, cell: Option<usize>) -> Vec<usize> {
        cell.map(|cell| self.serving(cell)).unwrap_or_default()
    }

    /// Whether a line's public address may follow one more account, or follows this one already.
    fn has_place(&self, slot: &Slot, line: usize) -> bool {
        let Some(group) = self.lines.get(&line).map(|line| line.group) else { return false };
        let here = |slot: &Slot| {
            slot.seats.values().any(|line| self.lines.get(line).is_some_and(|line| line.group == group))
        };
        let limit = self.groups.get(group).map_or(0, |group| group.learned.limits(group.limits).users);
        here(slot) || self.slots.values().filter(|slot| here(slot)).count() < limit as usize
    }

    /// The most important first; whoever is leaving comes last.
    fn by_importance(&self) -> Vec<[u8; 20]> {
        let mut order: Vec<(&[u8; 20], &Slot)> = self.slots.iter().collect();
        order.sort_by_key(|(_, slot)| {
            let followed = &slot.followed;
            (slot.leaving.is_some(), Reverse(followed.priority), followed.influencer.as_str().to_owned())
        });
        order.into_iter().map(|(account, _)| *account).collect()
    }

    /// The cells there are, by number, as the planner knows them.
    fn open_cells(&self) -> Vec<(usize, Cell)> {
        let route = |line: usize| Some(self.lines.get(&line)?.route);
        let routes = |id: usize| self.serving_connected_first(id).into_iter().filter_map(route).collect();
        let cell = |id: usize| Cell { routes: routes(id), accounts: Vec::new(), was: None };
        self.cells().into_keys().map(|id| (id, cell(id))).collect()
    }

    fn open_cell(&mut self, routes: &[usize], now: Instant, openings: &mut Vec<Opening>) -> usize {
        let taken = self.cells();
        let id = (0..).find(|id| !taken.contains_key(id)).unwrap_or_default();
        self.primaries.insert(id, Primary::new(routes.len(), now));
        self.probe_at.get_or_insert(now + self.config.primary.probe_interval);
        let cell = if id == 0 { String::new() } else { (id + 1).to_string() };
        for (leg, route) in routes.iter().copied().enumerate() {
            openings.push(self.open_line(
                id,
                leg,
                format!("{}{cell}", listener_name(leg)),
                route,
                Stand::Serves,
            ));
        }
        id
    }
}
