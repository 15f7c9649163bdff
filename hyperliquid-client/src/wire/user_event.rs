//! What else arrives on channel `user`: funding, liquidations, cancels, TWAP history. Cold; figures stay text.

use serde::Deserialize;
use std::borrow::Cow;

/// One funding payment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Funding<'a> {
    /// Venue ms.
    pub time: u64,
    /// Market.
    #[serde(borrow)]
    pub coin: Cow<'a, str>,
    /// Paid (negative) or received, in USDC as written.
    #[serde(borrow)]
    pub usdc: Cow<'a, str>,
    /// Signed position at that hour, base units.
    #[serde(borrow)]
    pub szi: Cow<'a, str>,
    /// The hour's rate, as written.
    #[serde(borrow)]
    pub funding_rate: Cow<'a, str>,
    /// Samples in the period; often null.
    #[serde(default)]
    pub n_samples: Option<u64>,
}

/// A liquidation the account took part in. The venue writes these keys in snake case.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct LiquidationEvent<'a> {
    /// Its id.
    pub lid: u64,
    /// Who liquidated.
    #[serde(borrow)]
    pub liquidator: Cow<'a, str>,
    /// Who was liquidated.
    #[serde(borrow)]
    pub liquidated_user: Cow<'a, str>,
    /// Notional of the position, as written.
    #[serde(borrow)]
    pub liquidated_ntl_pos: Cow<'a, str>,
    /// Account value, as written.
    #[serde(borrow)]
    pub liquidated_account_value: Cow<'a, str>,
}

/// An order the venue cancelled by itself.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct NonUserCancel<'a> {
    /// Market.
    #[serde(borrow)]
    pub coin: Cow<'a, str>,
    /// Order.
    pub oid: u64,
}

/// A TWAP's change of status. `time` is in SECONDS, unlike everywhere else.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TwapHistoryRow<'a> {
    /// Seconds since 1970.
    pub time: u64,
    /// Which TWAP, where told.
    #[serde(default)]
    pub twap_id: Option<u64>,
    /// Coin, side, sizes, minutes.
    #[serde(borrow)]
    pub state: TwapState<'a>,
    /// Status.
    #[serde(borrow)]
    pub status: TwapStatus<'a>,
}

/// What the TWAP is.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TwapState<'a> {
    /// Market.
    #[serde(borrow)]
    pub coin: Cow<'a, str>,
    /// `B` or `A`.
    #[serde(borrow)]
    pub side: Cow<'a, str>,
    /// Total size, as written.
    #[serde(borrow)]
    pub sz: Cow<'a, str>,
    /// Stays 0 until the TWAP ends.
    #[serde(borrow)]
    pub executed_sz: Cow<'a, str>,
    /// Run time in minutes.
    pub minutes: u64,
    /// Start, venue ms.
    pub timestamp: u64,
}

/// Where the TWAP stands.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct TwapStatus<'a> {
    /// `activated`, `finished`, `terminated`, …: an open set.
    #[serde(borrow)]
    pub status: Cow<'a, str>,
    /// Why, for an error.
    #[serde(borrow, default)]
    pub description: Option<Cow<'a, str>>,
}
