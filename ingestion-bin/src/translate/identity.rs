//! What the account machine needs to know of a row: its key, its content's digest, its place in the chain, its fate.
//!
//! Runs for every copy of every row, so it allocates nothing but what is new: a coin is looked up, not made, each time.

use std::collections::{HashMap, HashSet};

use dedup::key::{Identity, KeyParts};
use dedup::{Digest, FillKey, Link};
use hyperliquid_client::wire;
use signal_domain::{Decimal, MarketKind, Transition};

use super::fill::TranslateError;
use crate::account::{Fate, Market, Position, Row};

/// Which markets of an account make signals.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Interest {
    /// Spot markets do.
    pub spot: bool,
    /// Outcome markets do.
    pub outcomes: bool,
    /// Only these, by our names; empty: all.
    pub markets: HashSet<String>,
}

impl Interest {
    fn wants(&self, market: &signal_domain::Market) -> bool {
        let kind = match market.kind() {
            MarketKind::Perp => true,
            MarketKind::Spot => self.spot,
            MarketKind::Outcome => self.outcomes,
        };
        kind && (self.markets.is_empty() || self.markets.contains(market.name()))
    }
}

#[derive(Clone, Debug)]
struct Coin {
    market: Market,
    kind: MarketKind,
    wanted: bool,
}

/// Identifies the rows of one account.
#[derive(Debug)]
pub struct Identifier {
    account: [u8; 20],
    interest: Interest,
    coins: HashMap<Box<str>, Coin>,
}

impl Identifier {
    /// Coins remembered; beyond it they are made anew each time.
    const COINS_MAX: usize = 20_000;

    /// For rows of this account.
    #[must_use]
    pub fn new(account: [u8; 20], interest: Interest) -> Self {
        Self { account, interest, coins: HashMap::new() }
    }

    /// What a row is to the account machine.
    ///
    /// # Errors
    ///
    /// When the coin is no market's name, or a time or the position after the row does not fit.
    pub fn row(&mut self, row: &wire::Fill<'_>) -> Result<Row, TranslateError> {
        let time = i64::try_from(row.time).map_err(|_| TranslateError::Time(row.time))?;
        let side = match row.side {
            wire::Side::Buy => b'B',
            wire::Side::Sell => b'A',
        };
        let identity = if row.tid == 0 {
            Identity::Row { oid: row.oid, size: row.sz.text, start: row.start_position.text }
        } else {
            Identity::Trade { tid: row.tid }
        };
        let parts = KeyParts { account: &self.account, coin: row.coin, time_ms: time, side, identity };
        let key = FillKey::of(&parts);
        let digest = Digest::of(side, row.px.text, row.sz.text, Some(row.start_position.text));
        let coin = self.coin(row.coin)?;
        let transition = transition(row, coin.kind)?;
        let (before, after) = (position(transition.before()), position(transition.after()));
        let fate = match (coin.wanted, before == after) {
            (false, _) => Fate::Filtered,
            (true, true) => Fate::NoChange,
            (true, false) => Fate::Signal,
        };
        let strict = coin.kind.has_strict_chain();
        Ok(Row { key, digest, market: coin.market, strict, time, link: Some(Link { before, after }), fate })
    }

    fn coin(&mut self, text: &str) -> Result<Coin, TranslateError> {
        if let Some(coin) = self.coins.get(text) {
            return Ok(coin.clone());
        }
        let market = signal_domain::Market::from_coin(text)?;
        let coin = Coin {
            market: Market::new(market.name()),
            kind: market.kind(),
            wanted: self.interest.wants(&market),
        };
        if self.coins.len() < Self::COINS_MAX {
            self.coins.insert(text.into(), coin.clone());
        }
        Ok(coin)
    }
}

fn transition(row: &wire::Fill<'_>, kind: MarketKind) -> Result<Transition, TranslateError> {
    let number = |field: &'static str, text: &str| {
        Decimal::parse(text).map_err(|source| TranslateError::Number { field, source })
    };
    let (start, size) = (number("startPosition", row.start_position.text)?, number("sz", row.sz.text)?);
    let delta = match row.side {
        wire::Side::Buy => size,
        wire::Side::Sell => size.negated(),
    };
    Transition::new(start, delta, kind)
        .map_err(|source| TranslateError::Number { field: "startPosition", source })
}

pub(super) fn position(value: Decimal) -> Position {
    Position(exact(value))
}

/// The same number where sums are made of it; without trailing zeros, so that equal numbers look equal.
#[must_use]
pub fn exact(value: Decimal) -> rust_decimal::Decimal {
    let (digits, scale) = value.parts();
    rust_decimal::Decimal::from_i128_with_scale(digits, scale).normalize()
}
