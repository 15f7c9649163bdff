//! What a complete read proves (C).

use std::time::Instant;

use dedup::{FillKey, Sequencer};

use super::feed::{Previous, Read};
use super::gap::{Gap, GapKind};
use super::gaps::lies_in;
use super::mark::{Mark, State};
use super::twins::content;
use super::{GapId, Machine, PerStream, Record, Stream};

/// Complete reads that must lack a key before it counts as a conflict.
const WITNESSES: u8 = 3;
/// Complete reads that must fail to fill a chain gap before `certified` passes it.
const TRIES: u8 = 4;
/// The same for a span in which nothing is known to be missing: one answer may have had a hole there.
const LOOKS: u8 = 2;

impl<P> Machine<P> {
    /// A read came to its end.
    pub(super) fn finish(&mut self, stream: Stream, read: &Read, now: Instant) {
        self.schedule(stream, now);
        if read.limit < i64::MAX {
            // S5: doubts of an earlier part of it.
            self.recheck(stream, now);
        }
        if read.looks_back && read.anchor.is_some_and(|(key, _)| !read.keys.contains(&key)) {
            // It proves nothing. An ordinary read comes first: the anchor may be forgotten (S3).
            self.feeds[stream].want = true;
            return;
        }
        self.end_gate(stream, read.began);
        let _ = self.feeds[stream].distrusted.take_if(|since| *since <= read.began);
        self.note_lacking(stream, read, now);
        if self.prove_beginning(stream, read, now)
            && let Some(target) = self.reach(stream, read, now)
        {
            self.certify(stream, read, target, now);
        }
        self.close_gaps();
    }

    /// S5: a long read is certified on its way and forgets what is compared, so it needs no more memory than the
    /// margin's rows, and goes on whatever holds the certificate back.
    pub(super) fn certify_on_the_way(&mut self, stream: Stream, now: Instant) {
        let anchored = self.ledger.stream(stream).anchor.is_some();
        let Some(mut read) = self.feeds[stream]
            .read
            .take_if(|read| read.keys.len() >= self.settings.read_rows && !read.looks_back && anchored)
        else {
            return;
        };
        if let Some(newest) = read.newest() {
            let target = newest.saturating_sub(self.settings.margin_ms);
            let (looked, limit) = self.certify(stream, &read, target, now);
            read.limit = limit;
            read.rows.retain(|&(_, time)| time > looked);
            read.keys = read.rows.iter().map(|&(key, _)| key).collect();
            read.first = read.first.max(Some(looked));
            read.from = read.from.max(looked.saturating_add(1));
            self.close_gaps();
        }
        self.feeds[stream].read = Some(read);
    }

    /// C2, C3, C4: records what the answer proves up to `target`; returns up to where keys were compared,
    /// and the limit that keys in doubt set.
    pub(super) fn certify(&mut self, stream: Stream, read: &Read, target: i64, now: Instant) -> (i64, i64) {
        // H, R2: what it brought goes out before anything is claimed about it.
        self.resolve_twins(now);
        self.pump(now);
        let margin = self.settings.margin_ms;
        let venue_time = if planted!(self, NoMargin) { Some(i64::MAX) } else { read.venue_time };
        let looked = target.min(venue_time.map_or(i64::MIN, |time| time.saturating_sub(margin)));
        let doubt = read.limit.min(self.before_doubtful_keys(stream, read, looked, now));
        let held = if planted!(self, PassesHeldRows) { i64::MAX } else { self.before_held() };
        let gaps = self.before_open_gaps(stream, read, looked, now);
        let gaps = if planted!(self, PassesOpenGaps) { i64::MAX } else { gaps };
        let unseen = self.before_unseen(stream, read, now);
        let target = looked.min(doubt).min(held).min(gaps).min(unseen);
        if Some(target) > self.ledger.stream(stream).certified {
            let returned = read.rows.iter().filter(|&&(key, time)| {
                time <= target && self.marks.get(key).is_none_or(|mark| mark.state != State::Excluded)
            });
            let anchor = returned
                .max_by_key(|&&(_, time)| time)
                .copied()
                .or_else(|| self.ledger.stream(stream).anchor);
            self.tell_shed();
            self.record(Record::Certified { stream, to: target, anchor });
            self.forget();
        }
        (looked, doubt)
    }

