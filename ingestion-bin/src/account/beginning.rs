//! A read that has no anchor: where a start in the past, or an account without rows, is read for the first time (S6).
//!
//! Its first row proves nothing about what lies before it: the venue forgets, and what it forgot between the start and
//! that row would be lost unsaid. The row becomes the anchor (*ahead* of `certified`) only when history is known to
//! reach further back, or to begin there, or when the time before it is declared.

use std::time::Instant;

use dedup::{FillKey, Position as _};

use super::feed::{Beginning, Proof, Read};
use super::mark::{Mark, State};
use super::{Machine, Market, Record, Row, Stream};

/// Complete reads that must begin with the same row before what lies before it is declared: one may have a hole there.
const SIGHTINGS: u8 = 2;

impl<P> Machine<P> {
    /// Whether the read's end is to be followed by a question how far back history reaches.
    pub(super) fn must_ask_back(&self, stream: Stream, read: &Read) -> bool {
        read.proof == Proof::Unasked && self.lacks_anchor(stream, read)
    }

    /// S6: whether what lies between the begin of a complete read and its first row is known or declared; only then it
    /// may certify.
    pub(super) fn prove_beginning(&mut self, stream: Stream, read: &Read, now: Instant) -> bool {
        if !self.lacks_anchor(stream, read) {
            return true;
        }
        let Some((key, time)) = read.oldest() else { return true };
        let fresh = Beginning { key, time, seen: 1, seen_at: now };
        let recheck = self.settings.recheck;
        let known = self.feeds[stream].beginning.get_or_insert(fresh);
        if known.key != key {
            *known = fresh;
        } else if now >= known.seen_at + recheck {
            (known.seen, known.seen_at) = (known.seen.saturating_add(1), now);
        }
        let seen = known.seen;
        // Older rows would be visible by now.
        let settled = read.venue_time >= Some(time.saturating_add(self.settings.margin_ms));
        match read.proof {
            Proof::ReachesBack => {}
            Proof::BeginsHere if settled && !self.begins_in_the_middle(stream, read, time) => {}
            Proof::BeginsHere if settled && seen >= SIGHTINGS => self.declare_history(read.start, time),
            Proof::BeginsHere | Proof::Unasked | Proof::Asked | Proof::Silent => {
                self.recheck(stream, now);
                return false;
            }
        }
        self.begin_anew(stream, (key, time));
        true
    }

    /// How each market begins in a read without an anchor.
    pub(super) fn note_firsts(&self, stream: Stream, read: &mut Read, rows: &[Row]) {
        if self.ledger.stream(stream).anchor.is_none() {
            for row in rows.iter().filter(|row| row.strict) {
                if !read.firsts.contains_key(&row.market) {
                    let flat = row.link.is_none_or(|link| link.before.is_flat());
                    read.firsts.insert(row.market.clone(), (row.time, flat));
                }
            }
        }
    }

    /// From now on every answer must hold this row.
    pub(super) fn begin_anew(&mut self, stream: Stream, first: (FillKey, i64)) {
        self.feeds[stream].beginning = None;
        if let Some(to) = self.ledger.stream(stream).certified {
            self.record(Record::Certified { stream, to, anchor: Some(first) });
        }
    }

    fn lacks_anchor(&self, stream: Stream, read: &Read) -> bool {
        let state = self.ledger.stream(stream);
        state.baseline.is_some() && state.anchor.is_none() && !read.rows.is_empty()
    }

    /// Whether something came before the first row although history begins there: rows we know, a position that began
    /// earlier, or so many rows that the venue keeps no more.
    fn begins_in_the_middle(&self, stream: Stream, read: &Read, first: i64) -> bool {
        let known_before = self.marks.iter().any(|(_, time, mark)| {
            mark.stream == stream
                && read.start < time
                && time < first
                && matches!(mark.state, State::Held | State::Out | State::Excluded)
        });
        let held_before = |(market, &(time, flat)): (&Market, &(i64, bool))| {
            let number = self.numbers.get(market);
            let sliced =
                |mark: &Mark, at: i64| mark.stream != stream && at <= time && Some(mark.market) == number;
            stream == Stream::Fills && !flat && !self.marks.iter().any(|(_, at, mark)| sliced(mark, at))
        };
        known_before || read.rows.len() >= self.settings.history_rows || read.firsts.iter().any(held_before)
    }
}
