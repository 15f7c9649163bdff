//! The state records: where a followed account stands. Compacted by key, so a consumer can start from them alone.
//!
//! Two forms: one per influencer (key `{influencerId}`) and one per influencer and market (key `{influencerId}|{market}`).
//! The value names its key's parts, because a file has no keys. A removal is a tombstone: the key without a value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::STATE;
use crate::{
    Coverage, Decimal, PositionSide, StateReason, StateSource,
    wire::{Open, WireError, text},
};

/// A state on the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StateV1<'a> {
    /// How well an influencer is followed.
    Influencer(InfluencerStateV1<'a>),
    /// An influencer's position in one market.
    Market(MarketStateV1<'a>),
}

/// How well an influencer is followed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InfluencerStateV1<'a> {
    /// Who.
    #[serde(borrow)]
    pub influencer_id: Cow<'a, str>,
    /// How well it is listened to.
    pub coverage: Open<Coverage>,
    /// Venue time up to which live frames came, ms since 1970; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_to: Option<u64>,
    /// Venue time up to which nothing is missing, ms since 1970; absent before the first certification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certified_to: Option<u64>,
    /// How many gaps are open.
    pub open_gaps: u64,
    /// Equity, USD.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub account_value: Option<Decimal>,
    /// When this was so, ms since 1970.
    pub as_of: u64,
}

/// An influencer's position in one market.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MarketStateV1<'a> {
    /// Who.
    #[serde(borrow)]
    pub influencer_id: Cow<'a, str>,
    /// Where.
    #[serde(borrow)]
    pub market: Cow<'a, str>,
    /// The side; a closed set.
    #[serde(with = "text")]
    pub side: PositionSide,
    /// The unsigned size, base units; `0` when flat.
    #[serde(with = "text")]
    pub size: Decimal,
    /// Average entry price.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub entry_price: Option<Decimal>,
    /// Leverage.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub leverage: Option<Decimal>,
    /// `cross` or `isolated`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub margin_mode: Option<Cow<'a, str>>,
    /// Where this is from.
    pub source: Open<StateSource>,
    /// Why it was written.
    pub reason: Open<StateReason>,
    /// The writer's epoch.
    pub epoch: u64,
    /// The last signal's `seq` in this epoch; 0 before the first.
    pub last_seq: u64,
    /// The last signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_signal_id: Option<Uuid>,
    /// When this was so, ms since 1970.
    pub as_of: u64,
}

impl<'a> StateV1<'a> {
    /// The key the record is compacted by.
    pub fn key(&self) -> String {
        match self {
            Self::Influencer(state) => state.influencer_id.to_string(),
            Self::Market(state) => format!("{}|{}", state.influencer_id, state.market),
        }
    }

    /// Appends the record as one JSON object, without a newline.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Influencer(state) => crate::wire::encode(state, out),
            Self::Market(state) => crate::wire::encode(state, out),
        }
    }

    /// Reads a record of either form: the one with a `market` is a market's. Keys it does not know are ignored.
    ///
    /// # Errors
    /// [`WireError::Json`] when it is not JSON or of neither shape.
    pub fn decode(json: &'a [u8]) -> Result<Self, WireError> {
        #[derive(Deserialize)]
        struct Form<'a> {
            #[serde(borrow)]
            market: Option<Cow<'a, str>>,
        }
        match crate::wire::decode::<Form<'_>>(STATE, json)?.market {
            Some(_) => crate::wire::decode(STATE, json).map(Self::Market),
            None => crate::wire::decode(STATE, json).map(Self::Influencer),
        }
    }
}

impl<'a> From<InfluencerStateV1<'a>> for StateV1<'a> {
    fn from(state: InfluencerStateV1<'a>) -> Self {
        Self::Influencer(state)
    }
}

impl<'a> From<MarketStateV1<'a>> for StateV1<'a> {
    fn from(state: MarketStateV1<'a>) -> Self {
        Self::Market(state)
    }
}
