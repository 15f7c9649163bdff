//! Positions and equity of an account on one dex (`clearinghouseState`, on the socket and from info).
//!
//! A flat position is absent, never `"0.0"`: replace wholesale, never merge. All figures are the venue's text, not checked to be
//! numbers. Sizes are base units; money is in the dex's collateral (USDC on the main dex, else
//! [`Meta::collateral_token`](crate::info::Meta::collateral_token)). Shapes as recorded in 2026.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// An account's state on one dex.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccountState<'a> {
    /// Equity and margin over everything.
    #[serde(borrow)]
    pub margin_summary: MarginSummary<'a>,
    /// The same for cross positions only.
    #[serde(borrow, default)]
    pub cross_margin_summary: Option<MarginSummary<'a>>,
    /// What can be withdrawn.
    #[serde(borrow, default)]
    pub withdrawable: Option<Cow<'a, str>>,
    /// Every position that is not flat.
    #[serde(borrow)]
    pub asset_positions: Vec<PositionEntry<'a>>,
    /// Venue ms.
    pub time: u64,
}

/// Equity and margin.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MarginSummary<'a> {
    /// Equity.
    #[serde(borrow)]
    pub account_value: Cow<'a, str>,
    /// Notional of all positions.
    #[serde(borrow)]
    pub total_ntl_pos: Cow<'a, str>,
    /// Cash.
    #[serde(borrow)]
    pub total_raw_usd: Cow<'a, str>,
    /// Margin in use.
    #[serde(borrow)]
    pub total_margin_used: Cow<'a, str>,
}

/// A position with the venue's type tag.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct PositionEntry<'a> {
    /// `oneWay`.
    #[serde(borrow, rename = "type", default)]
    pub kind: Option<Cow<'a, str>>,
    /// The position.
    #[serde(borrow)]
    pub position: Position<'a>,
}

/// One open position.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Position<'a> {
    /// Market.
    #[serde(borrow)]
    pub coin: Cow<'a, str>,
    /// Signed size: below zero is short.
    #[serde(borrow)]
    pub szi: Cow<'a, str>,
    /// Leverage and margin mode.
    #[serde(borrow, default)]
    pub leverage: Option<Leverage<'a>>,
    /// Average entry, truncated by the venue.
    #[serde(borrow, default)]
    pub entry_px: Option<Cow<'a, str>>,
    /// Notional.
    #[serde(borrow, default)]
    pub position_value: Option<Cow<'a, str>>,
    /// Unrealised result.
    #[serde(borrow, default)]
    pub unrealized_pnl: Option<Cow<'a, str>>,
    /// Price at which it would be liquidated; often null.
    #[serde(borrow, default)]
    pub liquidation_px: Option<Cow<'a, str>>,
    /// Margin of this position.
    #[serde(borrow, default)]
    pub margin_used: Option<Cow<'a, str>>,
    /// Funding so far; positive is paid, the opposite sign of [`Funding::usdc`](super::Funding::usdc).
    #[serde(borrow, default)]
    pub cum_funding: Option<CumFunding<'a>>,
}

/// Leverage as set for one market.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Leverage<'a> {
    /// `cross` or `isolated`.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The multiple, from 1.
    pub value: u64,
    /// Money put aside for it; isolated only.
    #[serde(borrow, default)]
    pub raw_usd: Option<Cow<'a, str>>,
}

/// Funding paid so far.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CumFunding<'a> {
    /// Ever.
    #[serde(borrow)]
    pub all_time: Cow<'a, str>,
    /// Since the position was opened.
    #[serde(borrow)]
    pub since_open: Cow<'a, str>,
    /// Since it last changed.
    #[serde(borrow)]
    pub since_change: Cow<'a, str>,
}

/// The state on one dex, with the dex's name (`""` is the main one).
#[derive(Clone, Debug, PartialEq)]
pub struct DexState<'a> {
    /// Dex.
    pub dex: Cow<'a, str>,
    /// State there.
    pub state: AccountState<'a>,
    /// The venue's bytes of the state object.
    pub raw: &'a [u8],
}

impl<'a> DexState<'a> {
    /// The venue's bytes of every position's entry, in its order.
    pub fn entries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        const KEY: &[u8] = br#""assetPositions""#;
        let at = self.raw.windows(KEY.len()).position(|window| window == KEY).map(|at| at + KEY.len());
        let rest = at.and_then(|at| self.raw.get(at..)).unwrap_or_default().trim_ascii_start();
        let rest = rest.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        let mut rest = rest.strip_prefix(b"[").unwrap_or_default();
        std::iter::from_fn(move || {
            rest = rest.trim_ascii_start();
            rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            values.next()?.ok()?;
            let (entry, behind) = rest.split_at_checked(values.byte_offset())?;
            rest = behind;
            Some(entry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_the_venues_bytes() {
        let raw = br#"{"marginSummary":{"accountValue":"1","totalNtlPos":"1","totalRawUsd":"1","totalMarginUsed":"1"},
            "assetPositions" : [ {"type":"oneWay","position":{"coin":"ETH","szi":"-0.025"}} ,
            {"position":{"szi":"1","coin":"k]P"}}], "time":7, "later":[1]}"#;
        let state = serde_json::from_slice(raw).unwrap();
        let state = DexState { dex: "".into(), state, raw };
        let entries: Vec<_> = state.entries().map(String::from_utf8_lossy).collect();
        let eth = r#"{"type":"oneWay","position":{"coin":"ETH","szi":"-0.025"}}"#;
        assert_eq!(entries, [eth, r#"{"position":{"szi":"1","coin":"k]P"}}"#]);
        let flat = DexState { raw: br#"{"assetPositions":[]}"#, ..state };
        assert_eq!(flat.entries().count(), 0);
    }
}
