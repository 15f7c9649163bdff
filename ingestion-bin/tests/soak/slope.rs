//! Memory over work: resident KiB of one process by the fills that happened, and the line of least squares through the second half.

use std::fmt;

/// Fills from one look to the next.
const A_LOOK: usize = 250;
/// What a line through so many looks may rise over the whole half, MiB: what brokers that are away, a page of history, and the allocator
/// take and give back.
const NOISE_MIB: f64 = 16.0;
/// And by the number of fills, MiB for 100,000.
const RISE_MIB: f64 = 8.0;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Fills, MiB.
    looks: Vec<(f64, f64)>,
    next: usize,
}

impl Memory {
    /// Looks when so many more fills have happened.
    pub(crate) fn look(&mut self, fills: usize, kib: impl FnOnce() -> u64) {
        if fills >= self.next {
            self.next = fills + A_LOOK;
            self.looks.push((fills as f64, kib() as f64 / 1_024.0));
        }
    }

    fn second_half(&self) -> &[(f64, f64)] {
        &self.looks[self.looks.len() / 2..]
    }

    /// What the line rises over the second half, and for 100,000 fills.
    fn rise(&self) -> (f64, f64) {
        let half = self.second_half();
        let fills = half.last().map_or(0.0, |last| last.0) - half.first().map_or(0.0, |first| first.0);
        let slope = slope(half);
        (slope * fills, slope * 100_000.0)
    }

    /// Panics where it rises by more than it may.
    pub(crate) fn judge(&self) {
        let half = self.second_half();
        assert!(half.len() >= 20, "too few looks to tell: {}", half.len());
        let (rise, _) = self.rise();
        let fills = half[half.len() - 1].0 - half[0].0;
        let most = NOISE_MIB + RISE_MIB * fills / 100_000.0;
        assert!(rise <= most, "memory rises by {rise:.1} MiB of {most:.1} in {fills} fills: {self}");
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (half, (rise, a_hundred_thousand)) = (self.second_half(), self.rise());
        let of = |pick: fn(f64, f64) -> f64| half.iter().map(|look| look.1).reduce(pick).unwrap_or_default();
        write!(
            f,
            "{} looks in {} fills; in the second half {:.1} to {:.1} MiB, the line rises by {rise:.2} MiB, \
             {a_hundred_thousand:.2} for 100,000 fills",
            self.looks.len(),
            self.looks.last().map_or(0.0, |last| last.0),
            of(f64::min),
            of(f64::max),
        )
    }
}

/// Of the line of least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        (above + (point.0 - x) * (point.1 - y), below + (point.0 - x) * (point.0 - x))
    });
    if below > 0.0 { above / below } else { 0.0 }
}

#[test]
fn a_leak_is_seen_and_noise_is_not() {
    let of = |leak_bytes: f64| {
        let mut memory = Memory::default();
        for fills in (0..60_000).step_by(A_LOOK) {
            // A saw of 6 MiB beside it, as a broker that is away makes it.
            let saw = (fills / A_LOOK % 12) as f64 * 512.0;
            memory.look(fills, || (40_000.0 + saw + leak_bytes * fills as f64 / 1_024.0) as u64);
        }
        memory
    };
    of(0.0).judge();
    let (rise, a_hundred_thousand) = of(1_024.0).rise();
    assert!((27.0..31.0).contains(&rise) && (93.0..101.0).contains(&a_hundred_thousand), "{}", of(1_024.0));
    assert!(std::panic::catch_unwind(|| of(1_024.0).judge()).is_err(), "a KiB a fill is a leak");
}
