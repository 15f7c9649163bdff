//! What is shed (D), as the records alone tell it: how far it reaches and how much it is.

use super::super::gap::{Gap, GapKind, GapState};
use super::super::record::Event;
use super::super::row::{Fate, Position};
use super::Ledger;

impl Ledger {
    /// The gap of what is being shed.
    pub(in crate::account) fn shed_gap(&self) -> Option<&Gap> {
        self.gaps.iter().find(|gap| is_open(gap))
    }

    /// An event went out. What takes the place of another is none of its own.
    pub(super) fn fill_shed<P>(&mut self, event: &Event<P>) {
        let counts = event.fate == Fate::Shed && event.revision == 0 && event.supersedes.is_none();
        if let Some(gap) = self.gaps.iter_mut().find(|gap| counts && is_open(gap)) {
            gap.to = gap.to.max(event.time);
            gap.filled = gap.filled.plus(Position(1.into()));
        }
    }
}

fn is_open(gap: &Gap) -> bool {
    gap.id.kind == GapKind::Shed && gap.state == GapState::Opened
}
