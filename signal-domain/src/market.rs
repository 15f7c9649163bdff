//! Market names. What the venue calls a coin says what kind of market it is; no look-up decides it.
//!
//! | the venue's coin | kind | our name |
//! |---|---|---|
//! | `ETH`, `kPEPE` | perp | `ETH-PERP` |
//! | `xyz:TSLA` (a perp of a builder's dex) | perp | `xyz:TSLA-PERP` |
//! | `PURR/USDC`, `@107` | spot | the same |
//! | `#2310`, `+2310` | outcome | the same |

use std::{fmt, sync::Arc};

const PERP_SUFFIX: &str = "-PERP";

/// What kind of market a name stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MarketKind {
    /// A perpetual future: fills form a strict chain of positions.
    Perp,
    /// A spot pair: balances also move by fees and transfers, so there is no strict chain.
    Spot,
    /// A side of an outcome market: as spot.
    Outcome,
}

impl MarketKind {
    /// Decimals a position of this kind can have at the venue: 6 for perps (`szDecimals` never exceeds 6), 10 elsewhere.
    pub const fn position_decimals(self) -> u32 {
        match self {
            Self::Perp => 6,
            Self::Spot | Self::Outcome => 10,
        }
    }

    /// Whether each fill must start where the one before it ended.
    pub const fn has_strict_chain(self) -> bool {
        matches!(self, Self::Perp)
    }
}

/// A market, known by its name. Cheap to clone.
///
/// ```
/// use signal_domain::{Market, MarketKind};
///
/// let market = Market::from_coin("xyz:TSLA")?;
/// assert_eq!(market.name(), "xyz:TSLA-PERP");
/// assert_eq!(market.raw_symbol(), "xyz:TSLA");
/// assert_eq!(market.kind(), MarketKind::Perp);
/// assert_eq!(Market::from_name("xyz:TSLA-PERP")?, market);
/// # Ok::<(), signal_domain::MarketError>(())
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Market {
    name: Arc<str>,
    kind: MarketKind,
}

/// Why a text names no market.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MarketError {
    /// Nothing there.
    #[error("the market name is empty")]
    Empty,
    /// Longer than any market's name.
    #[error("{text:?}… is longer than {max} bytes", max = Market::COIN_MAX_LEN)]
    TooLong {
        /// Its beginning.
        text: Box<str>,
    },
    /// A control character in it.
    #[error("{text:?} holds a control character")]
    ControlCharacter {
        /// What was given.
        text: Box<str>,
    },
    /// Neither a perp's name nor one the venue uses for spot and outcomes.
    #[error("{text:?} is no market: perps end in -PERP, spot is @n or BASE/QUOTE, outcomes are #n")]
    NoSuchForm {
        /// What was given.
        text: Box<str>,
    },
}

impl Market {
    /// Bytes of the longest coin accepted; the longest known has 20.
    pub const COIN_MAX_LEN: usize = 64;

    /// The market of a coin, as the venue writes it in fills and trades.
    ///
    /// # Errors
    /// [`MarketError`] when it is empty, longer than [`Market::COIN_MAX_LEN`] bytes, or holds a control character.
    pub fn from_coin(coin: &str) -> Result<Self, MarketError> {
        check(coin, Self::COIN_MAX_LEN)?;
        let kind = kind_of(coin);
        let name = match kind {
            MarketKind::Perp => [coin, PERP_SUFFIX].concat().into(),
            MarketKind::Spot | MarketKind::Outcome => coin.into(),
        };
        Ok(Self { name, kind })
    }

