//! What consumers are told of where an account stands: the `state.v1` records. When one is due is the worker's business; what it said is
//! recorded, so that files stay a function of the journal. Times are venue milliseconds; names are those of the contract.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::account::{Market, Position};

/// One record of the state stream.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum Notice<'a> {
    /// How well an influencer is followed.
    #[serde(borrow)]
    Influencer(InfluencerNotice<'a>),
    /// An influencer's position in one market.
    #[serde(borrow)]
    Market(MarketNotice<'a>),
    /// Nothing is known under the influencer's key any more, or under that of its position in a market.
    Removed(Option<Market>),
}

/// See `signal_domain::wire::v1::InfluencerStateV1`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InfluencerNotice<'a> {
    /// `full`, `single`, `blind`, `stale`.
    pub coverage: Cow<'a, str>,
    /// Live frames came up to here.
    pub live_to: Option<i64>,
    /// Nothing is missing up to here.
    pub certified_to: Option<i64>,
    /// Gaps that are asked for.
    pub open_gaps: u64,
    /// Equity over all dexes.
    pub account_value: Option<Position>,
    /// When this was so.
    pub as_of: i64,
}

/// See `signal_domain::wire::v1::MarketStateV1`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MarketNotice<'a> {
    /// Where.
    pub market: Market,
    /// Signed.
    pub size: Position,
    /// Average entry.
    pub entry_price: Option<Cow<'a, str>>,
    /// The multiple.
    pub leverage: Option<u64>,
    /// `cross` or `isolated`.
    pub margin_mode: Option<Cow<'a, str>>,
    /// `chain` or `venue`.
    pub source: Cow<'a, str>,
    /// `baseline`, `change`, `resync`, `heartbeat`.
    pub reason: Cow<'a, str>,
    /// Of the last signal in this epoch; 0 before the first.
    pub last_seq: u64,
    /// The last signal, where this run made it.
    pub last_signal: Option<[u8; 16]>,
    /// When this was so.
    pub as_of: i64,
}
