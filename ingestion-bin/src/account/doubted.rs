//! Snapshots that show nothing known although another listener is live (R2): most likely that one is a moment behind. They are kept
//! back until it has shown one of their rows, or for as long as a row is held; it shows what it shows meanwhile.

use std::time::Instant;

use super::feed::Kept;
use super::{Machine, Row, Stream};

/// A snapshot and what its listener showed of the stream after it.
#[derive(Debug)]
pub(super) struct Doubted<P> {
    listener: usize,
    stream: Stream,
    until: Instant,
    snapshot: Kept<P>,
    frames: Vec<Kept<P>>,
}

impl<P> Machine<P> {
    /// Whether the frame waits, with all that its listener shows after it.
    pub(super) fn keeps_back(
        &mut self,
        listener: usize,
        stream: Stream,
        snapshot: bool,
        rows: &[Row],
        make: &mut dyn FnMut(usize) -> P,
        now: Instant,
    ) -> bool {
        let place = self.doubted.iter().position(|kept| (kept.listener, kept.stream) == (listener, stream));
        match place {
            Some(place) if snapshot => self.take_doubted(place, now),
            Some(place) => {
                if let Some(kept) = self.doubted.get_mut(place) {
                    kept.frames.push(Kept::new(listener, rows, make));
                }
                return true;
            }
            None => {}
        }
        let doubts = snapshot
            && !rows.is_empty()
            && self.ledger.stream(stream).baseline.is_some()
            && self.feeds[stream].gate.is_none()
            && self.feeds[stream].distrusted.is_none()
            && self.another_is_live(listener, stream)
            && !self.overlaps(stream, rows);
        if doubts {
            self.counts.doubted += 1;
            let newest = self.believable(rows, now).max();
            self.begin_live(listener, stream, newest);
            let (until, snapshot) = (now + self.settings.hold, Kept::new(listener, rows, make));
            self.doubted.push(Doubted { listener, stream, until, snapshot, frames: Vec::new() });
        }
        doubts
    }

    /// Takes what another listener has borne out, or nobody can any more.
    pub(super) fn drive_doubted(&mut self, now: Instant) {
        while let Some(place) = self.doubted.iter().position(|kept| self.is_settled(kept, now)) {
            self.take_doubted(place, now);
        }
    }

    fn is_settled(&self, kept: &Doubted<P>, now: Instant) -> bool {
        kept.until <= now
            || !self.another_is_live(kept.listener, kept.stream)
            || self.overlaps(kept.stream, &kept.snapshot.rows)
    }

    /// What a listener showed before it went.
    pub(super) fn take_doubted_of(&mut self, listener: usize, now: Instant) {
        while let Some(place) = self.doubted.iter().position(|kept| kept.listener == listener) {
            self.take_doubted(place, now);
        }
    }

    pub(super) fn doubted_until(&self) -> Option<Instant> {
        self.doubted.iter().map(|kept| kept.until).min()
    }

    pub(super) fn doubted_rows(&self) -> usize {
        self.doubted_times().count()
    }

    pub(super) fn doubted_times(&self) -> impl Iterator<Item = i64> {
        let frames = self.doubted.iter().flat_map(|kept| kept.frames.iter().chain([&kept.snapshot]));
        frames.flat_map(|kept| &kept.rows).map(|row| row.time)
    }

    fn take_doubted(&mut self, place: usize, now: Instant) {
        let Doubted { listener, stream, snapshot, frames, .. } = self.doubted.remove(place);
        let frames = std::iter::once((true, snapshot)).chain(frames.into_iter().map(|kept| (false, kept)));
        for (is_snapshot, mut kept) in frames {
            let (rows, mut make) = kept.replay();
            self.take_frame(listener, stream, is_snapshot, rows, &mut make, now);
        }
    }

    fn another_is_live(&self, listener: usize, stream: Stream) -> bool {
        self.another(listener, |other| other.live_from[stream].is_some())
    }
}
