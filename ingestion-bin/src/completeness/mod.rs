//! Completeness as a number: events published of the events in the venue's history, for one account or for all.
//!
//! What history holds is what was published and what the gaps say is missing: at least one event for each that is not repaired
//! (`Ledger::missing`). So a share is below 1 exactly while a gap is open or unfillable; a repaired one does not count, nor a
//! conflict that was corrected. Every row that is taken and is no baseline is an event, whether it makes a signal or not; a
//! correction is none of its own.
//!
//! Pure: venue time is an argument, no clock is read.

mod tally;
#[cfg(test)]
mod tests;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

pub use tally::{Tally, hour_began};

/// Events published and events missing, of the same span.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Share {
    /// Published.
    pub published: u64,
    /// May be missing, at least.
    pub missing: u64,
}

impl Share {
    /// What the venue's history holds, at least.
    #[must_use]
    pub const fn in_history(&self) -> u64 {
        self.published.saturating_add(self.missing)
    }

    /// 0 to 1; 1 only when nothing is missing.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.percent() / 100.0
    }

    /// 0 to 100 in steps of 0.0001, never rounded up: 100 only when nothing is missing.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.missing == 0 {
            return 100.0;
        }
        let steps = u128::from(self.published) * 1_000_000 / u128::from(self.in_history());
        #[expect(clippy::cast_precision_loss, reason = "at most a million")]
        let steps = steps as f64;
        steps / 10_000.0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            published: self.published.saturating_add(other.published),
            missing: self.missing.saturating_add(other.missing),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut share = serializer.serialize_struct("Share", 4)?;
        share.serialize_field("published", &self.published)?;
        share.serialize_field("missing", &self.missing)?;
        share.serialize_field("inHistory", &self.in_history())?;
        share.serialize_field("percent", &self.percent())?;
        share.end()
    }
}

/// The two spans and how far they can be relied on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Complete {
    /// Since the process started, or since the account was added to it; what is missing from earlier runs counts too.
    pub since_start: Share,
    /// Of the last hour on the venue's clock, in whole minutes.
    pub last_hour: Share,
    /// Everything up to this venue time is published or declared, ms; of several accounts the smallest, and none as long as one
    /// has none.
    pub certified_to: Option<i64>,
    /// How far that is behind the venue's clock, ms.
    pub behind_ms: Option<i64>,
}

impl Complete {
    /// All accounts together; of nobody nothing is missing.
    #[must_use]
    pub fn total(accounts: impl IntoIterator<Item = Self>) -> Self {
        let both = |sum: Self, one: Self| Self {
            since_start: sum.since_start.and(one.since_start),
            last_hour: sum.last_hour.and(one.last_hour),
            // `None` is less than every time.
            certified_to: sum.certified_to.min(one.certified_to),
            behind_ms: sum.behind_ms.zip(one.behind_ms).map(|(a, b)| a.max(b)),
        };
        accounts.into_iter().reduce(both).unwrap_or_default()
    }
}
