//! The markets of the synthetic venue: main perps, one HIP-3 perp, two spot pairs. Prices are integers of a tick.

use super::super::print::{UNIT, float};
use super::super::rng::Rng;

/// One market: what it is called, how it is quoted, how lively it is.
#[derive(Clone, Debug)]
pub(super) struct Coin {
    /// Name on the wire.
    pub(super) name: &'static str,
    /// Smallest size in units of 10^-8.
    pub(super) lot: i64,
    /// Ticks in one quote unit, a power of ten.
    ticks_per_one: f64,
    /// Largest move of one step, as a part of the price.
    swing: f64,
    /// What the price is pulled back to, in ticks.
    home: f64,
    /// Now, in ticks.
    ticks: f64,
    /// The token bought on a spot market; `None` for perps.
    pub(super) base: Option<&'static str>,
}

impl Coin {
    fn new(
        name: &'static str,
        lot: i64,
        ticks_per_one: f64,
        px: f64,
        swing: f64,
        base: Option<&'static str>,
    ) -> Self {
        let home = px * ticks_per_one;
        Self { name, lot, ticks_per_one, swing, home, ticks: home, base }
    }

    /// Moves the price one step: a random walk with a weak pull home. Only `+ - *`: the same on every platform.
    pub(super) fn step(&mut self, rng: &mut Rng) {
        let draw = rng.unit() + rng.unit() - 1.0;
        let pull = (self.home - self.ticks) * 0.002;
        self.ticks = (self.ticks * (1.0 + self.swing * draw) + pull).round().max(1.0);
    }

    /// Price now, shifted by `ticks` (a market order walks the book).
    pub(super) fn px(&self, ticks: i64) -> f64 {
        (self.ticks + ticks as f64).max(1.0) / self.ticks_per_one
    }

    /// The same as the venue prints it.
    pub(super) fn px_text(&self, ticks: i64) -> String {
        float(self.px(ticks))
    }

    /// Whole lots of this coin, in units.
    pub(super) fn lots(&self, n: i64) -> i64 {
        n.saturating_mul(self.lot)
    }
}

/// Index of each market in [`all`].
pub(super) const BTC: usize = 0;
pub(super) const ETH: usize = 1;
pub(super) const SOL: usize = 2;
/// Cheap and held in millions: its positions show float noise.
pub(super) const USUAL: usize = 3;
pub(super) const XYZ_CL: usize = 4;
pub(super) const HYPE_SPOT: usize = 5;
pub(super) const PURR_SPOT: usize = 6;

/// Every market, in index order.
pub(super) fn all() -> Vec<Coin> {
    vec![
        Coin::new("BTC", UNIT / 100_000, 1.0, 80_640.0, 0.000_3, None),
        Coin::new("ETH", UNIT / 10_000, 10.0, 2_400.5, 0.000_4, None),
        Coin::new("SOL", UNIT / 100, 100.0, 94.87, 0.000_6, None),
        Coin::new("USUAL", UNIT / 10, 1_000_000.0, 0.011_52, 0.001, None),
        Coin::new("xyz:CL", UNIT / 1_000, 1_000.0, 85.491, 0.000_5, None),
        Coin::new("@107", UNIT / 100, 1_000.0, 31.737, 0.000_5, Some("HYPE")),
        Coin::new("PURR/USDC", UNIT, 100_000.0, 0.067_13, 0.000_8, Some("PURR")),
    ]
}
