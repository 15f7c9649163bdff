//! What the venue shows of an account, as the journal keeps it. Figures are the venue's text, checked to be numbers; times are venue
//! milliseconds.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::account::{Market, Position};

/// An account on one dex.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DexShown {
    /// `""` is the main one.
    pub dex: String,
    /// When it was so.
    pub time: i64,
    /// Equity in the dex's collateral.
    pub account_value: Option<String>,
    /// Every position that is not flat.
    pub held: Vec<Held>,
}

/// One open position.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Held {
    /// Where.
    pub market: Market,
    /// Signed, rounded as positions are compared.
    pub size: Position,
    /// Average entry.
    pub entry_price: Option<String>,
    /// The multiple.
    pub leverage: Option<u64>,
    /// `cross` or `isolated`; an open set.
    pub margin_mode: Option<String>,
}

/// What the venue had shown when a fill was taken: the context of its signal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ContextBody<'a> {
    /// Time of the state.
    pub as_of: u64,
    /// Equity.
    #[serde(borrow)]
    pub account_value: Option<Cow<'a, str>>,
    /// Of the position, or of the one before it.
    pub leverage: Option<u64>,
    /// Likewise.
    #[serde(borrow)]
    pub margin_mode: Option<Cow<'a, str>>,
    /// Of the position.
    #[serde(borrow)]
    pub entry_price: Option<Cow<'a, str>>,
}