    /// The market of one of our own names, as in a registry entry or on the command line.
    ///
    /// # Errors
    /// [`MarketError`] as in [`Market::from_coin`], and [`MarketError::NoSuchForm`] for a perp without its suffix.
    pub fn from_name(name: &str) -> Result<Self, MarketError> {
        check(name, Self::COIN_MAX_LEN + PERP_SUFFIX.len())?;
        match kind_of(name) {
            MarketKind::Perp => match name.strip_suffix(PERP_SUFFIX) {
                Some(coin) if !coin.is_empty() => Self::from_coin(coin),
                _ => Err(MarketError::NoSuchForm { text: name.into() }),
            },
            MarketKind::Spot | MarketKind::Outcome => Self::from_coin(name),
        }
    }

    /// Our name: `ETH-PERP`, `@107`, `#2310`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The venue's name: `ETH`, `@107`, `#2310`.
    pub fn raw_symbol(&self) -> &str {
        match self.kind {
            MarketKind::Perp => self.name.strip_suffix(PERP_SUFFIX).unwrap_or(&self.name),
            MarketKind::Spot | MarketKind::Outcome => &self.name,
        }
    }

    /// What kind of market it is.
    pub const fn kind(&self) -> MarketKind {
        self.kind
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

fn check(text: &str, max: usize) -> Result<(), MarketError> {
    if text.is_empty() {
        return Err(MarketError::Empty);
    }
    if text.len() > max {
        return Err(MarketError::TooLong { text: text.chars().take(32).collect() });
    }
    if text.chars().any(char::is_control) {
        return Err(MarketError::ControlCharacter { text: text.into() });
    }
    Ok(())
}

/// Works on coins and on our names alike: the suffix changes no mark. A dex prefix exists on perps only.
fn kind_of(coin: &str) -> MarketKind {
    match coin.as_bytes().first() {
        Some(b'#' | b'+') => MarketKind::Outcome,
        Some(b'@') => MarketKind::Spot,
        _ if coin.contains(':') => MarketKind::Perp,
        _ if coin.contains('/') => MarketKind::Spot,
        _ => MarketKind::Perp,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn coins_say_what_they_are() {
        use MarketKind::{Outcome, Perp, Spot};
        for (coin, name, kind) in [
            ("ETH", "ETH-PERP", Perp),
            ("kPEPE", "kPEPE-PERP", Perp),
            ("xyz:TSLA", "xyz:TSLA-PERP", Perp),
            ("PURR/USDC", "PURR/USDC", Spot),
            ("@107", "@107", Spot),
            ("#2310", "#2310", Outcome),
            ("+2310", "+2310", Outcome),
        ] {
            let market = Market::from_coin(coin).unwrap();
            assert_eq!((market.name(), market.raw_symbol(), market.kind()), (name, coin, kind));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Market::from_coin(""), Err(MarketError::Empty));
        assert!(matches!(Market::from_coin(&"x".repeat(65)), Err(MarketError::TooLong { .. })));
        assert!(matches!(Market::from_coin("E\u{1b}[31mTH"), Err(MarketError::ControlCharacter { .. })));
        assert!(matches!(Market::from_coin("ETH\0"), Err(MarketError::ControlCharacter { .. })));
        assert!(matches!(Market::from_name("ETH"), Err(MarketError::NoSuchForm { .. })));
        assert!(matches!(Market::from_name("-PERP"), Err(MarketError::NoSuchForm { .. })));
    }

    proptest! {
        #[test]
        fn names_and_coins_lead_to_each_other(coin in "[#@+]?[A-Za-z0-9:/.é-]{1,30}(-PERP)?") {
            let market = Market::from_coin(&coin).unwrap();
            prop_assert_eq!(market.raw_symbol(), coin.as_str());
            prop_assert_eq!(Market::from_name(market.name()).unwrap(), market);
        }

        #[test]
        fn different_coins_are_different_markets(a in "[#@+]?[A-Z:/]{1,3}(-PERP)?", b in "[#@+]?[A-Z:/]{1,3}(-PERP)?") {
            let names = (Market::from_coin(&a).unwrap(), Market::from_coin(&b).unwrap());
            prop_assert_eq!(names.0.name() == names.1.name(), a == b);
        }
    }
}
