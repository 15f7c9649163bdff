//! Where following begins (B).

use std::time::Instant;

use dedup::{Entry, Position as _, Sequencer};

use super::feed::{Empty, Feed, FirstPage, Kept};
use super::intake::Source;
use super::mark::{Mark, State, bit};
use super::{Fate, Held, Item, Machine, Origin, Record, Row, Stream};

/// Reads that look before the baseline, or before `certified`, for events from there: a few more than it takes to settle
/// a key (C2).
pub(super) const LOOKS: u8 = 10;

/// What a baseline is made of.
enum Page<P> {
    /// Rows.
    Shown(Kept<P>),
    /// The account never had any: all that comes is an event.
    Empty,
    /// It looks empty, and nobody confirms it: what lies before the first event is not known and no event.
    Unconfirmed,
}

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
            if self.ledger.stream(stream).first.is_some() {
                self.feeds[stream].waits_since.get_or_insert(now);
            }
            let since = self.venue_time;
            let empty = self.feeds[stream].empty.get_or_insert_with(|| Empty { since, ..Empty::default() });
            empty.listeners |= bit(listener);
            let (twice, read) = (empty.listeners.count_ones() >= 2, empty.read_at.is_some());
            if twice && read {
                self.set_baseline(stream, Page::Empty, None, Origin::Snapshot, now);
            } else {
                self.feeds[stream].want = true;
            }
            return;
        }
        if self.feeds[stream].first.is_none() {
            self.begin_with(stream, Kept::new(listener, rows, make), Origin::Snapshot, now);
        }
    }

    /// B8: the other stream may be about to show events from before this page's newest row.
    fn begin_with(&mut self, stream: Stream, page: Kept<P>, origin: Origin, now: Instant) {
        self.feeds[stream].first = Some(FirstPage { page, origin, until: now + self.settings.repair_hold });
        self.begin_late_streams(now);
    }

    /// B8: the baselines whose other stream has caught up, or does not in time.
    pub(super) fn begin_late_streams(&mut self, now: Instant) {
        for stream in self.ledger.streams() {
            let behind = self.ledger.streams().find(|&other| other != stream && self.is_catching_up(other));
            let Some(first) =
                self.feeds[stream].first.take_if(|first| behind.is_none() || first.until <= now)
            else {
                continue;
            };
            let unknown_since = behind.and_then(|other| self.newest_known(other));
            self.set_baseline(stream, Page::Shown(first.page), unknown_since, first.origin, now);
        }
    }

    /// A stream that goes on from an earlier run and has not shown yet what it brought since.
    fn is_catching_up(&self, stream: Stream) -> bool {
        let feed = &self.feeds[stream];
        self.ledger.stream(stream).baseline.is_some() && (feed.blind || feed.gate.is_some())
    }

    /// B8: the account's first row that is an event already or will be one; what an empty snapshot was too early for is one, too.
    fn first_event(&self, stream: Stream) -> Option<i64> {
        let held = self.held.values().flat_map(Sequencer::rows).chain(&self.twins);
        let held = held.filter(|row| Some(row.time) > self.ledger.stream(row.item.stream).baseline);
        let held = held.map(|row| row.time);
        let empty = self.feeds[stream].empty.as_ref();
        let followed = empty.and_then(|empty| empty.since.or(self.began_at)).map(|at| at.saturating_add(1));
        self.ledger.stream(stream).first.into_iter().chain(held).chain(followed).min()
    }

    /// B8: a live row waits for a baseline. What it says of it must outlive a kill.
    pub(super) fn hear_before_baseline(&mut self, stream: Stream, rows: &[Row], now: Instant) {
        let Some(from) = rows.iter().map(|row| row.time).filter(|&time| self.may_begin_at(time, now)).min()
        else {
            return;
        };
        self.feeds[stream].waits_since.get_or_insert(now);
        if self.ledger.stream(stream).first.is_none_or(|first| from < first) {
            self.record(Record::Heard { from });
        }
    }

    /// Whether following may have begun at the time of a live row: neither ahead of the venue's clock nor a margin behind it.
    fn may_begin_at(&self, time: i64, now: Instant) -> bool {
        let oldest = self.venue_time.map(|clock| clock.saturating_sub(self.settings.margin_ms));
        oldest.is_none_or(|oldest| oldest <= time) && !self.is_ahead(time, now)
    }

    /// B1: when streams begin that nobody confirms to be empty.
    pub(super) fn begins_unconfirmed(&self) -> Option<Instant> {
        let waits = self.feeds.iter().filter_map(|feed| feed.waits_since).min();
        // What the first row says is only believed beside the venue's clock.
        let since = waits.filter(|_| self.venue_time.is_some())?;
        let waits = self.ledger.streams().any(|stream| self.is_unconfirmed(stream));
        waits.then(|| since + self.settings.repair_hold)
    }

    /// An empty snapshot that nobody confirmed, while a live row says when following began at the latest.
    fn is_unconfirmed(&self, stream: Stream) -> bool {
        let (state, feed) = (self.ledger.stream(stream), &self.feeds[stream]);
        state.baseline.is_none() && state.first.is_some() && feed.empty.is_some() && feed.first.is_none()
    }

    /// B1: where an empty snapshot is not confirmed in time, following begins with the first live row.
    pub(super) fn begin_unconfirmed(&mut self, now: Instant) {
        if self.begins_unconfirmed().is_none_or(|at| now < at) {
            return;
        }
        for stream in self.ledger.streams() {
            if self.is_unconfirmed(stream) {
                self.set_baseline(stream, Page::Unconfirmed, None, Origin::Snapshot, now);
            }
        }
    }

    /// The confirming read of an empty snapshot is complete; `newest` is its last page that was not empty.
    pub(super) fn empty_read(&mut self, stream: Stream, began: Instant, now: Instant) {
        if let Some(page) = self.feeds[stream].confirming.take() {
            self.begin_with(stream, page, Origin::Backfill, now);
            return;
        }
        let Some(empty) = self.feeds[stream].empty.as_mut() else { return };
        let witnesses = empty.listeners.count_ones() >= 2
            || empty.read_at.is_some_and(|first| began >= first + self.settings.recheck);
        if witnesses {
            self.set_baseline(stream, Page::Empty, None, Origin::Snapshot, now);
            return;
        }
        empty.read_at.get_or_insert(now);
        let feed = &mut self.feeds[stream];
        feed.want = true;
        feed.not_before = Some(now + self.settings.recheck);
    }

    /// B6: this account was followed since `since` (venue milliseconds, as its registry says), but nothing is known of
    /// it: its state is lost, or nobody could listen. To be called until the baseline is made, again after each restart; the earliest
    /// counts, and what lies between is declared before the baseline. Nothing to do where a start in the past is read.
    pub fn handle_no_state(&mut self, since: i64) {
        if self.settings.start.is_none() {
            self.orphaned = Some(self.orphaned.map_or(since, |known| known.min(since)));
        }
    }

    /// B6: nobody listens before the baseline, and has not for a while: what passed up to `until` is declared now, so that neither death
    /// nor removal forgets it, and what follows is declared when it is over. False while there is nothing to declare.
    pub fn handle_unheard(&mut self, until: i64) -> bool {
        let since = self.orphaned.filter(|&since| since < until && !self.ledger.has_begun());
        if let Some(since) = since {
            self.declare_history(since, until);
        }
        since.is_some()
    }

    /// B3: follow from a time.
    pub(super) fn begin_at(&mut self, stream: Stream, start: i64, now: Instant) {
        let at = start.saturating_sub(1);
        if let Some(since) = self.orphaned.filter(|&since| since < at) {
            self.declare_history(since, at);
        }
        self.record(Record::Baseline { stream, at: start.saturating_sub(1), anchor: None });
        self.await_history(stream, None, now);
    }

    /// B3, after a restart: nothing of the read from the start is certified yet.
    pub(super) fn still_from_start(&self, stream: Stream, at: i64, start: i64) -> bool {
        let state = self.ledger.stream(stream);
        // X may have raised it.
        at >= start.saturating_sub(1) && state.certified == Some(at) && state.anchor.is_none()
    }

    /// B1, B2, B4, B8: the record first, then the rows that are no signals, then what live frames brought before, then
    /// what of the page is an event.
    /// `unknown_since`: the other stream may still bring events that happened after this.
    fn set_baseline(
        &mut self,
        stream: Stream,
        page: Page<P>,
        unknown_since: Option<i64>,
        origin: Origin,
        now: Instant,
    ) {
        let first = self.first_event(stream).filter(|_| !planted!(self, LateStreamForgets));
        let is_event =
            |row: &Row| first.is_some_and(|first| first <= row.time) || self.is_ahead(row.time, now);
        let (page, confirmed) = match page {
            Page::Shown(page) => (Some(page), true),
            Page::Empty => (None, true),
            Page::Unconfirmed => (None, false),
        };
        let rows = page.as_ref().map_or(&[][..], |page| &page.rows);
        let last = rows.iter().filter(|row| !is_event(row)).max_by_key(|row| row.time);
        let anchor = last.map(|row| (row.key, row.time));
        let at = match (last, first.filter(|_| !rows.is_empty() || !confirmed)) {
            (Some(row), _) => row.time,
            (None, Some(first)) => unknown_since.unwrap_or(i64::MAX).min(first.saturating_sub(1)),
            (None, None) => i64::MIN,
        };
        let switched_off = self.ledger.switched_off().filter(|_| stream == Stream::Twap);
        let unsaid = self.orphaned.into_iter().chain(unknown_since).chain(switched_off);
        for since in unsaid.filter(|&since| since < at) {
            self.declare_history(since, at);
        }
        self.record(Record::Baseline { stream, at, anchor });
        let feed = &mut self.feeds[stream];
        let before = std::mem::take(&mut feed.before);
        let (last_began, hasty) = (feed.last_began, feed.hasty);
        *feed = Feed {
            blind: false,
            next_sweep: Some(now + self.settings.first_sweep),
            older_events: (LOOKS, None),
            last_began,
            hasty,
            ..Feed::default()
        };
        let events = page.and_then(|page| self.emit_first_page(stream, page, at, origin, now));
        let whole = events.is_none() || anchor.is_some();
        if let Some(events) = events.as_ref().filter(|_| !whole) {
            self.end_blindness(stream, false, &events.rows, now);
        }
        let source =
            |listener| if origin == Origin::Snapshot { Source::Snapshot(listener) } else { Source::Page };
        let live = before.into_iter().map(|kept| (Source::Live(kept.listener), kept));
        for (source, mut kept) in live.chain(events.map(|kept| (source(kept.listener), kept))) {
            let (rows, mut make) = kept.replay();
            let _ = self.intake(source, stream, rows, &mut make, whole, now);
        }
    }

    /// The rows of the page that makes the baseline, up to it; returns the others.
    fn emit_first_page(
        &mut self,
        stream: Stream,
        page: Kept<P>,
        at: i64,
        origin: Origin,
        now: Instant,
    ) -> Option<Kept<P>> {
        let listener = page.listener;
        let mut events = Kept { listener, rows: Vec::new(), payloads: Vec::new() };
        for (row, payload) in page.rows.into_iter().zip(page.payloads) {
            if row.time > at {
                events.rows.push(row);
                events.payloads.push(payload);
                continue;
            }
            let Some(payload) = payload else { continue };
            let (received, market) = (self.millis(now), self.numbers.number(&row.market));
            let entry = self.marks.insert_or_get(row.key, row.time, || {
                Mark::new(row.digest, stream, market, State::Baseline, received)
            });
            if let Entry::New(mark) = entry {
                if origin == Origin::Snapshot {
                    mark.show(listener);
                }
                self.emit_baseline(row, stream, origin, payload, now);
            }
        }
        (!events.rows.is_empty()).then_some(events)
    }

    /// Where a read must begin to see live rows from before `from`, where ordinary ones do: they are events, and none of
    /// those would ever be compared with them (C2).
    pub(super) fn unseen_before(&mut self, stream: Stream, from: i64, now: Instant) -> Option<i64> {
        let (looks, since) = self.feeds[stream].older_events;
        let due = looks > 0 && since.is_none_or(|since| now >= since + self.settings.recheck);
        let baseline = self.ledger.stream(stream).baseline.filter(|_| due)?;
        let from = from.max(baseline);
        let unseen = |mark: &Mark| mark.stream == stream && mark.is_unseen();
        let unseen = self.marks.iter().filter(|(_, time, mark)| unseen(mark) && *time <= from);
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
