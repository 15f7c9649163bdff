//! One try to place the most important accounts in a given shape: first those that stay where they are, then the others.
//!
//! Existing cells are filled before new ones open, as long as those who are still to have different addresses find them then. A new cell
//! opens where most users have room: with the roomiest addresses paired first, none is left over without a partner.

use super::{Bound, Cell, Demand, Shape, Want};

/// What is left of one group's limits.
#[derive(Clone, Copy, Debug)]
struct Room {
    users: u32,
    connections: u32,
    subscriptions: u32,
    messages: u32,
}

/// How an account's listeners are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Spread {
    /// One listener.
    One,
    /// All at one address.
    Together,
    /// All at different ones.
    Apart,
}

pub(super) struct Attempt<'a> {
    demand: &'a Demand<'a>,
    rooms: Vec<Room>,
    /// Connections over each route.
    opened: Vec<u32>,
    cells: Vec<Cell>,
}

impl<'a> Attempt<'a> {
    /// The cells, or what the first account without a place lacks.
    pub(super) fn run(demand: &'a Demand<'a>, open: &[Cell], shape: Shape) -> Result<Vec<Cell>, Bound> {
        Self::new(demand).place_all(open, shape)
    }

    fn new(demand: &'a Demand<'a>) -> Self {
        let rooms = demand.groups.iter().map(|limits| Room {
            users: limits.users,
            connections: limits.connections,
            subscriptions: limits.subscriptions,
            messages: limits.messages_per_minute,
        });
        Self { demand, rooms: rooms.collect(), opened: vec![0; demand.routes.len()], cells: Vec::new() }
    }

    fn place_all(mut self, open: &[Cell], shape: Shape) -> Result<Vec<Cell>, Bound> {
        let accounts = self.demand.accounts.iter().enumerate().take(shape.covered);
        let mut moving = Vec::new();
        for (account, want) in accounts {
            let spread = match account {
                _ if self.demand.dedicated && want.single => Spread::One,
                _ if account < shape.apart => Spread::Apart,
                _ if account < shape.full => Spread::Together,
                _ => Spread::One,
            };
            let at = want.at.and_then(|at| open.get(at).map(|cell| (at, cell)));
            if !at.is_some_and(|(at, cell)| self.stays(account, want, at, cell, spread)) {
                moving.push((account, want, spread));
            }
        }
        let mut apart = moving.iter().filter(|(_, _, spread)| *spread == Spread::Apart).count();
        for (account, want, spread) in moving {
            apart -= usize::from(spread == Spread::Apart);
            self.place(account, want, spread, apart)?;
        }
        self.cells.iter_mut().for_each(|cell| cell.accounts.sort_unstable());
        Ok(self.cells)
    }

    /// Leaves an account in its open cell, where it is carried as well as wanted and the limits still allow it.
    fn stays(&mut self, account: usize, want: &Want, at: usize, open: &Cell, spread: Spread) -> bool {
        let kept = self.cells.iter().position(|cell| cell.was == Some(at));
        let routes = kept.and_then(|cell| self.cells.get(cell)).map_or(&open.routes, |cell| &cell.routes);
        let is = self.spread_of(routes);
        // Two listeners at one address are not torn from it only because there is room elsewhere now.
        let fits = is == Some(spread) || (is, spread) == (Some(Spread::Together), Spread::Apart);
        match kept {
            Some(cell) => fits && self.join(cell, account, want).is_ok(),
            None if fits => self.open(routes.clone(), Some(at), account, want).is_ok(),
            // Of its connections one is kept.
            None if spread == Spread::One && is.is_some() => {
                let one = routes.first().copied().into_iter().collect();
                self.open(one, Some(at), account, want).is_ok()
            }
            None => false,
        }
    }

    /// `apart` accounts still come that are to be at different addresses.
    fn place(&mut self, account: usize, want: &Want, spread: Spread, apart: usize) -> Result<(), Bound> {
        let cells = (0..self.cells.len()).filter(|cell| {
            self.cells.get(*cell).is_some_and(|cell| self.spread_of(&cell.routes) == Some(spread))
        });
        let spare = self.spare(apart);
        let (harmless, costly): (Vec<usize>, Vec<usize>) =
            cells.partition(|cell| spread != Spread::Apart || self.costs(*cell, apart) <= spare);
        if harmless.into_iter().any(|cell| self.join(cell, account, want).is_ok()) {
            return Ok(());
        }
        let opened = self.routes_for(want, spread).and_then(|routes| self.open(routes, None, account, want));
        match opened {
            Err(_) if costly.into_iter().any(|cell| self.join(cell, account, want).is_ok()) => Ok(()),
            // No address carries all of them: several may.
            Err(bound) if spread == Spread::Together => {
                self.place(account, want, Spread::Apart, apart).map_err(|_| bound)
            }
            opened => opened,
        }
    }

    /// Places beyond what `apart` accounts take for all their listeners at different addresses. One address gives an account one place, so
    /// so many sets of different addresses there are exactly if this is not negative.
    fn spare(&self, apart: usize) -> i64 {
        let places = self.rooms.iter().map(|room| places(room.users, apart)).sum::<i64>();
        let wanted = apart.saturating_mul(self.demand.listeners);
        places.saturating_sub(i64::try_from(wanted).unwrap_or(i64::MAX))
    }

    /// How many of those places one more user of a cell takes away.
    fn costs(&self, cell: usize, apart: usize) -> i64 {
        let taken = self.cells.get(cell).map(|cell| self.shares(&cell.routes)).unwrap_or_default();
        let users = taken.iter().filter_map(|(group, _)| Some(self.rooms.get(*group)?.users));
        users.map(|users| places(users, apart) - places(users.saturating_sub(1), apart)).sum()
    }