    /// C1: up to where the answer is complete.
    fn reach(&mut self, stream: Stream, read: &Read, now: Instant) -> Option<i64> {
        let margin = if planted!(self, NoMargin) { 0 } else { self.settings.margin_ms };
        let newest = read.newest();
        let mut target = newest.map(|time| time.saturating_sub(margin));
        // Everything returned up to here was received at least the margin before the read began.
        let began = self.millis(read.began);
        let settled = |key: FillKey| {
            let margin = u64::try_from(margin).unwrap_or(0);
            self.marks.get(key).is_none_or(|mark| mark.received.saturating_add(margin) <= began)
        };
        let fresh = read.rows.iter().filter(|row| !settled(row.0)).map(|row| row.1).min().unwrap_or(i64::MAX);
        target = target.max(read.rows.iter().map(|row| row.1).filter(|&time| time < fresh).max());
        // Two reads apart with the same end: nothing happened before the first one.
        let feed = &mut self.feeds[stream];
        match feed.previous {
            Some(previous) if previous.newest == newest => {
                if read.began >= previous.began + self.settings.recheck {
                    target = target.max(previous.venue_time.map(|time| time.saturating_sub(margin)));
                    feed.previous = Some(Previous { newest, venue_time: read.venue_time, began: read.began });
                }
            }
            _ => {
                feed.previous = Some(Previous { newest, venue_time: read.venue_time, began: read.began });
                // A stream that goes on needs no second look: its newer rows certify the older ones.
                if self.ledger.stream(stream).newest <= newest {
                    self.counts.rechecks += 1;
                    self.feeds[stream].second_look = Some(now + self.settings.recheck);
                }
            }
        }
        target
    }

    /// C2: keys we know that the answer should hold and lacks.
    fn before_doubtful_keys(&mut self, stream: Stream, read: &Read, target: i64, now: Instant) -> i64 {
        // An empty answer that has no anchor to hold lacks every key from its begin on.
        let unanchored = self.ledger.stream(stream).anchor.is_none();
        let Some(first) = read.first.or(unanchored.then_some(read.start)) else { return i64::MAX };
        // Of the newest rows the venue keeps more: none that this answer should hold is forgotten.
        let whole = read.rows.len() < self.settings.history_rows / 2;
        let first = if whole { first.min(read.start) } else { first };
        let other = self.other(stream);
        let now_s = self.seconds(now);
        let apart = self.apart();
        // What is declared as unreadable (S2, S3) cannot be compared.
        let unreadable: Vec<(i64, i64)> = self.unreadable();
        let mut looks_back = i64::MAX;
        let witnesses = if planted!(self, OneWitness) { 1 } else { WITNESSES };
        let (mut limit, mut asks_other, mut again, mut settled) = (i64::MAX, false, false, Vec::new());
        let mut cut = Vec::new();
        let reached = self.reached(read, target);
        for (key, time, mark) in self.marks.iter_mut() {
            let compared = mark.is_unseen()
                && mark.stream == stream
                && (time > first || (time == first && read.start < first))
                && time >= read.from
                && reached(time, mark);
            if !compared || read.keys.contains(&key) {
                continue;
            }
            if lies_in(&unreadable, time) {
                continue;
            }
            if read.dense.contains(&time) {
                if mark.state == State::Twin {
                    cut.push(time);
                }
                continue;
            }
            let caps = mark.state != State::Twin;
            mark.note_lack(stream, now_s, apart);
            let unasked = other.filter(|&other| mark.lacking_reads(other) < witnesses);
            if let Some(other) = unasked {
                // A slice may have come on the fills' channel, and is in the slices' history only.
                looks_back = looks_back.min(time);
                asks_other |= mark.is_look_due(other, now_s, apart);
            }
            if mark.lacking_reads(stream) >= witnesses && unasked.is_none() && mark.state != State::Held {
                if mark.state == State::Out {
                    mark.state = State::Excluded;
                }
                settled.push((key, time, self.numbers.market(mark.market).cloned()));
            } else {
                again = true;
                limit = if caps { limit.min(time.saturating_sub(1)) } else { limit };
            }
        }
        if let Some(other) = other.filter(|_| looks_back < i64::MAX) {
            let feed = &mut self.feeds[other];
            feed.look_back = Some(feed.look_back.map_or(looks_back, |from| from.min(looks_back)));
            feed.want |= asks_other;
        }
        if again {
            self.recheck(stream, now);
        }
        // H3: history will never tell.
        cut.into_iter().for_each(|time| self.declare_history(time, time));
        for (key, time, market) in settled {
            if read.first.is_none() {
                // Either this row never was, or history has forgotten it with everything before it.
                self.declare_history(read.start, time);
            }
            match self.twins.iter().position(|twin| twin.key == key) {
                Some(at) => {
                    let twin = self.twins.remove(at);
                    self.refuse_twin(twin);
                }
                None => self.settled_without(market, time, key),
            }
        }
        limit
    }

