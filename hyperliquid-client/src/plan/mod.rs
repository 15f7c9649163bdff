//! Which account is listened to over which connections, decided before the first socket opens.
//!
//! [`plan`] is a pure function of what is wanted ([`Demand`]), what the venue allows each public address ([`VenueLimits`]) and the cells
//! that are open already. A *cell* is a group of connections and the accounts that all of them carry: one connection for each listener.
//!
//! What does not fit is given up in this order, least important accounts first: listeners of one account at different public addresses;
//! then its second listener; coverage last. The venue counts the distinct users of an address, so both listeners of an account at one
//! address take one place there, and two connections. Whom nothing can carry is [`Plan::uncovered`], with the bound that says so.
//!
//! Accounts stay where they are as long as nobody goes without a listener for it: a change of the list moves as few as possible, also where
//! a plan from nothing would keep more listeners at different addresses.
//!
//! No I/O, no clock, no randomness: the same demand gives the same plan.

mod attempt;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::limits::VenueLimits;
use attempt::Attempt;

/// What is wanted, and what there is.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Ways to the venue.
    pub routes: &'a [Route],
    /// What the venue allows each group of routes.
    pub groups: &'a [VenueLimits],
    /// The most important first.
    pub accounts: &'a [Want],
    /// Listeners of an account, at least one.
    pub listeners: usize,
    /// Whether every account has connections of its own.
    pub dedicated: bool,
    /// Messages that keep one connection alive, a minute.
    pub pings_per_minute: u32,
}

/// One endpoint, reached from one place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// Place in [`Demand::groups`]: routes to one host from behind one public address share its limits.
    pub group: usize,
}

/// What one account takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Want {
    /// Subscriptions of each listener.
    pub subscriptions: u32,
    /// Info weight a minute, asked for from its first connection's address. Where an address has too little, its accounts are proven
    /// complete later; none is left out for it.
    pub info_weight: u32,
    /// It wants a channel whose data names no account (`orderUpdates`): at most one such account shares a connection.
    pub unattributed: bool,
    /// One listener is enough for it. On connections of its own it has one; where connections are shared it sits on one of its cell's, and
    /// its place on the others is kept.
    pub single: bool,
    /// Place of its cell among the open ones.
    pub at: Option<usize>,
}

/// Connections and the accounts they all carry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cell {
    /// Places in [`Demand::routes`], one connection each. Where an open cell is to have one listener only, the first one stays.
    pub routes: Vec<usize>,
    /// Places in [`Demand::accounts`], most important first.
    pub accounts: Vec<usize>,
    /// The open cell that it goes on from.
    pub was: Option<usize>,
}

/// Where every account is listened to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Every account that is covered is in one of them.
    pub cells: Vec<Cell>,
    /// Places of the accounts that nothing can carry.
    pub uncovered: Vec<usize>,
    /// Places of those with fewer listeners than wanted.
    pub fewer_listeners: Vec<usize>,
    /// Places of those whose listeners share one public address.
    pub one_address: Vec<usize>,
    /// What the most important of the uncovered, or else of those with fewer listeners, lacks.
    pub bound: Option<Bound>,
    /// What each group of routes gives, in the order of [`Demand::groups`].
    pub taken: Vec<Taken>,
}

/// What a plan takes of one group of routes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// Distinct users.
    pub users: u32,
    /// Connections.
    pub connections: u32,
    /// Subscriptions over all connections.
    pub subscriptions: u32,
    /// Messages in a minute in which everything is subscribed once.
    pub messages: u32,
    /// Info weight a minute; may be more than there is.
    pub info_weight: u32,
}

/// What there is too little of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// No route is given.
    Routes,
    /// Distinct users.
    Users,
    /// Connections.
    Connections,
    /// Subscriptions.
    Subscriptions,
    /// Messages a minute: pings, and every subscription asked for again once.
    Messages,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routes => "routes",
            Self::Users => "users",
            Self::Connections => "connections",
            Self::Subscriptions => "subscriptions",
            Self::Messages => "messages a minute",
        })
    }
}

/// Accounts for which [`more_addresses`] counts.
pub const COUNTED_MAX: usize = 5_000;

/// How the most important accounts are to be carried, by number of accounts.
#[derive(Clone, Copy, Debug)]
struct Shape {
    covered: usize,
    /// Of those, with all listeners.
    full: usize,
    /// Of those, at different addresses.
    apart: usize,
}

/// The best shape there is, and the cells that have it.
struct Found {
    shape: Shape,
    /// What kept it from being better, other than keeping listeners apart.
    bound: Option<Bound>,
    cells: Vec<Cell>,
}

impl Found {
    /// Over these open cells; whom they carry stays.
    fn of(demand: &Demand<'_>, open: &[Cell]) -> Self {
        let attempt = |shape| Attempt::run(demand, open, shape);
        let all = demand.accounts.len();
        // Each takes a place somewhere: no more than there are is tried, however long the list.
        let places = demand.places().min(all);
        let mut bound =
            (places < all).then_some(if demand.routes.is_empty() { Bound::Routes } else { Bound::Users });
        let covered = most(places, |covered| attempt(Shape { covered, full: 0, apart: 0 }), &mut bound);
        let (mut full, mut apart) = (0, 0);
        if demand.listeners > 1 {
            let mut lacks = None;
            full = most(covered, |full| attempt(Shape { covered, full, apart: 0 }), &mut lacks);
            bound = bound.or(lacks);
            apart = most(full, |apart| attempt(Shape { covered, full, apart }), &mut None);
        }
        let shape = Shape { covered, full, apart };
        Self { shape, bound, cells: attempt(shape).unwrap_or_default() }
    }

