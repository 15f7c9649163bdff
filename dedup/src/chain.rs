//! The durable half of one market: where its chain of positions stands, and the running number of what went out.
//!
//! Changed only by what was released, so whoever folds the released rows again arrives at an equal chain.

/// A position in the unit the caller chose, already rounded the way it compares positions.
pub trait Position: Copy + PartialEq {
    /// Whether nothing is held: a chain may begin there without anything before it.
    fn is_flat(self) -> bool;
}

impl Position for i64 {
    fn is_flat(self) -> bool {
        self == 0
    }
}

/// What one row does to the position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Link<P> {
    /// Position before the row.
    pub before: P,
    /// Position after it.
    pub after: P,
}

/// The newest released row of a market, and the way through its millisecond.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Head<P> {
    /// Venue time in milliseconds.
    pub time: i64,
    /// Position after it; absent where rows carry none.
    pub position: Option<P>,
    /// Positions passed inside this millisecond, first to last; at most [`WALK_MAX`].
    pub walked: Vec<P>,
}

/// More positions of one millisecond than this are not remembered: the largest order seen made 421 fills in one.
pub const WALK_MAX: usize = 4_096;

/// One market's chain: head and running number.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chain<P> {
    head: Option<Head<P>>,
    seq: u64,
}

impl<P> Default for Chain<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Chain<P> {
    /// A market nothing is known of.
    #[must_use]
    pub const fn new() -> Self {
        Self { head: None, seq: 0 }
    }
}

impl<P: Position> Chain<P> {
    /// Where the chain stands; nothing before the market's first row.
    #[must_use]
    pub fn head(&self) -> Option<&Head<P>> {
        self.head.as_ref()
    }

    /// The number last given out in this epoch; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The next number: 1, 2, 3, … without holes.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.seq + 1
    }

    /// A row went out in its order (not late): the head moves to it.
    pub fn advance(&mut self, time: i64, link: Option<Link<P>>) {
        let mut walked = match self.head.take() {
            Some(head) if head.time == time => head.walked,
            _ => Vec::new(),
        };
        if let Some(link) = link {
            for position in [link.before, link.after] {
                if walked.last() != Some(&position) && walked.len() < WALK_MAX {
                    walked.push(position);
                }
            }
        }
        self.head = Some(Head { time, position: link.map(|link| link.after), walked });
    }

    /// A numbered row went out: `seq` is its number.
    pub fn count(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// A new epoch: numbers begin at 1 again, the head stays.
    pub fn restart(&mut self) {
        self.seq = 0;
    }
}
