//! What the venue showed of an account's equity and positions, as it is journaled (`record::DexShown`). The live account and the
//! journal's fold keep the same book, so the context of a signal is a function of the records before it.
//!
//! Venue milliseconds only. Memory: the newest state of each dex, and of markets that were left in the last two minutes the leverage.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signal_domain::CONTEXT_MAX_AGE_MS;

use crate::account::{Market, Position};
use crate::record::{ContextBody, DexShown, Held};

/// See the module.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct VenueBook {
    dexes: BTreeMap<String, DexShown>,
    /// Positions that were shown lately and are not any more. What was set for them stands when they are opened again.
    left: BTreeMap<Market, (i64, Held)>,
}

impl VenueBook {
    /// A new epoch; a fresh one follows anew.
    pub fn epoch(&mut self, fresh: bool) {
        if fresh {
            *self = Self::default();
        }
    }

    /// Takes a journaled state; an older one than is known changes nothing.
    pub fn keep(&mut self, shown: &DexShown) {
        if self.dexes.get(&shown.dex).is_some_and(|known| known.time >= shown.time) {
            return;
        }
        if let Some(before) = self.dexes.insert(shown.dex.clone(), shown.clone()) {
            let is_gone = |held: &Held| !shown.held.iter().any(|now| now.market == held.market);
            for held in before.held.into_iter().filter(is_gone) {
                self.left.insert(held.market.clone(), (before.time, held));
            }
        }
        self.left.retain(|_, (time, _)| is_near(*time, shown.time));
    }

    /// The newest state of a dex.
    #[must_use]
    pub fn dex(&self, dex: &str) -> Option<&DexShown> {
        self.dexes.get(dex)
    }

    /// The newest open position in a market.
    #[must_use]
    pub fn held(&self, market: &Market) -> Option<&Held> {
        self.dexes.get(dex_of(market)?)?.held.iter().find(|held| held.market == *market)
    }

    /// Every market with an open position.
    pub fn markets(&self) -> impl Iterator<Item = &Market> {
        self.dexes.values().flat_map(|dex| dex.held.iter().map(|held| &held.market))
    }

    /// Equity over all dexes.
    #[must_use]
    pub fn account_value(&self) -> Option<Position> {
        let of = |dex: &DexShown| dex.account_value.as_deref()?.parse().ok().map(Position);
        self.dexes.values().filter_map(of).reduce(Position::plus)
    }

    /// The context of a fill of this time: the newest state of the market's dex, where it is near enough.
    #[must_use]
    pub fn context(&self, market: &Market, time: i64) -> Option<ContextBody<'_>> {
        let dex = self.dexes.get(dex_of(market)?).filter(|dex| is_near(dex.time, time))?;
        let held = self.held(market);
        let left = || self.left.get(market).filter(|(shown, _)| is_near(*shown, time)).map(|(_, held)| held);
        let set = held.or_else(left);
        Some(ContextBody {
            as_of: u64::try_from(dex.time).ok()?,
            account_value: dex.account_value.as_deref().map(Into::into),
            leverage: set.and_then(|held| held.leverage),
            margin_mode: set.and_then(|held| held.margin_mode.as_deref()).map(Into::into),
            entry_price: held.and_then(|held| held.entry_price.as_deref()).map(Into::into),
        })
    }
}

/// The dex where a market's position is shown: `xyz` for `xyz:TSLA-PERP`, `""` for `ETH-PERP`; none for what is no perp.
#[must_use]
pub fn dex_of(market: &Market) -> Option<&str> {
    let coin = market.as_str().strip_suffix("-PERP")?;
    Some(coin.split_once(':').map_or("", |(dex, _)| dex))
}

fn is_near(one: i64, other: i64) -> bool {
    one.abs_diff(other) <= CONTEXT_MAX_AGE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(time: i64, held: &[(&str, u64)]) -> DexShown {
        let held = held.iter().map(|(market, leverage)| Held {
            market: Market::new(market),
            size: Position::default(),
            entry_price: Some("7".to_owned()),
            leverage: Some(*leverage),
            margin_mode: Some("cross".to_owned()),
        });
        let account_value = Some(time.to_string());
        DexShown { dex: String::new(), time, account_value, held: held.collect() }
    }

    #[test]
    fn the_newest_state_counts_for_two_minutes() {
        let (mut book, eth) = (VenueBook::default(), Market::new("ETH-PERP"));
        assert_eq!(book.context(&eth, 1_000), None);
        book.keep(&shown(200_000, &[("ETH-PERP", 5)]));
        book.keep(&shown(100_000, &[("ETH-PERP", 9)]));
        let context = book.context(&eth, 320_000).expect("near enough");
        assert_eq!((context.as_of, context.leverage), (200_000, Some(5)));
        assert_eq!(context.account_value.as_deref(), Some("200000"));
        assert_eq!(context.entry_price.as_deref(), Some("7"));
        assert_eq!((book.context(&eth, 320_001), book.context(&eth, 79_999)), (None, None));
        assert!(book.context(&eth, 80_000).is_some(), "a fill that came late");
        let dusk = Market::new("xyz:TSLA-PERP");
        assert_eq!(book.context(&dusk, 200_000), None, "no state of that dex was shown");
        assert_eq!(book.context(&Market::new("@107"), 200_000), None, "spot has no leverage");
    }

    #[test]
    fn leverage_stands_for_a_while_after_the_position_is_left() {
        let (mut book, eth) = (VenueBook::default(), Market::new("ETH-PERP"));
        book.keep(&shown(100_000, &[("ETH-PERP", 5)]));
        book.keep(&shown(130_000, &[]));
        let context = book.context(&eth, 140_000).expect("a state");
        assert_eq!((context.as_of, context.leverage, context.entry_price), (130_000, Some(5), None));
        book.keep(&shown(210_000, &[]));
        assert_eq!(book.context(&eth, 221_000).and_then(|context| context.leverage), None);
        book.keep(&shown(300_000, &[]));
        assert!(book.left.is_empty());
    }
}
