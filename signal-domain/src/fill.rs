//! A fill: one trade of one account, with everything the venue said about it.
//!
//! Fields a source may lack are options (the public tape knows no start position, fee or order). A fill is
//! self-contained: its own start position, side and size say what it did, whatever was missed before it.

use std::fmt::Write as _;

use crate::{Account, Decimal, DecimalError, Market, Number, Reason, Size, Transition, names::named_set};

named_set! { "side";
/// The account's side of a trade, with the venue's letter.
pub enum Side {
    /// It bought: `B`, for bid.
    Buy = "B",
    /// It sold: `A`, for ask.
    Sell = "A",
}
}

/// A fill of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fill {
    /// Where.
    pub market: Market,
    /// The account's side.
    pub side: Side,
    /// Price.
    pub px: Number,
    /// Size in base units.
    pub sz: Size,
    /// Block time, ms since 1970.
    pub time: u64,
    /// The trade's id, shared by both parties; 0 for dust conversions.
    pub tid: u64,
    /// The signed position before this fill, as the venue printed it: with float noise.
    pub start_position: Option<Number>,
    /// The account's order.
    pub oid: Option<u64>,
    /// The venue's label; an open set, see [`crate::Dir`].
    pub dir: Option<Box<str>>,
    /// Realised by this fill, before fees; of a flip, by the closed part.
    pub closed_pnl: Option<Number>,
    /// The transaction; zeros for TWAP slices (both sides) and dust.
    pub hash: Option<Box<str>>,
    /// Whether the account's order took liquidity.
    pub crossed: Option<bool>,
    /// Fee including the builder's; negative for a rebate.
    pub fee: Option<Number>,
    /// What the fee was paid in.
    pub fee_token: Option<Box<str>>,
    /// The builder's part of the fee.
    pub builder_fee: Option<Number>,
    /// The client's own order id; not unique.
    pub cloid: Option<Box<str>>,
    /// The TWAP order this is a slice of.
    pub twap_id: Option<u64>,
    /// The liquidation this trade was part of; on both parties.
    pub liquidation: Option<Liquidation>,
}

/// A liquidation a trade was part of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Liquidation {
    /// Who was liquidated; often the other party.
    pub liquidated_user: Option<Account>,
    /// The mark price it happened at.
    pub mark_px: Option<Number>,
    /// `market` or `backstop`; an open set.
    pub method: Option<Box<str>>,
}

/// Why a fill can have no id or no position.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FillError {
    /// A field that this needs is not there.
    #[error("the fill of {market} at {time} has no {field}")]
    MissingField {
        /// The venue's name of the field.
        field: &'static str,
        /// The fill's market.
        market: Market,
        /// The fill's time, ms since 1970.
        time: u64,
    },
    /// The position after it fits no [`Decimal`].
    #[error("the fill of {market} at {time} leads out of range")]
    OutOfRange {
        /// The fill's market.
        market: Market,
        /// The fill's time, ms since 1970.
        time: u64,
        /// The sum.
        #[source]
        source: DecimalError,
    },
}

impl FillError {
    /// The dead-letter reason of such a fill.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::MissingField { .. } => Reason::MissingField,
            Self::OutOfRange { source, .. } => source.reason(),
        }
    }
}

impl Fill {
    /// A fill with what every source knows; the rest is absent.
    pub const fn new(market: Market, side: Side, px: Number, sz: Size, time: u64, tid: u64) -> Self {
        Self {
            market,
            side,
            px,
            sz,
            time,
            tid,
            start_position: None,
            oid: None,
            dir: None,
            closed_pnl: None,
            hash: None,
            crossed: None,
            fee: None,
            fee_token: None,
            builder_fee: None,
            cloid: None,
            twap_id: None,
            liquidation: None,
        }
    }

    /// The size with its sign: bought is positive.
    pub fn signed_size(&self) -> Decimal {
        match self.side {
            Side::Buy => self.sz.value(),
            Side::Sell => self.sz.value().negated(),
        }
    }

    /// Where the position went: from `start_position`, by the signed size.
    ///
    /// # Errors
    /// [`FillError::MissingField`] without a start position, [`FillError::OutOfRange`] when the sum does not fit.
    pub fn transition(&self) -> Result<Transition, FillError> {
        let start = self.start_position.ok_or_else(|| self.missing("startPosition"))?;
        Transition::new(start.value(), self.signed_size(), self.market.kind())
            .map_err(|source| FillError::OutOfRange { market: self.market.clone(), time: self.time, source })
    }

    /// The id of the event, unique per influencer and market: `fill:{time}:{tid}:{side}`. A fill without a trade id
    /// (`tid` 0) is told apart by what it says: `fill:{time}:0:{oid}:{side}:{sz}:{startPosition}`, numbers as the venue
    /// wrote them.
    ///
    /// # Errors
    /// [`FillError::MissingField`] for a `tid` of 0 without `oid` or start position.
    pub fn source_event_id(&self) -> Result<String, FillError> {
        let mut id = String::with_capacity(64);
        let (time, tid, side) = (self.time, self.tid, self.side.as_str());
        let written = if tid == 0 {
            let oid = self.oid.ok_or_else(|| self.missing("oid"))?;
            let start = self.start_position.as_ref().ok_or_else(|| self.missing("startPosition"))?;
            write!(id, "fill:{time}:0:{oid}:{side}:{}:{}", self.sz.as_str(), start.as_str())
        } else {
            write!(id, "fill:{time}:{tid}:{side}")
        };
        debug_assert!(written.is_ok(), "Invariant: writing to a String never fails");
        Ok(id)
    }

    fn missing(&self, field: &'static str) -> FillError {
        FillError::MissingField { field, market: self.market.clone(), time: self.time }
    }
}

#[cfg(test)]
mod tests;
