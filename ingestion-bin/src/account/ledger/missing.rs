//! How many events may be missing, as the gaps kept say it. Derived from the records alone.

use dedup::FillKey;

use super::super::gap::{Gap, GapKind, GapState};
use super::Ledger;

impl Ledger {
    /// Events that may be missing, at least: one for every gap that is not repaired and reaches to `since` (venue ms) or
    /// later. Of what was shed they are counted. A conflict has as many as it has rows whose truth nobody was told: a row that was refused made no signal, and
    /// one that was replaced is corrected.
    #[must_use]
    pub fn missing(&self, since: i64) -> u64 {
        self.gaps.iter().filter(|gap| gap.to >= since).map(|gap| self.lacks(gap)).sum()
    }

    fn lacks(&self, gap: &Gap) -> u64 {
        let untold = gap.keys.iter().filter(|key| !self.settled.contains(key)).count() as u64;
        match (gap.id.kind, gap.state) {
            (_, GapState::Repaired) => 0,
            (GapKind::Conflict, GapState::Unfillable) => untold,
            (GapKind::Conflict, GapState::Opened) => untold.max(1),
            (GapKind::Shed, _) => u64::try_from(gap.filled.0).unwrap_or(0),
            (GapKind::Chain | GapKind::Outage | GapKind::Silent | GapKind::History, _) => 1,
        }
    }

    /// A row in conflict is told as it should be.
    pub(super) fn settle(&mut self, key: FillKey) {
        if !self.settled.contains(&key) {
            self.settled.push(key);
        }
    }

    /// Keys that no gap names any more: as many are kept as the gaps have.
    pub(super) fn forget_settled(&mut self) {
        let gaps = &self.gaps;
        self.settled.retain(|key| gaps.iter().any(|gap| gap.keys.contains(key)));
    }
}
