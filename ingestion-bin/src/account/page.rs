//! What an answer of history means: more pages, a complete read, or no proof at all (S1, S2, S3).

use std::time::{Duration, Instant};

use dedup::FillKey;

use super::feed::{Kept, Proof, Read};
use super::intake::Source;
use super::mark::Mark;
use super::{Machine, Record, Row, Shedding, Stream};

/// There was no room for a row of history: it is asked for again after this long.
const NO_ROOM: Duration = Duration::from_secs(30);

impl<P> Machine<P> {
    /// The answer to question `id`: rows oldest first, all from the asked time on. `make` as for a frame.
    pub fn handle_page(&mut self, id: u64, rows: &[Row], mut make: impl FnMut(usize) -> P, now: Instant) {
        if self.shedding == Shedding::Rows {
            self.handle_page_failed(id, now);
            return;
        }
        let stream = self.answered(id);
        if let Some(stream) = stream.filter(|_| !self.ledger.is_removed()) {
            self.feeds[stream].failures = 0;
            if let Some(read) = self.feeds[stream].read.take() {
                self.take_page(stream, read, rows, &mut make, now);
            }
        }
        self.settle(now);
    }

    fn take_page(
        &mut self,
        stream: Stream,
        mut read: Read,
        rows: &[Row],
        make: &mut dyn FnMut(usize) -> P,
        now: Instant,
    ) {
        if read.proof != Proof::Asked {
            let _ = self.take_back(stream, rows);
        }
        if read.proof == Proof::Asked {
            read.proof = match rows.first() {
                None => Proof::Silent,
                Some(oldest) if oldest.time <= read.start => Proof::ReachesBack,
                Some(_) => Proof::BeginsHere,
            };
            self.finish(stream, &read, now);
            return;
        }
        let confirming = self.ledger.stream(stream).baseline.is_none();
        if read.pages == 0
            && !confirming
            && !read.looks_back
            && !self.reaches_anchor(stream, &mut read, rows, now)
        {
            let _ = self.intake(Source::Page, stream, rows, make, false, now);
            return;
        }
        read.pages += 1;
        self.note_firsts(stream, &mut read, rows);
        let mut fresh = 0;
        for row in rows {
            if read.keys.insert(row.key) {
                read.rows.push((row.key, row.time));
                fresh += usize::from(!planted!(self, KnownKeysEndARead) || self.marks.get(row.key).is_none());
            }
        }
        let last = rows.last().map(|row| row.time);
        read.first = read.first.or_else(|| rows.first().map(|row| row.time));
        if confirming {
            if !rows.is_empty() && fresh > 0 {
                self.feeds[stream].confirming = Some(Kept::new(0, rows, make));
            }
        } else if let Some(time) = self.intake(Source::Page, stream, rows, make, true, now) {
            self.give_up(stream, &read, time, now);
            return;
        }
        if fresh > 0 && read.stepped {
            self.declare_hole(&read);
            read.stepped = false;
        }
        let caught_up = rows.len() < read.longest_page && last > read.venue_time && read.venue_time.is_some();
        read.longest_page = read.longest_page.max(rows.len());
        if fresh > 0 && !caught_up && self.is_blunt(stream, &read) {
            self.feeds[stream].want = true;
            return;
        }
        if fresh > 0 && !caught_up {
            self.go_on(stream, read, last);
            if !confirming {
                self.certify_on_the_way(stream, now);
            }
            return;
        }
        // S2: the page may be cut inside its only millisecond.
        let single = rows.first().map(|row| row.time) == last;
        if let Some(time) =
            last.filter(|_| fresh == 0 && single && rows.len() >= self.settings.dense_rows && !read.stepped)
        {
            read.stepped = true;
            read.dense.push(time);
            self.go_on(stream, read, Some(time.saturating_add(1)));
            return;
        }
        if confirming {
            self.schedule(stream, now);
            self.empty_read(stream, read.began, now);
        } else if self.must_ask_back(stream, &read) {
            read.proof = Proof::Asked;
            self.go_on(stream, read, None);
        } else {
            self.finish(stream, &read, now);
        }
    }