    /// C2: what is forgotten is compared with no answer any more: the floor stays behind rows from before this read for which
    /// another one will begin earlier, and behind those of the other stream that only this certificate still keeps.
    fn before_unseen(&mut self, stream: Stream, read: &Read, now: Instant) -> i64 {
        if self.feeds.iter().all(|feed| feed.older_events.0 == 0) {
            return i64::MAX;
        }
        let margin = self.settings.margin_ms;
        let begins = PerStream::from_fn(|of| match self.ledger.stream(of).certified {
            _ if self.feeds[of].older_events.0 == 0 => i64::MIN,
            _ if of == stream => read.start,
            certified => certified.map_or(i64::MIN, |time| time.saturating_sub(margin)),
        });
        let unreadable = self.unreadable();
        let before = self.marks.iter().filter(|&(_, time, mark)| {
            mark.is_unseen() && time < begins[mark.stream] && !lies_in(&unreadable, time)
        });
        let Some((first, looks)) = before.map(|(_, time, mark)| (time, mark.stream)).min_by_key(|row| row.0)
        else {
            return i64::MAX;
        };
        self.recheck(looks, now);
        self.recheck(stream, now);
        first.saturating_add(self.settings.margin_ms)
    }

    /// C2: a key that came on the other stream may be this endpoint's own: it lacks it, too.
    fn note_lacking(&mut self, stream: Stream, read: &Read, now: Instant) {
        let (Some(venue_time), Some(_)) = (read.venue_time, self.other(stream)) else { return };
        let reached = self.reached(read, venue_time.saturating_sub(self.settings.margin_ms));
        let (now_s, apart) = (self.seconds(now), self.apart());
        for (_, time, mark) in self.marks.iter_mut() {
            let compared = mark.is_unseen() && mark.stream != stream && read.start <= time;
            if compared && reached(time, mark) && !read.dense.contains(&time) {
                mark.note_lack(stream, now_s, apart);
            }
        }
    }

    /// Which rows an answer that looked up to `target` would show if they were real: also those of a time that the venue will not
    /// reach soon, when they came long enough ago.
    fn reached(&self, read: &Read, target: i64) -> impl Fn(i64, &Mark) -> bool + use<P> {
        let horizon = self.horizon();
        let (began, waited) = (self.millis(read.began), u64::try_from(self.settings.margin_ms).unwrap_or(0));
        move |time, mark| {
            let unreached = horizon.is_some_and(|horizon| time > horizon);
            time <= target || (unreached && mark.received.saturating_add(waited) <= began)
        }
    }

