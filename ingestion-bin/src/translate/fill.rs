//! The venue's fill as our fill. Field by field; nothing is guessed, nothing rounded, an absent field stays absent.

use hyperliquid_client::wire;
use signal_domain::{
    Account, DecimalError, Fill, Liquidation, Market, MarketError, Number, Reason, Side, Size,
};

/// A row that the venue's decoder took and our domain does not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TranslateError {
    /// The coin is no market's name.
    #[error("coin: {0}")]
    Coin(#[from] MarketError),
    /// A number that cannot be held.
    #[error("{field}: {source}")]
    Number {
        /// The venue's name of the field.
        field: &'static str,
        /// Why not.
        #[source]
        source: DecimalError,
    },
    /// A time past the year 292 million.
    #[error("time {0} ms is out of range")]
    Time(u64),
}

impl TranslateError {
    /// The dead-letter reason.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Coin(_) => Reason::WrongType,
            Self::Number { source, .. } => source.reason(),
            Self::Time(_) => Reason::NumberOutOfRange,
        }
    }
}

/// The venue's account as ours.
#[must_use]
pub const fn account(address: wire::Address) -> Account {
    Account::from_bytes(*address.as_bytes())
}

/// The venue's fill as ours; `twap_id` is the one that stands outside a slice, where there is one.
///
/// # Errors
///
/// When the coin is no market's name or a number does not fit. The caller keeps the row as a dead letter.
pub fn fill(row: &wire::Fill<'_>, twap_id: Option<u64>) -> Result<Fill, TranslateError> {
    let number = |field: &'static str, text: &str| {
        Number::parse(text).map_err(|source| TranslateError::Number { field, source })
    };
    let size = Size::parse(row.sz.text).map_err(|source| TranslateError::Number { field: "sz", source })?;
    let market = Market::from_coin(row.coin)?;
    let mut fill = Fill::new(market, side(row.side), number("px", row.px.text)?, size, row.time, row.tid);
    fill.start_position = Some(number("startPosition", row.start_position.text)?);
    fill.oid = Some(row.oid);
    fill.dir = Some(row.dir.into());
    // Figures that only describe: one that is no number is left out here and stays in the raw bytes.
    fill.closed_pnl = Number::parse(row.closed_pnl).ok();
    fill.fee = Number::parse(row.fee).ok();
    fill.builder_fee = row.builder_fee.and_then(|text| Number::parse(text).ok());
    fill.hash = Some(row.hash.into());
    fill.crossed = Some(row.crossed);
    fill.fee_token = Some(row.fee_token.trim().into());
    fill.cloid = row.cloid.map(Into::into);
    fill.twap_id = twap_id.or(row.twap_id);
    fill.liquidation = row.liquidation.map(|liquidation| Liquidation {
        liquidated_user: liquidation
            .liquidated_user
            .and_then(|text| wire::Address::parse(text).ok())
            .map(account),
        mark_px: Number::parse(liquidation.mark_px).ok(),
        method: Some(liquidation.method.into()),
    });
    Ok(fill)
}

const fn side(side: wire::Side) -> Side {
    match side {
        wire::Side::Buy => Side::Buy,
        wire::Side::Sell => Side::Sell,
    }
}
