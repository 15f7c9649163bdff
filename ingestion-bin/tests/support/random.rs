//! A seeded generator (splitmix64): the same seed gives the same draws.

use std::time::Duration;

pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True `parts` times in a thousand.
    pub fn in_thousand(&mut self, parts: u64) -> bool {
        self.below(1_000) < parts
    }

    /// So many milliseconds, less than `end`.
    pub fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }

    /// True with this share.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (self.next() >> 11) as f64 / ((1_u64 << 53) as f64) < share
    }

    /// Between these two.
    pub fn between(&mut self, (from, to): (Duration, Duration)) -> Duration {
        let range = u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX);
        from + Duration::from_micros(if range == 0 { 0 } else { self.next() % range })
    }
}
