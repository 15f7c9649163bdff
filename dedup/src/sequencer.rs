//! The volatile half of one market: rows that are not out yet, and which of them may go next.
//!
//! Keeps the order rules of one account and market, and nothing else:
//! - time first: only rows of the earliest held millisecond are offered;
//! - inside a millisecond, rows keep the order of the message that brought them, messages that share a row keep both
//!   orders, a page of history is a prefix of its millisecond and a snapshot a suffix;
//! - between rows of different messages (and of different lanes) the chain of positions decides;
//! - a row older than the head, put by a message before a row that is out, or closing a loop at a position already
//!   walked, is late.
//!
//! Pure: no clock (how long an unlinked row may wait is the caller's rule), no bound of its own (the caller counts
//! [`Sequencer::len`]). Times are venue milliseconds.

use std::collections::VecDeque;

use crate::merge;
use crate::{Chain, Link, Position};

mod group;
use group::Group;

/// A row that waits.
#[derive(Clone, Debug)]
pub struct Row<K, P, T> {
    /// What tells it from every other.
    pub key: K,
    /// The stream it came on; messages of different lanes never order each other.
    pub lane: u8,
    /// Venue time in milliseconds.
    pub time: i64,
    /// What it does to the position, where the source says so.
    pub link: Option<Link<P>>,
    /// The caller's.
    pub item: T,
}

/// One row of a message, as the caller knows it.
#[derive(Clone, Debug)]
pub enum Slot<K, P, T> {
    /// Never seen: will be held.
    New(Row<K, P, T>),
    /// Held already.
    Held(K),
    /// Out already.
    Out,
}

/// What kind of message brought the rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A live frame: says nothing about rows it does not hold.
    Live,
    /// The venue's newest rows: what it does not hold of this millisecond came before.
    Snapshot,
    /// A page of history: what it does not hold of this millisecond comes after.
    Page,
}

/// What may happen next in this market.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next<P> {
    /// Nothing is held.
    Empty,
    /// The first row of this run goes out; late means the head does not move.
    Release {
        /// For [`Sequencer::take`].
        index: usize,
        /// Newer rows of this market went out before.
        late: bool,
    },
    /// The earliest row does not continue the chain: the caller waits, or declares a break and takes it.
    Unlinked(Unlinked<P>),
}

/// An earliest row that does not link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unlinked<P> {
    /// For [`Sequencer::take`].
    pub index: usize,
    /// Where the chain stands; nothing for a market without a head.
    pub expected: Option<P>,
    /// Where the row begins.
    pub found: P,
    /// The head is of the same millisecond: the row may just as well have happened before it.
    pub same_ms: bool,
}

/// The held rows of one market.
#[derive(Clone, Debug)]
pub struct Sequencer<K, P, T> {
    /// By time, none empty.
    groups: VecDeque<Group<K, P, T>>,
    len: usize,
}

impl<K, P, T> Default for Sequencer<K, P, T> {
    fn default() -> Self {
        Self { groups: VecDeque::new(), len: 0 }
    }
}

impl<K: Copy + Eq, P: Position, T> Sequencer<K, P, T> {
    /// Nothing held.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of held rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes in the rows that one message holds of one millisecond and lane, in the message's order: new ones are
    /// held, known ones only say how rows stand to each other.
    pub fn place(&mut self, time: i64, lane: u8, message: Vec<Slot<K, P, T>>, kind: Kind) {
        let fresh = message.iter().filter(|slot| matches!(slot, Slot::New(_))).count();
        let at = self.groups.partition_point(|group| group.time < time);
        let exists = self.groups.get(at).is_some_and(|group| group.time == time);
        if !exists {
            if fresh == 0 {
                return;
            }
            self.groups.insert(at, Group::new(time));
        }
        if let Some(group) = self.groups.get_mut(at) {
            group.place(lane, message, kind);
            self.len += fresh;
        }
    }

