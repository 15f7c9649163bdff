//! What consumers are told about what may be missing.

use dedup::FillKey;
use serde::{Deserialize, Serialize};

use super::row::{Market, Position};

/// Why something may be missing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum GapKind {
    /// A market's positions do not link.
    Chain,
    /// Nobody listened, or frames were refused.
    Outage,
    /// Two sources contradict each other.
    Conflict,
    /// The venue's history does not reach or cannot be read there.
    History,
    /// The venue's account state says so, and nothing else did.
    Silent,
    /// A sink was too far behind: events made no signals.
    Shed,
}

/// Whether it is still believed to be missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum GapState {
    /// History is being asked; of a `shed` one, it goes on.
    Opened,
    /// Nothing is missing any more.
    Repaired,
    /// History cannot tell.
    Unfillable,
}

/// What the published `gapId` is made of (with the influencer).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct GapId {
    /// Kind.
    pub kind: GapKind,
    /// The market, where it is one.
    pub market: Option<Market>,
    /// Venue time of the last thing known before it, milliseconds.
    pub from: i64,
    /// Where the chain stood.
    pub expected: Option<Position>,
}

/// One gap as its newest record says it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Identity; the same in every record of this gap.
    pub id: GapId,
    /// Venue time of the first thing known after it, milliseconds.
    pub to: i64,
    /// Where the row after it began.
    pub found: Option<Position>,
    /// Sum of the signed sizes found inside since; of a `shed` gap how many events made no signal.
    pub filled: Position,
    /// State.
    pub state: GapState,
    /// Keys in conflict that are not settled by history yet; not compared with history any more when `Unfillable`.
    pub keys: Vec<FillKey>,
}

impl Gap {
    /// Whether the sizes found inside close the chain.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.lacking().is_some_and(|size| size == Position::default())
    }

    /// The signed size that is not found yet; nothing where there is no chain.
    #[must_use]
    pub fn lacking(&self) -> Option<Position> {
        Some(self.found?.minus(self.id.expected?.plus(self.filled)))
    }

    /// Whether history may end it.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.state == GapState::Opened && self.id.kind != GapKind::Shed
    }

    /// Whether a venue time lies inside, ends included.
    #[must_use]
    pub fn covers(&self, time: i64) -> bool {
        self.id.from <= time && time <= self.to
    }
}