    /// §5: no room for a row of history: what came before it is certified, which makes room; then it is read again.
    fn give_up(&mut self, stream: Stream, read: &Read, refused: i64, now: Instant) {
        if let Some(first) = read.oldest().filter(|_| self.ledger.stream(stream).anchor.is_none()) {
            // Nothing would ever make room otherwise.
            self.declare_history(read.start, first.1);
            self.begin_anew(stream, first);
        }
        self.certify(stream, read, refused.saturating_sub(1).saturating_sub(self.settings.margin_ms), now);
        self.close_gaps();
        let feed = &mut self.feeds[stream];
        feed.want = true;
        feed.not_before = Some(now + NO_ROOM);
    }

    /// C2: it began before any venue time was known and will certify nothing: where there is one now and nobody waits for its
    /// end, it begins anew instead of reading on.
    fn is_blunt(&self, stream: Stream, read: &Read) -> bool {
        let based = self.ledger.stream(stream).baseline.is_some();
        let clock_came = read.venue_time.is_none() && self.venue_time.is_some();
        based && clock_came && !read.looks_back && self.feeds[stream].gate.is_none()
    }

    fn go_on(&mut self, stream: Stream, mut read: Read, cursor: Option<i64>) {
        read.cursor = cursor.unwrap_or(read.cursor);
        let feed = &mut self.feeds[stream];
        feed.read = Some(read);
        feed.not_before = None;
    }

    /// S2: rows follow a millisecond that may have been cut.
    fn declare_hole(&mut self, read: &Read) {
        if let Some(&time) = read.dense.last() {
            self.declare_history(time, time);
        }
    }

    /// S3: an answer that does not hold the anchor proves nothing, until it was so three times.
    fn reaches_anchor(&mut self, stream: Stream, read: &mut Read, rows: &[Row], now: Instant) -> bool {
        let Some((key, time)) = read.anchor else { return true };
        let ahead = time > read.start;
        let holds = rows.iter().any(|row| row.key == key)
            || (ahead && rows.first().is_some_and(|first| first.time < time));
        if holds || planted!(self, NoAnchor) {
            self.feeds[stream].anchor_missed = 0;
            return true;
        }
        if self.is_slice_among_fills(stream, key) {
            // No answer ever holds it: there is no row yet that one must hold (S6).
            if let Some(to) = self.ledger.stream(stream).certified {
                self.record(Record::Certified { stream, to, anchor: None });
            }
            (read.anchor, self.feeds[stream].anchor_missed) = (None, 0);
            return true;
        }
        self.counts.anchors_missed += 1;
        // History may lag: a row younger than that may still come.
        let due = read.venue_time >= Some(time.saturating_add(self.settings.margin_ms));
        let missed = self.feeds[stream].anchor_missed + u32::from(due);
        let first = rows.first().filter(|_| due && missed >= 3);
        let Some(first) = first else {
            let feed = &mut self.feeds[stream];
            feed.anchor_missed = missed.min(2);
            feed.want = true;
            feed.not_before = Some(now + self.settings.recheck * missed.clamp(1, 2));
            return false;
        };
        self.feeds[stream].anchor_missed = 0;
        let unproven = self.ledger.stream(stream).anchor.is_none();
        self.declare_history(if unproven { read.start } else { time }, first.time);
        self.begin_anew(stream, (first.key, first.time));
        read.anchor = Some((first.key, first.time));
        // What is older than the answer cannot be compared with it.
        read.from = first.time.saturating_add(1);
        read.start = read.from;
        true
    }

    /// S3: a slice that the fills' channel showed is known to the other endpoint alone.
    fn is_slice_among_fills(&self, stream: Stream, key: FillKey) -> bool {
        let sliced = |mark: &Mark| mark.stream == Stream::Twap || mark.is_in_history_of(Stream::Twap);
        let fills = |mark: &Mark| mark.is_in_history_of(Stream::Fills);
        stream == Stream::Fills && self.marks.get(key).is_some_and(|mark| sliced(mark) && !fills(mark))
    }
}
