//! An order's change of status (`orderUpdates`). No snapshot, no replay, and the frame does not say whose order it is.

use super::{Number, Side};

/// An order's new status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderUpdate<'a> {
    /// The order as it stands.
    pub order: Order<'a>,
    /// `open`, `filled`, `canceled`, …: an open set.
    pub status: &'a str,
    /// When, venue ms.
    pub status_timestamp: u64,
    /// The venue's bytes of this row.
    pub raw: &'a [u8],
}

/// An order as `orderUpdates` shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order<'a> {
    /// Market.
    pub coin: &'a str,
    /// Side.
    pub side: Side,
    /// Limit price, not negative.
    pub limit_px: Number<'a>,
    /// What is left of it, base units, not negative.
    pub sz: Number<'a>,
    /// What was placed, base units, not negative.
    pub orig_sz: Number<'a>,
    /// Its id.
    pub oid: u64,
    /// When placed (changes when a trigger order triggers), venue ms.
    pub timestamp: u64,
    /// The client's id; not unique.
    pub cloid: Option<&'a str>,
    /// Only ever present as true.
    pub reduce_only: bool,
}
