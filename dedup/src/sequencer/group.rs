//! The held rows of one millisecond, as runs: rows whose order a message told.

use std::collections::{BTreeSet, VecDeque};

use super::{Kind, Row, Slot};
use crate::{Link, Position};

#[derive(Clone, Debug)]
struct Place<K, P, T> {
    row: Row<K, P, T>,
    /// A message put it before a row that is out.
    overtaken: bool,
}

#[derive(Clone, Debug)]
struct Run<K, P, T> {
    lane: u8,
    /// A message put its first row behind one that is out.
    follows: bool,
    rows: VecDeque<Place<K, P, T>>,
}

#[derive(Clone, Debug)]
pub(super) struct Group<K, P, T> {
    pub(super) time: i64,
    /// In the order of arrival, none empty.
    runs: Vec<Run<K, P, T>>,
}

impl<K: Copy + Eq, P: Position, T> Group<K, P, T> {
    pub(super) fn new(time: i64) -> Self {
        Self { time, runs: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row<K, P, T>> {
        self.runs.iter().flat_map(|run| run.rows.iter().map(|place| &place.row))
    }

    pub(super) fn items_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        self.runs
            .iter_mut()
            .flat_map(|run| run.rows.iter_mut().map(|place| (place.row.key, &mut place.row.item)))
    }

    pub(super) fn first_of(&self, index: usize) -> Option<&Row<K, P, T>> {
        self.runs.get(index)?.rows.front().map(|place| &place.row)
    }

    pub(super) fn take(&mut self, index: usize) -> Option<Row<K, P, T>> {
        let run = self.runs.get_mut(index)?;
        let place = run.rows.pop_front()?;
        run.follows |= !place.overtaken;
        if run.rows.is_empty() {
            self.runs.remove(index);
        }
        Some(place.row)
    }

    pub(super) fn remove(&mut self, key: K) -> Option<Row<K, P, T>> {
        let index = self.runs.iter().position(|run| run.rows.iter().any(|place| place.row.key == key))?;
        let run = self.runs.get_mut(index)?;
        let at = run.rows.iter().position(|place| place.row.key == key)?;
        let place = run.rows.remove(at)?;
        if run.rows.is_empty() {
            self.runs.remove(index);
        }
        Some(place.row)
    }

    /// A run with a row that belongs before one that is out: all of it up to that row is late.
    pub(super) fn overtaken(&self) -> Option<usize> {
        self.runs.iter().position(|run| run.rows.iter().any(|place| place.overtaken))
    }

    /// Whether a message told that this run goes on from a row that is out.
    pub(super) fn follows(&self, index: usize) -> bool {
        self.runs.get(index).is_some_and(|run| run.follows)
    }

    pub(super) fn overtake(&mut self, index: usize, rows: usize) {
        if let Some(run) = self.runs.get_mut(index) {
            run.rows.iter_mut().take(rows).for_each(|place| place.overtaken = true);
        }
    }

    /// The links of every run, or nothing if one row has none.
    pub(super) fn links(&self) -> Option<Vec<Vec<Link<P>>>> {
        self.runs.iter().map(|run| run.rows.iter().map(|place| place.row.link).collect()).collect()
    }

    pub(super) fn place(&mut self, lane: u8, message: Vec<Slot<K, P, T>>, kind: Kind) {
        let last_out = message.iter().rposition(|slot| matches!(slot, Slot::Out));
        let follows = matches!(message.first(), Some(Slot::Out));
        let mut order = Vec::with_capacity(message.len());
        let mut fresh = VecDeque::new();
        for (at, slot) in message.into_iter().enumerate() {
            let overtaken = last_out.is_some_and(|out| at < out);
            match slot {
                Slot::New(row) => {
                    order.push((row.key, overtaken));
                    fresh.push_back(Place { row, overtaken });
                }
                Slot::Held(key) => order.push((key, overtaken)),
                Slot::Out => {}
            }
        }
        for place in self.runs.iter_mut().flat_map(|run| run.rows.iter_mut()) {
            place.overtaken |= order.iter().any(|&(key, overtaken)| overtaken && key == place.row.key);
        }
        let joins = |run: &Run<K, P, T>| {
            // A message of one lane may hold rows of the other: then it tells how the two stand to each other.
            (kind != Kind::Live && run.lane == lane)
                || run.rows.iter().any(|place| order.iter().any(|&(key, _)| key == place.row.key))
        };
        if !self.runs.iter().any(joins) {
            if !fresh.is_empty() {
                self.runs.push(Run { lane, follows, rows: fresh });
            }
            return;
        }
        // The runs this message speaks of become one, in the place of the earliest.
        let at = self.runs.iter().position(joins).unwrap_or(0);
        let mut parts = vec![fresh];
        let mut kept = Vec::with_capacity(self.runs.len());
        let follows = follows || self.runs.iter().any(|run| run.follows && joins(run));
        for run in std::mem::take(&mut self.runs) {
            if joins(&run) { parts.push(run.rows) } else { kept.push(run) }
        }
        let keys: Vec<K> = order.iter().map(|&(key, _)| key).collect();
        let rows = weave(parts, &keys, kind);
        if !rows.is_empty() {
            kept.insert(at.min(kept.len()), Run { lane, follows, rows });
        }
        self.runs = kept;
    }
}

/// Joins rows that stand in several orders into one that keeps them all: that of each part, that of the message, and
/// what its kind says of rows it does not hold. Orders that contradict each other: the message's is left out.
fn weave<K: Copy + Eq, P, T>(
    parts: Vec<VecDeque<Place<K, P, T>>>,
    message: &[K],
    kind: Kind,
) -> VecDeque<Place<K, P, T>> {
    let mut edges: Vec<(usize, usize)> = Vec::new();
    let mut places: Vec<Option<Place<K, P, T>>> = Vec::new();
    // Part 0 holds the message's new rows; on a tie held rows go first.
    let mut parts = parts;
    parts.rotate_left(1);
    for part in parts {
        let first = places.len();
        edges.extend((first + 1..first + part.len()).map(|at| (at - 1, at)));
        places.extend(part.into_iter().map(Some));
    }
    let index_of = |key: K| places.iter().position(|place| place.as_ref().is_some_and(|p| p.row.key == key));
    let told: Vec<usize> = message.iter().filter_map(|&key| index_of(key)).collect();
    let mut with_message = edges.clone();
    with_message.extend(told.iter().zip(told.iter().skip(1)).map(|(&one, &next)| (one, next)));
    let others = || (0..places.len()).filter(|at| !told.contains(at));
    match (kind, told.first(), told.last()) {
        (Kind::Page, _, Some(&last)) => with_message.extend(others().map(|other| (last, other))),
        (Kind::Snapshot, Some(&first), _) => with_message.extend(others().map(|other| (other, first))),
        _ => {}
    }
    let told_only: Vec<_> = edges
        .iter()
        .copied()
        .chain(told.iter().zip(told.iter().skip(1)).map(|(&one, &next)| (one, next)))
        .collect();
    let order = sorted(places.len(), &with_message)
        .or_else(|| sorted(places.len(), &told_only))
        .or_else(|| sorted(places.len(), &edges))
        .unwrap_or_default();
    order.into_iter().filter_map(|at| places.get_mut(at).and_then(Option::take)).collect()
}

/// The numbers below `count` in an order that keeps every edge, smallest first where free; nothing for a circle.
fn sorted(count: usize, edges: &[(usize, usize)]) -> Option<Vec<usize>> {
    let mut waits = vec![0_usize; count];
    let mut follows = vec![Vec::new(); count];
    for &(one, next) in edges {
        *waits.get_mut(next)? += 1;
        follows.get_mut(one)?.push(next);
    }
    let mut free: BTreeSet<usize> =
        waits.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(at, _)| at).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(at) = free.pop_first() {
        order.push(at);
        for &next in follows.get(at)? {
            let left = waits.get_mut(next)?;
            *left -= 1;
            if *left == 0 {
                free.insert(next);
            }
        }
    }
    (order.len() == count).then_some(order)
}
