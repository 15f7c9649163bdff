//! What a reading of a Redis makes of the list that is live. Plain state, no I/O, no clock.
//!
//! - A list that is suddenly gone, empty or without one right entry is not taken (the mass-delete guard); [`Reading::is_confirmed`] lifts
//!   it for emptiness, unless entries were seen under that very version.
//! - A list of a lower version than the one that is live is not taken: its Redis forgot changes (a failover, FLUSHALL), or another master
//!   answered. The highest version seen wins whoever answers, so nothing flaps. The same list under a lower version is no trouble.
//! - While a Redis is out of reach, everything stays.
//!
//! The list that is live at the beginning comes with its version, so a start takes nothing back either.

use super::reading::Reading;
use crate::{
    InfluencerSet, ListProblem, Refusal, Rule,
    guard::{self, NotTaken, Taken},
};

pub(super) struct Judge {
    place: String,
    rule: Rule,
    pub(super) live: InfluencerSet,
    pub(super) refused: Vec<Refusal>,
    pub(super) problem: Option<ListProblem>,
    /// The version of the list that is live.
    pub(super) highest: u64,
    /// The last version under which there were entries.
    filled: Option<u64>,
    /// The digest of the reading that was taken last, while nothing else was read.
    taken: Option<u64>,
}

impl Judge {
    pub(super) fn new(place: String, rule: Rule, live: InfluencerSet, version: u64) -> Self {
        Self {
            place,
            rule,
            live,
            refused: Vec::new(),
            problem: None,
            highest: version,
            filled: None,
            taken: None,
        }
    }

    /// Whether anything to be seen became different.
    #[must_use]
    pub(super) fn read(&mut self, reading: &Reading) -> bool {
        let digest = reading.digest();
        if self.taken == Some(digest) {
            return self.problem.take().is_some();
        }
        match self.judge(reading) {
            Ok((live, refused)) => {
                let same = self.live == live && self.refused == refused && self.problem.is_none();
                self.highest = self.highest.max(reading.version());
                self.taken = Some(digest);
                (self.live, self.refused, self.problem) = (live, refused, None);
                !same
            }
            Err((problem, refused)) => {
                let same = self.refused == refused && self.problem.as_ref() == Some(&problem);
                self.taken = None;
                (self.refused, self.problem) = (refused, Some(problem));
                !same
            }
        }
    }

    /// The Redis is out of reach. Whether that is news.
    #[must_use]
    pub(super) fn lost(&mut self, why: String) -> bool {
        let problem = Some(ListProblem::Unreachable { place: self.place.clone(), why });
        let news = self.problem != problem;
        self.problem = problem;
        news
    }

    fn judge(&mut self, reading: &Reading) -> Result<Taken, NotTaken> {
        let (version, parsed) = (reading.version(), reading.parsed());
        let entries = parsed.iter().map(|(key, entry)| (*key, entry));
        let judged = InfluencerSet::lenient_keyed(entries, &self.live, self.rule);
        if !parsed.is_empty() {
            self.filled = Some(version);
        }
        let confirmed = reading.is_confirmed() && self.filled != Some(version);
        let place = || self.place.clone();
        let (set, refused) = guard::guard(judged, parsed.len(), confirmed, &self.live, place)?;
        if version < self.highest && set != self.live {
            let (place, highest, live) = (place(), self.highest, self.live.len());
            return Err((ListProblem::WentBack { place, version, highest, live }, refused));
        }
        Ok((set, refused))
    }
}

#[cfg(test)]
mod tests;
