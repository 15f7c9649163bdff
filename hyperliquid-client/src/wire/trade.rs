//! A row of the public tape (`trades`): both parties, no position. The first frame after subscribing replays old trades, unflagged.

use super::{Address, Number, Side};

/// One trade between two accounts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade<'a> {
    /// Market.
    pub coin: &'a str,
    /// The aggressor's side.
    pub side: Side,
    /// Price, not negative.
    pub px: Number<'a>,
    /// Size in base units, not negative.
    pub sz: Number<'a>,
    /// Block time, venue ms.
    pub time: u64,
    /// Transaction; zeros for TWAP slices.
    pub hash: &'a str,
    /// Trade id, the same on both parties' fills.
    pub tid: u64,
    /// `users[0]`.
    pub buyer: Address,
    /// `users[1]`.
    pub seller: Address,
    /// The venue's bytes of this row.
    pub raw: &'a [u8],
}
