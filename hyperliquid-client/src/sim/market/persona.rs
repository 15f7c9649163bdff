//! Who trades on the synthetic venue, and how: data only. Addresses follow from the name, whatever the seed.

use std::sync::Arc;

use super::super::rng::Rng;
use super::coins::{BTC, ETH, HYPE_SPOT, PURR_SPOT, SOL, USUAL, XYZ_CL};

/// A habit of trading. Chances are per step (one block of 200 ms by default).
#[derive(Clone, Debug)]
pub(super) struct Persona {
    /// Short name, shown in demos.
    pub(super) name: &'static str,
    /// `0x` and 40 hex digits, lower case.
    pub(super) address: Arc<str>,
    /// Worth following in a demo; the rest make the market.
    pub(super) followed: bool,
    /// Markets: index and usual order in lots.
    pub(super) markets: &'static [(usize, i64)],
    /// Chance of an order in a step.
    pub(super) chance: f64,
    /// Most pieces one order is filled in.
    pub(super) pieces: u64,
    /// Weights of add, trim, close, flip while a position is open.
    pub(super) weights: [u64; 4],
    /// Trades by TWAP only.
    pub(super) twap: bool,
    /// Liquidated now and then.
    pub(super) reckless: bool,
}

impl Persona {
    fn new(name: &'static str, markets: &'static [(usize, i64)], chance: f64) -> Self {
        Self {
            name,
            address: address(name),
            followed: true,
            markets,
            chance,
            pieces: 2,
            weights: [4, 3, 2, 1],
            twap: false,
            reckless: false,
        }
    }
}

/// An address that belongs to `name` and to no one real: its digits are random.
fn address(name: &str) -> Arc<str> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut rng = Rng::new(seed, 0);
    let digits = format!("{:016x}{:016x}{:08x}", rng.next(), rng.next(), rng.next() >> 32);
    format!("0x{digits}").into()
}

/// Everyone. The followed come first; the last two are the makers who take what is left.
pub(super) fn all() -> Vec<Persona> {
    let maker = |name| Persona { followed: false, ..Persona::new(name, &[], 0.0) };
    vec![
        Persona::new("scalper", &[(BTC, 800), (ETH, 2_500)], 0.35),
        Persona { weights: [1, 1, 1, 4], pieces: 3, ..Persona::new("flipper", &[(SOL, 6_000)], 0.25) },
        Persona { twap: true, ..Persona::new("slicer", &[(ETH, 900), (BTC, 40)], 0.1) },
        Persona { pieces: 6, ..Persona::new("whale", &[(USUAL, 1_234_567), (BTC, 90_000)], 0.15) },
        Persona::new("roamer", &[(XYZ_CL, 50_000), (HYPE_SPOT, 310), (PURR_SPOT, 420)], 0.25),
        Persona {
            weights: [6, 1, 1, 1],
            reckless: true,
            ..Persona::new("gambler", &[(SOL, 40_000), (BTC, 6_000)], 0.12)
        },
        maker("maker-1"),
        maker("maker-2"),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn addresses_are_well_formed_and_distinct() {
        let all = all();
        let distinct: HashSet<_> = all.iter().map(|persona| persona.address.clone()).collect();
        assert_eq!(distinct.len(), all.len());
        for persona in &all {
            assert_eq!(persona.address.len(), 42, "{}", persona.name);
            assert!(persona.address.bytes().skip(2).all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
    }
}
