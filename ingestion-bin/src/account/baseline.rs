//! Where following begins (B).

use std::time::Instant;

use dedup::{Entry, FillKey, Position as _};

use super::feed::{Empty, Kept};
use super::intake::Source;
use super::mark::{Mark, State, bit};
use super::{Fate, Held, Item, Machine, Origin, Record, Row, Stream};

/// Reads that look before the baseline for events from there: a few more than it takes to settle a key (C2).
pub(super) const LOOKS: u8 = 10;

impl<P> Machine<P> {
    /// B1: the first snapshot of a stream that has no baseline.
    pub(super) fn first_snapshot(
        &mut self,
        listener: usize,
        stream: Stream,
        rows: &[Row],
        make: &mut dyn FnMut(usize) -> P,
        now: Instant,
    ) {
        if rows.is_empty() {
            let empty = self.feeds[stream].empty.get_or_insert_with(Empty::default);
            empty.listeners |= bit(listener);
            let (twice, read) = (empty.listeners.count_ones() >= 2, empty.read_at.is_some());
            if twice && read {
                self.set_baseline(stream, i64::MIN, None, Origin::Snapshot, now);
            } else {
                self.feeds[stream].want = true;
            }
            return;
        }
        self.set_baseline(stream, i64::MIN, Some(Kept::new(listener, rows, make)), Origin::Snapshot, now);
    }

    /// The confirming read of an empty snapshot is complete; `newest` is its last page that was not empty.
    pub(super) fn empty_read(&mut self, stream: Stream, began: Instant, now: Instant) {
        if let Some(page) = self.feeds[stream].confirming.take() {
            self.set_baseline(stream, i64::MIN, Some(page), Origin::Backfill, now);
            return;
        }
        let Some(empty) = self.feeds[stream].empty.as_mut() else { return };
        let witnesses = empty.listeners.count_ones() >= 2
            || empty.read_at.is_some_and(|first| began >= first + self.settings.recheck);
        if witnesses {
            self.set_baseline(stream, i64::MIN, None, Origin::Snapshot, now);
            return;
        }
        empty.read_at.get_or_insert(now);
        let feed = &mut self.feeds[stream];
        feed.want = true;
        feed.not_before = Some(now + self.settings.recheck);
    }

    /// B6: this account was followed since `since` (venue milliseconds, as its registry says), but nothing is known of
    /// it: its state is lost. To be called right after [`Machine::new`], again after each restart until the baseline
    /// is made; what lies between is declared before the baseline. Nothing to do where a start in the past is read.
    pub fn handle_no_state(&mut self, since: i64) {
        if self.settings.start.is_none() {
            self.orphaned = Some(since);
        }
    }

    /// B3: follow from a time.
    pub(super) fn begin_at(&mut self, stream: Stream, start: i64, now: Instant) {
        self.record(Record::Baseline { stream, at: start.saturating_sub(1), anchor: None });
        self.await_history(stream, None, now);
    }

    /// B3, after a restart: nothing of the read from the start is certified yet.
    pub(super) fn still_from_start(&self, stream: Stream, at: i64, start: i64) -> bool {
        let state = self.ledger.stream(stream);
        at == start.saturating_sub(1) && state.certified == Some(at) && state.anchor.is_none()
    }

    /// B1, B2, B4: the record first, then the rows that are no signals, then what live frames brought before.
    fn set_baseline(&mut self, stream: Stream, at: i64, page: Option<Kept<P>>, origin: Origin, now: Instant) {
        let last = page.as_ref().and_then(|kept| kept.rows.iter().max_by_key(|row| row.time));
        let (at, anchor) = last.map_or((at, None), |row| (row.time, Some((row.key, row.time))));
        if let Some(since) = self.orphaned.filter(|&since| since < at) {
            self.declare_history(since, at);
        }
        self.record(Record::Baseline { stream, at, anchor });
        let feed = &mut self.feeds[stream];
        feed.empty = None;
        feed.confirming = None;
        feed.read = None;
        feed.asked = None;
        feed.want = false;
        feed.not_before = None;
        feed.blind = false;
        feed.next_sweep = Some(now + self.settings.first_sweep);
        feed.older_events = (LOOKS, None);
        let before = std::mem::take(&mut feed.before);
        if let Some(page) = page {
            let came_live =
                |key: FillKey| before.iter().any(|kept| kept.rows.iter().any(|row| row.key == key));
            let listener = page.listener;
            for (row, payload) in page.rows.into_iter().zip(page.payloads) {
                let Some(payload) = payload.filter(|_| !came_live(row.key)) else { continue };
                let received = self.millis(now);
                let entry = self.marks.insert_or_get(row.key, row.time, || {
                    Mark::new(row.digest, stream, State::Baseline, received)
                });
                if let Entry::New(mark) = entry {
                    mark.market = Some(row.market.clone());
                    mark.shown_by = if origin == Origin::Snapshot { bit(listener) } else { 0 };
                    self.emit_baseline(row, stream, origin, payload, now);
                }
            }
        }
        for mut kept in before {
            let mut payloads = std::mem::take(&mut kept.payloads);
            let mut make = |index: usize| match payloads.get_mut(index).and_then(Option::take) {
                Some(payload) => payload,
                None => unreachable!("each payload is asked for once"),
            };
            let _ = self.intake(Source::Live(kept.listener), stream, &kept.rows, &mut make, true, now);
        }
    }

    /// Where a read must begin to see live rows from before the baseline: they are events, and no ordinary read would
    /// ever be compared with them (C2).
    pub(super) fn unseen_before_baseline(&mut self, stream: Stream, now: Instant) -> Option<i64> {
        let (looks, since) = self.feeds[stream].older_events;
        let due = looks > 0 && since.is_none_or(|since| now >= since + self.settings.recheck);
        let baseline = self.ledger.stream(stream).baseline.filter(|_| due)?;
        let unseen = self.marks.iter().filter(|(_, time, mark)| {
            mark.stream == stream
                && *time <= baseline
                && mark.in_history == 0
                && matches!(mark.state, State::Held | State::Twin | State::Out)
        });
        let first = unseen.map(|(_, time, _)| time).min();
        self.feeds[stream].older_events = (if first.is_some() { looks - 1 } else { 0 }, Some(now));
        first.map(|time| time.saturating_sub(self.settings.margin_ms))
    }

    /// A row from before we followed: kept, no signal, may set its market's head.
    pub(super) fn emit_baseline(
        &mut self,
        row: Row,
        stream: Stream,
        origin: Origin,
        payload: P,
        now: Instant,
    ) {
        let late = self.ledger.head(&row.market).is_some_and(|head| {
            let links = row.link.is_some_and(|link| head.position == Some(link.before));
            head.time > row.time || (head.time == row.time && !links)
        });
        let row = Row { fate: Fate::Baseline, ..row };
        self.emit(held(row, stream, origin, payload, now), late, None, 0, None);
    }

    /// B2: whether a row of equal time with the baseline goes on from the chain's head.
    pub(super) fn links_to_head(&self, row: &Row) -> bool {
        match (row.link, self.ledger.head(&row.market)) {
            (Some(link), Some(head)) => head.position == Some(link.before) && head.time <= row.time,
            (Some(link), None) => link.before.is_flat(),
            (None, _) => false,
        }
    }
}

pub(super) fn held<P>(row: Row, stream: Stream, origin: Origin, payload: P, now: Instant) -> Held<P> {
    dedup::Row {
        key: row.key,
        lane: stream.lane(),
        time: row.time,
        link: row.link,
        item: Item { row, stream, origin, since: now, payload },
    }
}
