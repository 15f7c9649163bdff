//! What a status page says of one account. Plain numbers; rendering is elsewhere.

use super::{Machine, Stream};

/// How often things happened since this machine was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Copies of known rows that listeners delivered.
    pub duplicates: u64,
    /// Known keys with other content.
    pub mismatches: u64,
    /// Corrections of a signal by history.
    pub corrections: u64,
    /// Rows held because another id has the same content.
    pub twins: u64,
    /// Late signals.
    pub late: u64,
    /// Listeners that were to be recycled.
    pub recycles: u64,
    /// Reads of history begun.
    pub reads: u64,
    /// Pages asked for; what the venue's weight is spent on.
    pub questions: u64,
    /// Reads begun because a row waited for the one before it (H1).
    pub hold_reads: u64,
    /// Times another witness was wanted 30 s later: a gap, a key in doubt, or the second look at a quiet end (C1).
    pub rechecks: u64,
    /// Questions to history that failed or were not answered.
    pub failed_pages: u64,
    /// Answers that did not hold their anchor.
    pub anchors_missed: u64,
    /// Snapshots that showed nothing known although another listener was live (R2).
    pub doubted: u64,
    /// Outage gaps opened or extended.
    pub outages: u64,
    /// Declared `history` gaps.
    pub history_gaps: u64,
    /// Waits for history that ended without it.
    pub gates_expired: u64,
    /// Rows older than anything that is still told apart, dropped as known.
    pub below_floor: u64,
    /// Those of them that came in live frames: no snapshot and no page, which show old rows rightly.
    pub passed_over: u64,
    /// Times a row showed that `certified` had passed it (C5).
    pub overruns: u64,
    /// Rows far ahead of the venue's clock (H4).
    pub ahead: u64,
    /// Frames refused for want of room.
    pub refused_frames: u64,
    /// Rows of history that found no room.
    pub refused_rows: u64,
    /// Events that made no signal because a sink was behind (D).
    pub shed: u64,
}

/// How well an account is listened to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coverage {
    /// Two listeners or more are live on every stream.
    Full,
    /// One is.
    Single,
    /// None is.
    Blind,
}

/// One account's status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    /// How well it is listened to.
    pub coverage: Coverage,
    /// Whether every stream followed has its baseline.
    pub based: bool,
    /// Rows that wait.
    pub held: usize,
    /// Keys kept.
    pub keys: usize,
    /// Gaps still being asked for.
    pub open_gaps: usize,
    /// Gaps history cannot end.
    pub unfillable_gaps: usize,
    /// Everything at or before this venue time is published or declared.
    pub certified: Option<i64>,
    /// Whether history is being read.
    pub reading: bool,
    /// Whether live rows wait for history.
    pub waiting: bool,
    /// Venue time of the newest event.
    pub newest: Option<i64>,
    /// The current epoch.
    pub epoch: u64,
    /// Counters.
    pub counts: Counts,
}

impl<P> Machine<P> {
    /// How often things happened since this machine was made.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How well the account is listened to.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let live = |stream: Stream| self.listeners.iter().filter(|l| l.live_from[stream].is_some()).count();
        match self.ledger.streams().map(live).min() {
            Some(0) | None => Coverage::Blind,
            Some(1) => Coverage::Single,
            Some(_) => Coverage::Full,
        }
    }

    /// The account's status; costs a pass over its gaps.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let gaps = self.ledger.gaps();
        let open = gaps.iter().filter(|gap| gap.is_asked_for()).count();
        Summary {
            coverage: self.coverage(),
            based: self.ledger.certified().is_some(),
            held: self.held_rows(),
            keys: self.marks.len(),
            open_gaps: open,
            unfillable_gaps: gaps.len() - open,
            certified: self.ledger.certified(),
            reading: self.feeds.iter().any(|feed| feed.read.is_some()),
            waiting: self.feeds.iter().any(|feed| feed.gate.is_some()),
            newest: self.ledger.streams().filter_map(|stream| self.ledger.stream(stream).newest).max(),
            epoch: self.ledger.epoch(),
            counts: self.counts,
        }
    }
}
