//! When history is asked, and from where (S). One page in flight per stream; what an answer means is in `page.rs`.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::feed::{Asked, Proof, Read};
use super::{Gap, Machine, Output, Shedding, Stream};

impl<P> Machine<P> {
    /// The question `id` was not answered (an error, a time-out, 429): it is asked again, later each time.
    pub fn handle_page_failed(&mut self, id: u64, now: Instant) {
        if let Some(stream) = self.answered(id) {
            self.fail(stream, now);
        }
        self.settle(now);
    }

    /// The question `id` was not sent (no weight to spend): it is asked again at `until`.
    pub fn handle_page_deferred(&mut self, id: u64, until: Instant, now: Instant) {
        if let Some(stream) = self.answered(id) {
            self.feeds[stream].not_before = Some(until);
        }
        self.settle(now);
    }

    /// The stream whose question this is; nothing when it was given up (its answer proves nothing any more).
    pub(super) fn answered(&mut self, id: u64) -> Option<Stream> {
        let stream =
            Stream::ALL.into_iter().find(|&s| self.feeds[s].asked.is_some_and(|asked| asked.id == id))?;
        self.feeds[stream].asked = None;
        Some(stream)
    }

    fn fail(&mut self, stream: Stream, now: Instant) {
        self.counts.failed_pages += 1;
        let feed = &mut self.feeds[stream];
        feed.not_before = Some(now + self.settings.retry.wait(feed.failures));
        feed.failures = feed.failures.saturating_add(1);
    }

    /// Asks whatever is due.
    pub(super) fn drive_reads(&mut self, now: Instant) {
        for stream in self.ledger.streams() {
            if let Some(asked) = self.feeds[stream].asked {
                if now < asked.at + self.settings.ask_timeout {
                    continue;
                }
                self.feeds[stream].asked = None;
                self.fail(stream, now);
            }
            if self.next_read(stream).is_none_or(|at| now < at) {
                continue;
            }
            if self.feeds[stream].read.is_none() {
                self.begin_read(stream, now);
            }
            self.ask(stream, now);
        }
    }

    /// When this stream's next question is due, or its open one is given up; nothing while there is nothing to read.
    pub(super) fn next_read(&self, stream: Stream) -> Option<Instant> {
        let feed = &self.feeds[stream];
        if let Some(asked) = feed.asked {
            return Some(asked.at + self.settings.ask_timeout);
        }
        if self.shedding == Shedding::Rows {
            return None;
        }
        if self.ledger.stream(stream).baseline.is_none() && feed.empty.is_none() {
            return None;
        }
        let soon = feed.read.is_some() || feed.want || feed.new_rows >= self.settings.sweep_rows;
        let read_on = feed.read.is_some() || planted!(self, Restless);
        let rests = if read_on { None } else { feed.rests_until(self.settings.pause()) };
        let earliest = feed.not_before.max(rests);
        if soon {
            return Some(earliest.unwrap_or(self.born));
        }
        let due = feed.next_sweep.into_iter().chain(feed.second_look).min()?;
        Some(earliest.map_or(due, |earliest| due.max(earliest)))
    }

    fn begin_read(&mut self, stream: Stream, now: Instant) {
        let state = self.ledger.stream(stream);
        let certified = state.certified.map_or(0, |time| time.max(0));
        let from = match (state.baseline, state.anchor) {
            (None, _) => 0,
            (Some(_), Some((_, time))) => time.min(certified),
            (Some(_), None) => certified,
        };
        let anchor =
            state.anchor.or_else(|| self.feeds[stream].beginning.map(|first| (first.key, first.time)));
        self.counts.reads += 1;
        let before = self.unseen_before(stream, from, now);
        let (venue_time, rest) = (self.venue_time, self.settings.rest());
        let feed = &mut self.feeds[stream];
        let back = feed.look_back.take().into_iter().chain(before).min().filter(|&time| time < from);
        let from = back.unwrap_or(from);
        feed.want = false;
        feed.new_rows = 0;
        feed.second_look = None;
        feed.not_before = None;
        let rested = feed.last_began.is_none_or(|began| now >= began + rest);
        feed.hasty = if rested { 0 } else { feed.hasty.saturating_add(1) };
        feed.last_began = Some(now);
        feed.read = Some(Read {
            start: from,
            looks_back: back.is_some(),
            from,
            first: None,
            limit: i64::MAX,
            anchor,
            cursor: from,
            keys: HashSet::new(),
            rows: Vec::new(),
            pages: 0,
            longest_page: 0,
            began: now,
            venue_time,
            dense: Vec::new(),
            stepped: false,
            firsts: HashMap::new(),
            proof: Proof::Unasked,
        });
    }

    fn ask(&mut self, stream: Stream, now: Instant) {
        let feed = &mut self.feeds[stream];
        let Some(read) = &feed.read else { return };
        let start = if read.proof == Proof::Asked { 0 } else { read.cursor };
        self.asked += 1;
        self.counts.questions += 1;
        let id = self.asked;
        feed.asked = Some(Asked { id, at: now });
        self.out.push_back(Output::Ask { stream, start, id });
    }

    /// A read is over: when the next one is due.
    pub(super) fn schedule(&mut self, stream: Stream, now: Instant) {
        // While something is in doubt it is looked at more often; an answer must be `recheck` away from the last to
        // be another witness.
        let doubt = self.ledger.gaps().iter().any(Gap::is_asked_for)
            || !self.twins.is_empty()
            || self.marks.len() >= self.settings.key_cap;
        let pause = if doubt { self.settings.recheck } else { self.settings.sweep_interval };
        let feed = &mut self.feeds[stream];
        feed.next_sweep = Some(now + pause);
        feed.failures = 0;
    }

    /// A row that came at `since` lacks what should be before it: every stream is read once from then on.
    pub(super) fn want_since(&mut self, since: Instant) {
        for stream in Stream::ALL {
            let feed = &mut self.feeds[stream];
            if !feed.want && feed.last_began.is_none_or(|began| began < since) {
                feed.want = true;
                self.counts.hold_reads += 1;
            }
        }
    }

    /// Another witness is wanted, as soon as it counts as one.
    pub(super) fn recheck(&mut self, stream: Stream, now: Instant) {
        let at = now + self.settings.recheck;
        self.counts.rechecks += 1;
        let feed = &mut self.feeds[stream];
        feed.next_sweep = Some(feed.next_sweep.map_or(at, |sweep| sweep.min(at)));
    }
}
