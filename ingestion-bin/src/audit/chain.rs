//! One market's positions in a row.

use rust_decimal::Decimal;

/// The position that the last event left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain {
    left: Option<Decimal>,
}

/// How an event follows the one before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    /// There was none before.
    First,
    /// It starts where the other ended.
    Linked,
    /// It does not.
    Broken {
        /// Where the other ended.
        expected: Decimal,
    },
}

impl Chain {
    /// Takes the next event, from `before` to `after`.
    pub fn follow(&mut self, before: Decimal, after: Decimal) -> Link {
        match self.left.replace(after) {
            None => Link::First,
            Some(expected) if expected == before => Link::Linked,
            Some(expected) => Link::Broken { expected },
        }
    }
}