    fn other(&self, stream: Stream) -> Option<Stream> {
        self.ledger.streams().find(|&other| other != stream)
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(self.millis(now) / 1_000).unwrap_or(u32::MAX)
    }

    /// How far apart, in seconds, two answers are that count as two witnesses.
    fn apart(&self) -> u32 {
        u32::try_from(self.settings.recheck.as_secs()).unwrap_or(u32::MAX)
    }

    /// C2: what is held is not published, on whichever stream it came (a slice may come on both).
    fn before_held(&self) -> i64 {
        // A twin that history shows is an event that is not out yet; one it does not show may be nothing.
        let twins =
            self.twins.iter().filter(|twin| self.marks.get(twin.key).is_some_and(Mark::is_in_history));
        let rows = self.held.values().flat_map(Sequencer::rows);
        rows.chain(twins).map(|row| row.time.saturating_sub(1)).min().unwrap_or(i64::MAX)
    }

    /// C4: not past a gap until history was read often enough there: one answer may have been stale or have had a
    /// hole.
    fn before_open_gaps(&mut self, stream: Stream, read: &Read, target: i64, now: Instant) -> i64 {
        let (now_ms, apart_ms) = (self.millis(now), self.settings.apart_ms());
        let (mut limit, horizon) = (i64::MAX, self.horizon());
        let open: Vec<(GapId, i64, u8)> = self
            .ledger
            .gaps()
            .iter()
            .filter(|gap| gap.is_asked_for())
            .map(|gap| (gap.id.clone(), gap.to, self.tries_needed(gap)))
            .collect();
        let certified = self.ledger.stream(stream).certified;
        let mut again = false;
        for (id, to, needed) in open {
            let from = id.from;
            let tries = self.tries.entry(id).or_insert_with(|| PerStream::from_fn(|_| (0, 0)));
            let (count, last) = &mut tries[stream];
            let apart = now_ms.saturating_sub(*last) >= apart_ms || *count == 0;
            // A wrong time made it end where the venue will not be soon.
            let unreached = horizon.is_some_and(|horizon| to > horizon);
            if (target >= to || (unreached && target >= from)) && apart {
                (*count, *last) = (count.saturating_add(1), now_ms);
            }
            // S3: this endpoint has forgotten what was there, and that is declared: no read will fill it.
            if to < read.start && certified < Some(to) {
                *count = u8::MAX;
            }
            if *count < needed {
                limit = limit.min(from.saturating_sub(1));
                again = true;
            }
        }
        if again {
            self.recheck(stream, now);
        }
        limit
    }

    /// C4: reads of every stream have looked for it as often as they must; other gaps may go on holding `certified`
    /// back.
    pub(super) fn is_looked_at(&self, gap: &Gap) -> bool {
        let tries = self.tries.get(&gap.id);
        tries.is_some_and(|tries| self.ledger.streams().all(|stream| tries[stream].0 >= TRIES))
    }

    fn tries_needed(&self, gap: &Gap) -> u8 {
        // §5: with no room for more keys one read must do, or nothing ever moves.
        let full = self.marks.len() >= self.settings.key_cap;
        match gap.id.kind {
            GapKind::Chain | GapKind::Silent | GapKind::Outage if full => 1,
            GapKind::Chain if !gap.adds_up() => TRIES,
            GapKind::Chain | GapKind::Silent | GapKind::Outage => LOOKS,
            GapKind::Conflict | GapKind::History | GapKind::Shed => 0,
        }
    }

    /// K2: what is certified with the margin is known by rule.
    fn forget(&mut self) {
        let floor = self.ledger.floor();
        let certified = self.ledger.certified().filter(|_| planted!(self, ForgetsTooSoon));
        let floor = certified.unwrap_or(floor);
        let kept = self.ledger.kept_keys();
        self.marks
            .prune(floor, |key, mark| kept.contains(&key) || matches!(mark.state, State::Held | State::Twin));
        self.contents = self.marks.iter().map(|(_, time, mark)| content(mark.digest, time)).collect();
    }
}
