//! Who listens, what they have shown, and who missed what.

use std::time::Instant;

use dedup::FillKey;

use super::mark::LISTENERS_MAX;
use super::{Machine, Output, PerStream, Stream};

/// One connection that carries the account.
#[derive(Debug, Default)]
pub(super) struct Listener {
    pub(super) up: bool,
    /// Its recycling was asked for.
    pub(super) leaving: bool,
    /// Venue time from which on it should have shown every row; nothing before its snapshot.
    pub(super) live_from: PerStream<Option<i64>>,
    /// Venue time of the newest row of the last frame it showed.
    pub(super) passed: PerStream<Option<i64>>,
}

/// A row that some live listener has not shown yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss {
    /// Milliseconds of our clock.
    pub(super) due: u64,
    pub(super) key: FillKey,
    pub(super) time: i64,
    pub(super) stream: Stream,
    /// How often its consequence was put off.
    put_off: u8,
}

/// So often nobody is recycled for a row while it is the only one who listens: a minute.
const PUT_OFF_MAX: u8 = 12;

/// More rows than this wait to be compared: the oldest are not.
const MISSES_MAX: usize = 4_096;

impl<P> Machine<P> {
    /// The listener's socket is open; it counts as live on a stream when that stream's snapshot came.
    pub fn handle_listener_up(&mut self, listener: usize, now: Instant) {
        let state = self.listener(listener);
        *state = Listener { up: true, ..Listener::default() };
        self.settle(now);
    }

    /// The listener's socket is gone, or it carries this account no more.
    pub fn handle_listener_down(&mut self, listener: usize, now: Instant) {
        self.take_doubted_of(listener, now);
        if !planted!(self, NeverBlind) {
            *self.listener(listener) = Listener::default();
        }
        for stream in Stream::ALL {
            self.feeds[stream].blind |= !self.listeners.iter().any(|l| l.live_from[stream].is_some());
        }
        self.settle(now);
    }

    /// Its snapshot came, with this newest row: from there on it should show every row.
    pub(super) fn begin_live(&mut self, listener: usize, stream: Stream, newest: Option<i64>) {
        let known = self.venue_time.max(self.newest_shown(stream));
        self.listener(listener).live_from[stream] = newest.max(known).or(Some(i64::MIN));
    }

    /// Whether this listener's snapshots of all streams came: it shows everything from then on.
    #[must_use]
    pub fn is_live_on(&self, listener: usize) -> bool {
        let shown = |listener: &Listener| self.ledger.streams().all(|s| listener.live_from[s].is_some());
        !self.ledger.is_removed() && self.listeners.get(listener).is_some_and(shown)
    }

    pub(super) fn listener(&mut self, number: usize) -> &mut Listener {
        let number = number.min(LISTENERS_MAX - 1);
        if self.listeners.len() <= number {
            self.listeners.resize_with(number + 1, Listener::default);
        }
        match self.listeners.get_mut(number) {
            Some(listener) => listener,
            None => unreachable!("the list was just made long enough"),
        }
    }

    /// Newest venue time that the last frames of this stream showed.
    pub(super) fn newest_shown(&self, stream: Stream) -> Option<i64> {
        self.listeners.iter().filter_map(|listener| listener.passed[stream]).max()
    }

    /// H1: every open listener has shown a strictly later millisecond on every stream.
    pub(super) fn all_passed(&self, time: i64) -> bool {
        let mut open = self.listeners.iter().filter(|listener| listener.up).peekable();
        open.peek().is_some()
            && open.all(|listener| self.ledger.streams().all(|stream| listener.passed[stream] > Some(time)))
    }

    pub(super) fn expect_everywhere(&mut self, key: FillKey, time: i64, stream: Stream, now: Instant) {
        if self.listeners.iter().filter(|listener| listener.up).count() == 0 {
            return;
        }
        if self.misses.len() >= MISSES_MAX {
            self.misses.pop_front();
        }
        let due = self.millis(now + self.settings.miss_after);
        self.misses.push_back(Miss { due, key, time, stream, put_off: 0 });
    }

    /// R6: a live listener that has not shown in time what another source did is recycled; the only one who listens, and goes on
    /// showing newer rows, when another one does again.
    pub(super) fn drive_misses(&mut self, now: Instant) {
        let now_ms = self.millis(now);
        while let Some(miss) = self.misses.front().copied().filter(|miss| miss.due <= now_ms) {
            self.misses.pop_front();
            let Some(mark) = self.marks.get(miss.key) else { continue };
            let mut puts_off = false;
            for number in 0..self.listeners.len() {
                let is_only = !self.listens_beside(number);
                let Some(listener) = self.listeners.get_mut(number) else { continue };
                // A row may come on either stream's channel.
                let live = listener.live_from[miss.stream].is_some_and(|from| from < miss.time);
                if !live || listener.leaving || mark.is_shown_by(number) {
                    continue;
                }
                let goes_on = listener.passed[miss.stream] > Some(miss.time);
                if is_only && goes_on && miss.put_off < PUT_OFF_MAX {
                    puts_off = true;
                    continue;
                }
                listener.leaving = true;
                self.counts.recycles += 1;
                self.out.push_back(Output::Recycle { listener: number });
            }
            if puts_off {
                let due = self.millis(now + self.settings.miss_after);
                self.misses.push_back(Miss { due, put_off: miss.put_off + 1, ..miss });
            }
        }
    }

    /// Whether another listener shows everything meanwhile.
    fn listens_beside(&self, number: usize) -> bool {
        self.another(number, |other| self.ledger.streams().all(|stream| other.live_from[stream].is_some()))
    }

    /// Whether there is such a listener beside this one that is not to leave.
    pub(super) fn another(&self, number: usize, is_such: impl Fn(&Listener) -> bool) -> bool {
        let mut others = self.listeners.iter().enumerate();
        others.any(|(other, listener)| other != number && !listener.leaving && is_such(listener))
    }
}