    /// The other one where it covers more, or as many with more listeners. That it keeps more listeners apart moves nobody.
    fn or_better(self, other: Self) -> Self {
        let serves = |found: &Self| (found.shape.covered, found.shape.full);
        if serves(&other) > serves(&self) { other } else { self }
    }
}

/// Where to listen to every account; `open` are the cells there are (for [`Want::at`] and [`Cell::was`]).
#[must_use]
pub fn plan(demand: &Demand<'_>, open: &[Cell]) -> Plan {
    let all = demand.accounts.len();
    let staying = (!open.is_empty()).then(|| Found::of(demand, open));
    let found = match staying {
        Some(found) if found.bound.is_none() => found,
        Some(found) => found.or_better(Found::of(demand, &[])),
        None => Found::of(demand, &[]),
    };
    let Found { shape: Shape { covered, .. }, bound, cells } = found;
    let group = |route: &usize| demand.group(*route);
    let in_cells = |is: &dyn Fn(&Cell) -> bool| {
        let mut accounts: Vec<usize> =
            cells.iter().filter(|cell| is(cell)).flat_map(|cell| cell.accounts.iter().copied()).collect();
        accounts.sort_unstable();
        accounts
    };
    let mut fewer_listeners = in_cells(&|cell| cell.routes.len() < demand.listeners);
    fewer_listeners.retain(|account| demand.accounts.get(*account).is_some_and(|want| !want.single));
    Plan {
        uncovered: (covered..all).collect(),
        one_address: in_cells(&|cell| {
            cell.routes.len() > 1
                && cell.routes.iter().map(group).all(|one| one == cell.routes.first().and_then(group))
        }),
        bound: bound.filter(|_| covered < all || !fewer_listeners.is_empty()),
        fewer_listeners,
        taken: (0..demand.groups.len()).map(|group| demand.taken(&cells, group)).collect(),
        cells,
    }
}

impl Want {
    /// What it subscribes on so many of its connections at one address.
    fn subscriptions_on(&self, connections: u32) -> u32 {
        self.subscriptions.saturating_mul(if self.single { connections.min(1) } else { connections })
    }
}

impl Demand<'_> {
    /// Accounts that all groups together may follow.
    fn places(&self) -> usize {
        let places = self.groups.iter().fold(0_u64, |sum, limits| sum.saturating_add(limits.users.into()));
        usize::try_from(places).unwrap_or(usize::MAX)
    }

    fn group(&self, route: usize) -> Option<usize> {
        self.routes.get(route).map(|route| route.group)
    }

    fn taken(&self, cells: &[Cell], group: usize) -> Taken {
        let mut taken = Taken::default();
        for cell in cells {
            let here = cell.routes.iter().filter(|route| self.group(**route) == Some(group)).count();
            let here = u32::try_from(here).unwrap_or(u32::MAX);
            let asks = cell.routes.first().and_then(|route| self.group(*route)) == Some(group);
            for want in cell.accounts.iter().filter_map(|account| self.accounts.get(*account)) {
                taken.users += u32::from(here > 0);
                taken.subscriptions += want.subscriptions_on(here);
                taken.info_weight += if asks { want.info_weight } else { 0 };
            }
            taken.connections += here;
        }
        taken.messages = taken.subscriptions + taken.connections * self.pings_per_minute;
        taken
    }
}

/// How many more public addresses with limits `like` these, one route each, would carry everyone with all listeners.
/// `None` where no number would: an account wants more than one address allows. Also for more than [`COUNTED_MAX`] accounts: nobody plans
/// for that many by this number, and it takes long to count.
#[must_use]
pub fn more_addresses(demand: &Demand<'_>, like: VenueLimits) -> Option<usize> {
    if demand.accounts.len() > COUNTED_MAX {
        return None;
    }
    let fits = |more: usize| {
        let first = demand.groups.len();
        let groups: Vec<VenueLimits> =
            demand.groups.iter().copied().chain(std::iter::repeat_n(like, more)).collect();
        let new = (first..first + more).map(|group| Route { group });
        let routes: Vec<Route> = demand.routes.iter().copied().chain(new).collect();
        let shape = Shape { covered: demand.accounts.len(), full: demand.accounts.len(), apart: 0 };
        Attempt::run(&Demand { routes: &routes, groups: &groups, ..*demand }, &[], shape)
    };
    let most_useful = demand.accounts.len();
    // Fewer have too few places.
    let lacking = most_useful.saturating_sub(demand.places());
    let least = lacking.div_ceil(usize::try_from(like.users).unwrap_or(usize::MAX).max(1)).min(most_useful);
    let spare = most_useful - least;
    if fits(least).is_ok() {
        return Some(least);
    }
    fits(most_useful).ok()?;
    // The least that fits: what is left when as many as possible are taken away.
    Some(most_useful - most(spare, |fewer| fits(most_useful - fewer), &mut None))
}

/// The largest number up to `limit` that works; `lacks` says what the next one lacks. Nothing is asked of none at all, and mostly there
/// is room for all. Greedy placing does not promise that fewer work where more do, so it is not searched by halves.
fn most<T>(limit: usize, works: impl Fn(usize) -> Result<T, Bound>, lacks: &mut Option<Bound>) -> usize {
    for asked in (1..=limit).rev() {
        match works(asked) {
            Ok(_) => return asked,
            Err(bound) => *lacks = Some(bound),
        }
    }
    0
}
