//! The newest few durations. Memory: 4 bytes each, no allocation; whole milliseconds, at most 49 days.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Window {
    millis: [u32; Self::NEWEST],
    len: usize,
    next: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { millis: [0; Self::NEWEST], len: 0, next: 0 }
    }
}

impl Window {
    /// Enough that no single frame moves the middle, few enough that it follows within seconds.
    pub(super) const NEWEST: usize = 32;

    pub(super) fn push(&mut self, duration: Duration) {
        if let Some(place) = self.millis.get_mut(self.next) {
            *place = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        }
        self.next = (self.next + 1) % Self::NEWEST;
        self.len = (self.len + 1).min(Self::NEWEST);
    }

    /// As many are longer as are shorter; of two in the middle the shorter.
    pub(super) fn middle(&self) -> Option<Duration> {
        let mut sorted = self.millis;
        let kept = sorted.get_mut(..self.len)?;
        kept.sort_unstable();
        kept.get(self.len.checked_sub(1)? / 2).map(|millis| Duration::from_millis((*millis).into()))
    }

    pub(super) fn most(&self) -> Option<Duration> {
        let longest = self.millis.get(..self.len)?.iter().max();
        longest.map(|millis| Duration::from_millis((*millis).into()))
    }
}
