//! A fill as the venue prints it, and the block that carries it. The venue's own statement of the protocol:
//! nothing here comes from the client half of this crate, so that the two can disagree in tests.
//! Numbers stay the text they were written in; times are venue milliseconds.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// The hash of what has no transaction: TWAP slices (both sides) and dust.
pub const ZERO_HASH: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

/// Which of the two streams of an account carries a fill; no fill is on both.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Stream {
    /// `userFills`, history under `userFills` and `userFillsByTime`.
    Fills,
    /// `userTwapSliceFills`: the account's own TWAP slices, history under `userTwapSliceFills(ByTime)`.
    Twap,
}

/// The account's side of a fill.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Side {
    /// Bought.
    B,
    /// Sold.
    A,
}

/// The mark of a liquidation; sits on both sides of the trade.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Liquidation {
    /// Who was liquidated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liquidated_user: Option<String>,
    /// Mark price, decimal text.
    pub mark_px: String,
    /// `market` or `backstop`.
    pub method: String,
}

/// One row of `userFills`, keys in the venue's order. Keys it does not know (`ev` and the like) are dropped on reading.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VenueFill {
    /// Market name on the wire.
    pub coin: String,
    /// Price, decimal text.
    pub px: String,
    /// Size, decimal text, positive.
    pub sz: String,
    /// The account's side.
    pub side: Side,
    /// Block time, ms.
    pub time: u64,
    /// Signed position before, decimal text with the venue's float noise.
    pub start_position: String,
    /// Display text.
    pub dir: String,
    /// Realised by this fill, decimal text.
    pub closed_pnl: String,
    /// Transaction, or [`ZERO_HASH`].
    pub hash: String,
    /// The account's order.
    pub oid: u64,
    /// True for the taker.
    pub crossed: bool,
    /// Signed fee, decimal text.
    pub fee: String,
    /// The builder's part of the fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_fee: Option<String>,
    /// Trade id, shared by both sides; 0 for dust.
    pub tid: u64,
    /// The account's own order label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloid: Option<String>,
    /// Present on both sides of a liquidation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liquidation: Option<Liquidation>,
    /// What the fee is paid in.
    pub fee_token: String,
    /// `None` where the key is absent (older data), `Some(None)` for `null`, a number on node-derived rows.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub twap_id: Option<Option<u64>>,
    /// Who built the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// Seen since 2026-08.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_trial_escrow: Option<String>,
}

/// Keeps `null` apart from an absent key.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl VenueFill {
    /// Whether the coin is a perp (`BTC`, `xyz:CL`), not spot or an outcome.
    pub fn is_perp(&self) -> bool {
        is_perp(&self.coin)
    }
}

/// Perps are what is not marked as spot (`@107`, `PURR/USDC`) or outcome (`#2310`).
pub(super) fn is_perp(coin: &str) -> bool {
    !coin.starts_with(['@', '#', '+']) && !coin.contains('/')
}

/// The dex a perp lives in: `xyz` for `xyz:CL`, the empty name for the main one.
pub(super) fn dex_of(coin: &str) -> &str {
    coin.split_once(':').map_or("", |(dex, _)| dex)
}

/// A fill of one account, with the stream that carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlockFill {
    /// The account, lower case.
    pub user: Arc<str>,
    /// Where it is published.
    pub stream: Stream,
    /// The TWAP's id, printed outside of the fill; only with [`Stream::Twap`].
    pub twap_id: Option<u64>,
    /// The row.
    pub fill: VenueFill,
}

impl BlockFill {
    /// The row as it stands in a frame or an info answer: a fill, or `{"fill":…,"twapId":…}` on the TWAP stream.
    ///
    /// # Panics
    /// Never: a fill is strings and integers.
    pub fn text(&self) -> String {
        let fill = serde_json::to_string(&self.fill).expect("strings and integers always serialise");
        match (self.stream, self.twap_id) {
            (Stream::Fills, _) => fill,
            (Stream::Twap, Some(id)) => format!("{{\"fill\":{fill},\"twapId\":{id}}}"),
            (Stream::Twap, None) => format!("{{\"fill\":{fill},\"twapId\":null}}"),
        }
    }
}

/// What happened in one block: every fill of one venue millisecond, per account in the order of execution.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Block {
    /// Venue ms.
    pub time: u64,
    /// All accounts' fills.
    pub fills: Vec<BlockFill>,
    /// Mark prices that changed: coin and decimal text. Coins that traded need no entry.
    pub marks: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"coin":"ETH","px":"2400.5","sz":"0.5","side":"B","time":1790000000123,"startPosition":"-1.25","dir":"Close Short","closedPnl":"3.1","hash":"0x5c","oid":560000000001,"crossed":true,"fee":"0.54","tid":512345678901234,"feeToken":"USDC","twapId":null}"#;

    #[test]
    fn a_row_comes_back_byte_for_byte() {
        let fill: VenueFill = serde_json::from_str(ROW).unwrap();
        let row = BlockFill { user: "0xaa".into(), stream: Stream::Fills, twap_id: None, fill };
        assert_eq!(row.text(), ROW);
    }

    #[test]
    fn null_absent_and_numeric_twap_ids_stay_apart_and_unknown_keys_go() {
        let of = |text: &str| serde_json::from_str::<VenueFill>(text).unwrap().twap_id;
        assert_eq!(of(ROW), Some(None));
        assert_eq!(of(&ROW.replace(",\"twapId\":null", ",\"ev\":3")), None);
        assert_eq!(of(&ROW.replace("null", "77")), Some(Some(77)));
    }

    #[test]
    fn markets_are_told_apart_by_name() {
        assert!(is_perp("kPEPE") && is_perp("xyz:CL"));
        assert!(!is_perp("@107") && !is_perp("PURR/USDC") && !is_perp("#2310"));
        assert_eq!((dex_of("BTC"), dex_of("xyz:CL")), ("", "xyz"));
    }
}
