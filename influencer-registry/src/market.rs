//! The name of a market, by shape only: no look-up says whether the venue lists it.
//!
//! Perps end in `-PERP` (`ETH-PERP`, `xyz:TSLA-PERP`), spot has the venue's own name (`PURR/USDC`, `@107`),
//! outcomes are `#` and a number.

use std::{fmt, str::FromStr, sync::Arc};

/// The most bytes a [`Market`] may have.
pub const MARKET_BYTES_MAX: usize = 64;

/// A market name of one of the known shapes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Market(Arc<str>);

impl Market {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Market {
    type Err = BadMarket;

    fn from_str(text: &str) -> Result<Self, BadMarket> {
        if text.len() <= MARKET_BYTES_MAX && (is_perp(text) || is_spot(text) || is_numbered(text, '#')) {
            Ok(Self(text.into()))
        } else {
            Err(BadMarket)
        }
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// The text has no market's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a market looks like ETH-PERP, xyz:TSLA-PERP, PURR/USDC, @107 or #5")]
pub struct BadMarket;

fn is_perp(text: &str) -> bool {
    let Some(coin) = text.strip_suffix("-PERP") else { return false };
    match coin.split_once(':') {
        Some((dex, coin)) => is_symbol(dex) && is_symbol(coin),
        None => is_symbol(coin),
    }
}

fn is_spot(text: &str) -> bool {
    let pair = text.split_once('/').is_some_and(|(base, quote)| is_symbol(base) && is_symbol(quote));
    pair || is_numbered(text, '@')
}

fn is_numbered(text: &str, mark: char) -> bool {
    text.strip_prefix(mark).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Letters and digits of any script (venue token names are free text), and the marks `_ . -`.
fn is_symbol(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_shapes_pass_and_others_do_not() {
        for good in ["ETH-PERP", "kPEPE-PERP", "xyz:TSLA-PERP", "PURR/USDC", "@107", "#5"] {
            assert_eq!(good.parse::<Market>().unwrap().as_str(), good);
        }
        let long = format!("{}-PERP", "A".repeat(60));
        for bad in [
            "",
            "ETH",
            "eth-perp",
            "-PERP",
            ":A-PERP",
            "a:-PERP",
            "a:b:C-PERP",
            "A B-PERP",
            "PURR/",
            "/USDC",
            "A/B/C",
            "@",
            "@1x",
            "#",
            "#-1",
            "A|B-PERP",
            "A\u{1b}-PERP",
            long.as_str(),
        ] {
            assert_eq!(bad.parse::<Market>(), Err(BadMarket), "{bad:?}");
        }
    }
}
