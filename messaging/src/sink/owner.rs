//! Whoever has to know what a sink meets on its way through the journal, and at its target.

use super::Rejected;
use crate::journal::{Damage, PassedOver};

/// Positions a sink will never get.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hole {
    /// They cannot be read.
    Damage(Damage),
    /// They were deleted before this sink had them.
    Gone {
        /// The first one.
        from: u64,
        /// The one behind the last.
        to: u64,
    },
}

impl Hole {
    /// First position, and the one behind the last.
    #[must_use]
    pub fn span(&self) -> (u64, u64) {
        match self {
            Self::Damage(damage) => (damage.from, damage.to),
            Self::Gone { from, to } => (*from, *to),
        }
    }

    /// The part at or past `position`; `None` when there is none.
    pub(super) fn from(self, position: u64) -> Option<Self> {
        let (from, to) = self.span();
        let from = from.max(position);
        (from < to).then_some(match self {
            Self::Damage(damage) => Self::Damage(Damage { from, ..damage }),
            Self::Gone { .. } => Self::Gone { from, to },
        })
    }
}

/// What an owner says about a hole, or about a record that the target refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is declared to whoever must know, or kept: go on behind it.
    Pass,
    /// Not yet: ask again.
    Wait,
}

/// Who is told what a sink meets. Called on the sink's thread: be quick.
pub trait Owner: Send {
    /// The sink will never get these positions. Everything before them is delivered. Asked again after a pause while the
    /// answer is [`Verdict::Wait`], and again after a restart that finds the stored cursor still in front of the hole.
    fn on_hole(&mut self, hole: &Hole) -> Verdict;

    /// The target refused this record for good. Passed when it is kept where somebody finds it; until then it is offered again.
    fn on_rejected(&mut self, rejected: &Rejected) -> Verdict {
        let _ = rejected;
        Verdict::Wait
    }

    /// A header or checkpoint on the sink's way is damaged; it loses nothing by that.
    fn on_passed_over(&mut self, damaged: &PassedOver) {
        let _ = damaged;
    }

    /// Everything before `position` is delivered.
    fn on_delivered(&mut self, position: u64) {
        let _ = position;
    }
}

/// Passes every hole; the status counts it.
impl Owner for () {
    fn on_hole(&mut self, _: &Hole) -> Verdict {
        Verdict::Pass
    }
}
