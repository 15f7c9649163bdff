//! Seeded random numbers (SplitMix64), so that one seed replays a whole run.
//! Not for secrets. Integer arithmetic only: the same numbers on every platform.

/// A SplitMix64 generator.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// A generator for `seed`; `lane` separates users of one seed from each other.
    pub(super) fn new(seed: u64, lane: u64) -> Self {
        let mut rng = Self(seed ^ lane.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        rng.next(); // neighbouring seeds part ways after one step
        rng
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `0..n`; 0 for `n == 0`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next() % n } // the bias is under 2^-40 for the small n used here
    }

    /// Uniform in `low..=high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True with probability `p` (0..=1).
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0.0..1.0`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `items`, or nothing where there is none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_lanes_differ() {
        let draw = |seed, lane| (0..8).map(|_| Rng::new(seed, lane).next()).collect::<Vec<_>>();
        let mut a = Rng::new(7, 1);
        let mut b = Rng::new(7, 1);
        assert_eq!(
            (0..100).map(|_| a.next()).collect::<Vec<_>>(),
            (0..100).map(|_| b.next()).collect::<Vec<_>>()
        );
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn ranges_hold() {
        let mut rng = Rng::new(1, 0);
        for _ in 0..10_000 {
            assert!((3..=9).contains(&rng.between(3, 9)));
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert_eq!(rng.below(0), 0);
    }
}