    fn join(&mut self, cell: usize, account: usize, want: &Want) -> Result<(), Bound> {
        let Some(joined) = self.cells.get(cell) else { return Err(Bound::Connections) };
        let is_unattributed =
            |account: &usize| self.demand.accounts.get(*account).is_some_and(|want| want.unattributed);
        if self.demand.dedicated || want.unattributed && joined.accounts.iter().any(is_unattributed) {
            return Err(Bound::Connections);
        }
        let routes = joined.routes.clone();
        self.take(&routes, want, false)?;
        if let Some(cell) = self.cells.get_mut(cell) {
            cell.accounts.push(account);
        }
        Ok(())
    }

    fn open(
        &mut self,
        routes: Vec<usize>,
        was: Option<usize>,
        account: usize,
        want: &Want,
    ) -> Result<(), Bound> {
        self.take(&routes, want, true)?;
        for route in &routes {
            if let Some(opened) = self.opened.get_mut(*route) {
                *opened += 1;
            }
        }
        self.cells.push(Cell { routes, accounts: vec![account], was });
        Ok(())
    }

    /// Where a new cell opens.
    fn routes_for(&self, want: &Want, spread: Spread) -> Result<Vec<usize>, Bound> {
        let listeners = if spread == Spread::One { 1 } else { self.demand.listeners };
        let mut roomy: Vec<usize> = (0..self.rooms.len()).collect();
        roomy.sort_by_key(|group| std::cmp::Reverse(self.rooms.get(*group).map_or(0, |room| room.users)));
        let mut lacks = Bound::Routes;
        let mut routes = Vec::new();
        for group in roomy {
            let over = self.calmest_routes(group, if spread == Spread::Apart { 1 } else { listeners });
            if over.is_empty() {
                continue;
            }
            match self.lacks(&over, want, true) {
                None => routes.extend(over),
                Some(bound) if lacks == Bound::Routes => lacks = bound,
                Some(_) => {}
            }
            if routes.len() >= listeners {
                return Ok(routes);
            }
        }
        Err(lacks)
    }

    /// So many connections over a group's routes, over the least used first.
    fn calmest_routes(&self, group: usize, count: usize) -> Vec<usize> {
        let mut routes: Vec<(u32, usize)> = (self.demand.routes.iter().zip(&self.opened).enumerate())
            .filter(|(_, (route, _))| route.group == group)
            .map(|(place, (_, opened))| (*opened, place))
            .collect();
        routes.sort_unstable();
        let routes: Vec<usize> = routes.into_iter().map(|(_, place)| place).collect();
        if routes.is_empty() { routes } else { routes.iter().copied().cycle().take(count).collect() }
    }

    fn take(&mut self, routes: &[usize], want: &Want, opening: bool) -> Result<(), Bound> {
        if let Some(bound) = self.lacks(routes, want, opening) {
            return Err(bound);
        }
        for (group, count) in self.shares(routes) {
            let cost = self.cost(want, count, opening);
            if let Some(room) = self.rooms.get_mut(group) {
                room.users -= cost.users;
                room.connections -= cost.connections;
                room.subscriptions -= cost.subscriptions;
                room.messages -= cost.messages;
            }
        }
        Ok(())
    }

    fn lacks(&self, routes: &[usize], want: &Want, opening: bool) -> Option<Bound> {
        self.shares(routes).into_iter().find_map(|(group, count)| {
            let Some(room) = self.rooms.get(group) else { return Some(Bound::Routes) };
            let cost = self.cost(want, count, opening);
            [
                (room.users < cost.users, Bound::Users),
                (room.connections < cost.connections, Bound::Connections),
                (room.subscriptions < cost.subscriptions, Bound::Subscriptions),
                (room.messages < cost.messages, Bound::Messages),
            ]
            .into_iter()
            .find_map(|(lacks, bound)| lacks.then_some(bound))
        })
    }

    /// What an account takes of a group that carries `count` of its connections.
    fn cost(&self, want: &Want, count: u32, opening: bool) -> Room {
        let connections = if opening { count } else { 0 };
        let subscriptions = want.subscriptions_on(count);
        Room {
            users: 1,
            connections,
            subscriptions,
            messages: subscriptions.saturating_add(connections.saturating_mul(self.demand.pings_per_minute)),
        }
    }

    /// The groups of some connections, and how many each carries.
    fn shares(&self, routes: &[usize]) -> Vec<(usize, u32)> {
        let mut shares: Vec<(usize, u32)> = Vec::new();
        for group in routes.iter().filter_map(|route| self.demand.group(*route)) {
            match shares.iter_mut().find(|(known, _)| *known == group) {
                Some((_, count)) => *count += 1,
                None => shares.push((group, 1)),
            }
        }
        shares
    }

    /// `None` for a cell that no demand of today would make.
    fn spread_of(&self, routes: &[usize]) -> Option<Spread> {
        if routes.iter().any(|route| *route >= self.demand.routes.len()) {
            return None;
        }
        match (routes.len(), self.shares(routes).len()) {
            (1, 1) => Some(Spread::One),
            (connections, _) if connections != self.demand.listeners => None,
            (_, 1) => Some(Spread::Together),
            (connections, groups) => (connections == groups).then_some(Spread::Apart),
        }
    }
}

/// Places that an address with room for so many users gives to `accounts`, each at different addresses.
fn places(users: u32, accounts: usize) -> i64 {
    i64::from(users).min(i64::try_from(accounts).unwrap_or(i64::MAX))
}
