//! A row far ahead of the venue's clock: most likely its time came through wrong (H4).
//!
//! Gone out at once it would be its market's head, and every true row late until the venue's clock reaches it. So it waits
//! in its place, behind all that is older, until a second witness knows it.

use std::time::Instant;

use dedup::FillKey;

use super::mark::State;
use super::{Held, Machine, Market, Row};

/// A held row that only one listener vouches for.
#[derive(Debug)]
pub(super) struct Ahead {
    key: FillKey,
    market: Market,
    time: i64,
    until: Instant,
}

impl<P> Machine<P> {
    /// Whether a venue time is so far ahead of the venue's clock that something is wrong. A clock that stands still, for
    /// nobody shows it, tells nothing.
    pub(super) fn is_ahead(&self, time: i64, now: Instant) -> bool {
        let moves = self.venue_time_at.is_some_and(|at| now <= at + self.settings.clock_fresh);
        moves && self.horizon().is_some_and(|horizon| time > horizon)
    }

    /// The newest venue time that is not ahead of the venue's clock.
    pub(super) fn horizon(&self) -> Option<i64> {
        self.venue_time.map(|clock| clock.saturating_add(self.settings.ahead_ms))
    }

    /// The times of those rows that are not ahead.
    pub(super) fn believable<'a>(&'a self, rows: &'a [Row], now: Instant) -> impl Iterator<Item = i64> + 'a {
        rows.iter().map(|row| row.time).filter(move |&time| !self.is_ahead(time, now))
    }

    /// A row of a listener is held that is ahead: history is asked for it.
    pub(super) fn await_witness(&mut self, row: &Row, now: Instant) {
        self.counts.ahead += 1;
        let (market, until) = (row.market.clone(), now + self.settings.twin_hold);
        self.ahead.push(Ahead { key: row.key, market, time: row.time, until });
    }

    /// Whether a held row has no second witness yet: another listener, history, or the venue's clock.
    pub(super) fn lacks_witness(&self, row: &Held<P>) -> bool {
        !self.ahead.is_empty()
            && self.ahead.iter().any(|ahead| ahead.key == row.key)
            && !self.is_witnessed(row.key, row.time)
    }

    fn is_witnessed(&self, key: FillKey, time: i64) -> bool {
        self.venue_time >= Some(time)
            || self.marks.get(key).is_none_or(|mark| {
                mark.state != State::Held || mark.is_in_history() || mark.is_shown_by_several()
            })
    }

    /// What nobody else knows in time is refused; seen in history later it is an event (H3).
    pub(super) fn refuse_unwitnessed(&mut self, now: Instant) {
        for ahead in std::mem::take(&mut self.ahead) {
            if self.is_witnessed(ahead.key, ahead.time) {
                continue;
            }
            if now < ahead.until {
                self.ahead.push(ahead);
                continue;
            }
            let row = self.held.get_mut(&ahead.market).and_then(|rows| rows.remove(ahead.key));
            if let Some(row) = row {
                self.refuse_twin(row);
            }
        }
    }

    pub(super) fn unwitnessed_deadline(&self) -> Option<Instant> {
        self.ahead.iter().map(|ahead| ahead.until).min()
    }
}