    /// What may go out next. `strict` says that this market's positions form a chain; where they do not, or a row of
    /// the millisecond has no link, time and message order alone decide.
    #[must_use]
    pub fn next(&mut self, chain: &Chain<P>, strict: bool) -> Next<P> {
        let Some(group) = self.groups.front_mut() else { return Next::Empty };
        let head = chain.head();
        let same_ms = head.is_some_and(|head| head.time == group.time);
        if head.is_some_and(|head| group.time < head.time) {
            return Next::Release { index: 0, late: true };
        }
        if same_ms && let Some(index) = group.overtaken() {
            return Next::Release { index, late: true };
        }
        let Some(links) = group.links().filter(|_| strict) else {
            return Next::Release { index: 0, late: false };
        };
        let Some(position) = head.and_then(|head| head.position) else {
            let index = merge::beginning(&links);
            return match links.get(index).and_then(|run| run.first()) {
                Some(link) if head.is_none() && !link.before.is_flat() => {
                    Next::Unlinked(Unlinked { index, expected: None, found: link.before, same_ms: false })
                }
                _ => Next::Release { index, late: false },
            };
        };
        if let Some((index, _)) = merge::longest(&links, position) {
            return Next::Release { index, late: false };
        }
        if same_ms && let Some(head) = head {
            for (index, run) in links.iter().enumerate() {
                if let Some(rows) = closed_loop(run, &head.walked) {
                    group.overtake(index, rows);
                    return Next::Release { index, late: true };
                }
            }
        }
        let index = merge::beginning(&links);
        match links.get(index).and_then(|run| run.first()) {
            Some(link) => {
                Next::Unlinked(Unlinked { index, expected: Some(position), found: link.before, same_ms })
            }
            None => Next::Empty,
        }
    }

    /// The row [`Next`] speaks of, without taking it.
    #[must_use]
    pub fn peek(&self, index: usize) -> Option<&Row<K, P, T>> {
        self.groups.front()?.first_of(index)
    }

    /// Declares late the rows at the beginning of the run [`Next`] speaks of that lead from one position to another,
    /// one linking to the next; false, and nothing done, where they do not, or where a message put them behind a row
    /// that is out.
    pub fn overtake(&mut self, index: usize, from: P, to: P) -> bool {
        let Some(group) = self.groups.front_mut() else { return false };
        if group.follows(index) {
            return false;
        }
        let Some(rows) = group.links().and_then(|links| leads(links.get(index)?, from, to)) else {
            return false;
        };
        group.overtake(index, rows);
        true
    }

    /// Takes the row [`Next`] speaks of.
    pub fn take(&mut self, index: usize) -> Option<Row<K, P, T>> {
        let group = self.groups.front_mut()?;
        let row = group.take(index)?;
        self.len -= 1;
        if group.is_empty() {
            self.groups.pop_front();
        }
        Some(row)
    }

    /// All held rows, earliest millisecond first.
    pub fn rows(&self) -> impl Iterator<Item = &Row<K, P, T>> {
        self.groups.iter().flat_map(Group::rows)
    }

    /// The same, the caller's part to be changed.
    pub fn items_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        self.groups.iter_mut().flat_map(Group::items_mut)
    }

    /// Takes one held row out of the order, wherever it stands.
    pub fn remove(&mut self, key: K) -> Option<Row<K, P, T>> {
        let at = self.groups.iter().position(|group| group.rows().any(|row| row.key == key))?;
        let group = self.groups.get_mut(at)?;
        let row = group.remove(key)?;
        self.len -= 1;
        if group.is_empty() {
            self.groups.remove(at);
        }
        Some(row)
    }
}

/// How many rows at the run's beginning return to the position they start from, if that was passed on the way.
fn closed_loop<P: Position>(run: &[Link<P>], walked: &[P]) -> Option<usize> {
    let start = run.first()?.before;
    if !walked.contains(&start) {
        return None;
    }
    leads(run, start, start)
}

/// How many rows at the run's beginning lead from one position to another.
fn leads<P: Position>(run: &[Link<P>], from: P, to: P) -> Option<usize> {
    run.first().filter(|link| link.before == from)?;
    let linked = run.get(..merge::linked(run))?;
    linked.iter().position(|link| link.after == to).map(|at| at + 1)
}

#[cfg(test)]
mod tests;
