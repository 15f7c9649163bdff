//! A fill as the venue reports it, on any of its channels and in info answers. Field meanings: the venue's docs, "Info endpoint,
//! retrieve a user's fills", and recorded frames of 2025-2026.

use super::Number;

/// The account's own side of a fill or order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// `B`: bought.
    Buy,
    /// `A`: sold.
    Sell,
}

impl Side {
    /// The venue's letter, `B` or `A`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Buy => 'B',
            Self::Sell => 'A',
        }
    }

    /// Reads the venue's letter.
    #[must_use]
    pub fn from_letter(text: &str) -> Option<Self> {
        match text {
            "B" => Some(Self::Buy),
            "A" => Some(Self::Sell),
            _ => None,
        }
    }
}

/// One fill of one account. `px`, `sz` and `start_position` are exact; other figures stay text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill<'a> {
    /// Market: `ETH`, `xyz:CL`, `@107`, `PURR/USDC`, `#2310`.
    pub coin: &'a str,
    /// Price, not negative.
    pub px: Number<'a>,
    /// Size in base units, not negative.
    pub sz: Number<'a>,
    /// The account's side.
    pub side: Side,
    /// Block time, venue ms. Many fills share one.
    pub time: u64,
    /// The account's signed position in `coin` before this fill.
    pub start_position: Number<'a>,
    /// Display text, an open set: never derive direction from it.
    pub dir: &'a str,
    /// Realised by this fill before fees, as written.
    pub closed_pnl: &'a str,
    /// Transaction; all zeros for TWAP slices and dust. Shared by many fills.
    pub hash: &'a str,
    /// The account's order.
    pub oid: u64,
    /// True when the account took liquidity.
    pub crossed: bool,
    /// Total fee as written, builder fee included; negative is a rebate.
    pub fee: &'a str,
    /// What `fee` is counted in.
    pub fee_token: &'a str,
    /// Absent when zero.
    pub builder_fee: Option<&'a str>,
    /// Trade id, shared by both parties; 0 for dust conversion.
    pub tid: u64,
    /// The client's own order id; not unique.
    pub cloid: Option<&'a str>,
    /// Present on both parties of a liquidation trade.
    pub liquidation: Option<Liquidation<'a>>,
    /// The TWAP this slice belongs to, where the row itself says it (node files); see [`TwapFill`].
    pub twap_id: Option<u64>,
    /// The venue's bytes of this row, untouched: the fill's object, or the `{fill,twapId}` wrapper it came in.
    pub raw: &'a [u8],
}

/// The liquidation a fill belongs to; compare `liquidated_user` with the account before calling it the account's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Liquidation<'a> {
    /// Whose position was liquidated, as written.
    pub liquidated_user: Option<&'a str>,
    /// Mark price as written.
    pub mark_px: &'a str,
    /// `market` or `backstop`, an open set.
    pub method: &'a str,
}

/// One slice of a TWAP: the fill and the TWAP's id, which stands outside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwapFill<'a> {
    /// The slice; its `raw` is the whole `{fill,twapId}` wrapper.
    pub fill: Fill<'a>,
    /// Which TWAP.
    pub twap_id: u64,
}

/// Whether a `dir` text was seen before (2026-11). An unknown one is kept and counted as drift, nothing more.
#[must_use]
pub fn is_known_dir(dir: &str) -> bool {
    matches!(
        dir,
        "Open Long"
            | "Open Short"
            | "Close Long"
            | "Close Short"
            | "Long > Short"
            | "Short > Long"
            | "Buy"
            | "Sell"
            | "Liquidated Cross Long"
            | "Liquidated Cross Short"
            | "Liquidated Isolated Long"
            | "Liquidated Isolated Short"
            | "Auto-Deleveraging"
            | "Settlement"
            | "Net Child Vaults"
            | "Spot Dust Conversion"
            | "Merge Outcome"
            | "Split Outcome"
            | "Negate Outcome"
            | "Partial Borrow Liquidation"
            | "Backstop Borrow Liquidation"
    )
}
