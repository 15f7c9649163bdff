//! How long to wait before connecting again, and how many connections a minute may be opened. Monotonic clock, given by the caller.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A small random number generator (SplitMix64), seeded by the caller so that runs repeat. Not for secrets.
#[derive(Clone, Debug)]
pub struct SmallRng(u64);

impl SmallRng {
    /// A generator; equal seeds give equal runs.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in 0.0..1.0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How to back off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackoffConfig {
    /// First wait; zero would try again at once, for ever.
    pub initial: Duration,
    /// Longest wait before jitter.
    pub max: Duration,
    /// Share added at random, 0.0 to 1.0 of the wait.
    pub jitter: f64,
    /// Only this much time with real data on the connection starts the series anew.
    pub reset_after: Duration,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(250),
            max: Duration::from_secs(20),
            jitter: 0.5,
            reset_after: Duration::from_secs(30),
        }
    }
}

/// Waits between attempts: `initial` × 2ⁿ up to `max`, plus jitter, so that many connections cut at once do not come back at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: BackoffConfig,
    rng: SmallRng,
    failures: u32,
    data_since: Option<Instant>,
}

impl Backoff {
    /// A series with its own jitter. A `jitter` outside 0.0 to 1.0 is brought inside.
    #[must_use]
    pub fn new(mut config: BackoffConfig, rng: SmallRng) -> Self {
        config.jitter = if config.jitter.is_finite() { config.jitter.clamp(0.0, 1.0) } else { 0.0 };
        Self { config, rng, failures: 0, data_since: None }
    }

    /// The connection failed or ended: how long to wait before the next attempt.
    #[must_use = "wait this long before connecting again"]
    pub fn after_failure(&mut self) -> Duration {
        self.data_since = None;
        let doubled =
            self.config.initial.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let wait = doubled.min(self.config.max);
        wait.saturating_add(wait.mul_f64(self.rng.unit() * self.config.jitter))
    }

    /// Real data (not an acknowledgement, not a pong) came in. After `reset_after` of it the series starts anew.
    pub fn on_data(&mut self, now: Instant) {
        let since = *self.data_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= self.config.reset_after {
            self.failures = 0;
        }
    }

    /// Failures since the series last started anew.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

/// New connections of one public address, at most so many in any minute. Memory: one instant for each of them.
#[derive(Clone, Debug)]
pub struct ConnectionPace {
    per_minute: usize,
    opened: VecDeque<Instant>,
}

impl ConnectionPace {
    /// At most `per_minute` (at least one).
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: usize::try_from(per_minute.max(1)).unwrap_or(usize::MAX), opened: VecDeque::new() }
    }

    /// Takes a place for a connection opened now.
    ///
    /// # Errors
    /// The instant from which a place is free, when the minute is full.
    pub fn try_open(&mut self, now: Instant) -> Result<(), Instant> {
        self.forget_old(now);
        match self.opened.front() {
            Some(oldest) if self.opened.len() >= self.per_minute => Err(*oldest + MINUTE),
            _ => {
                self.opened.push_back(now);
                Ok(())
            }
        }
    }
}

impl ConnectionPace {
    /// Places that are free now.
    pub fn free(&mut self, now: Instant) -> usize {
        self.forget_old(now);
        self.per_minute.saturating_sub(self.opened.len())
    }

    fn forget_old(&mut self, now: Instant) {
        while self.opened.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.opened.pop_front();
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
    fn start() -> Instant {
        Instant::now()
    }

    proptest! {
        #[test]
        fn waits_double_up_to_the_cap_with_at_most_half_as_much_again(seed: u64, failures in 1_u32..80) {
            let mut backoff = Backoff::new(BackoffConfig::default(), SmallRng::seeded(seed));
            for n in 0..failures {
                let plain = Duration::from_millis(250).saturating_mul(1 << n.min(20)).min(Duration::from_secs(20));
                let wait = backoff.after_failure();
                prop_assert!(wait >= plain && wait <= plain.mul_f64(1.5), "{wait:?} {plain:?}");
            }
        }

        #[test]
        fn no_minute_has_more_connections_than_allowed(gaps in prop::collection::vec(0_u64..5_000, 1..300)) {
            let mut pace = ConnectionPace::new(30);
            let mut now = start();
            let mut opened: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                match pace.try_open(now) {
                    Ok(()) => opened.push(now),
                    Err(free) => prop_assert!(free > now),
                }
                let recent = opened.iter().filter(|at| now.duration_since(**at) < MINUTE).count();
                prop_assert!(recent <= 30);
            }
        }
    }

    #[test]
    fn only_half_a_minute_of_data_starts_anew() {
        let mut backoff = Backoff::new(BackoffConfig::default(), SmallRng::seeded(1));
        let now = start();
        for _ in 0..5 {
            let _ = backoff.after_failure();
        }
        backoff.on_data(now);
        backoff.on_data(now + Duration::from_secs(29));
        assert_eq!(backoff.failures(), 5);
        backoff.on_data(now + Duration::from_secs(30));
        assert_eq!(backoff.failures(), 0);
    }
}
