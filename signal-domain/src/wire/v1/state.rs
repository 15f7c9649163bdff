//! The state records: where a followed account stands. Compacted by key, so a consumer can start from them alone.
//!
//! Two forms: one per influencer (key `{influencerId}`) and one per influencer and market (key `{influencerId}|{market}`).
//! The value names its key's parts, because a file has no keys. A removal is a tombstone: the key without a value, which in a file
//! is a line of its own form.

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
    /// Nothing is known under this key any more.
    Removed(RemovedStateV1<'a>),
}

/// A key without a value: the line that stands in a file for a compacted topic's tombstone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovedStateV1<'a> {
    /// Which.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// Always null.
    pub value: (),
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
            Self::Removed(state) => state.key.to_string(),
        }
    }

    /// Appends the record as one JSON object, without a newline.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Influencer(state) => crate::wire::encode(state, out),
            Self::Market(state) => crate::wire::encode(state, out),
            Self::Removed(state) => crate::wire::encode(state, out),
        }
    }

    /// Reads a record of any form: the one with a `market` is a market's, the one with a `key` a removal. Keys it does not know are
    /// ignored.
    ///
    /// # Errors
    /// [`WireError::Json`] when it is not JSON or of none of these shapes.
    pub fn decode(json: &'a [u8]) -> Result<Self, WireError> {
        #[derive(Deserialize)]
        struct Form<'a> {
            #[serde(borrow)]
            market: Option<Cow<'a, str>>,
            #[serde(borrow)]
            key: Option<Cow<'a, str>>,
        }
        match crate::wire::decode::<Form<'_>>(STATE, json)? {
            Form { market: Some(_), .. } => crate::wire::decode(STATE, json).map(Self::Market),
            Form { key: Some(_), .. } => crate::wire::decode(STATE, json).map(Self::Removed),
            Form { .. } => crate::wire::decode(STATE, json).map(Self::Influencer),
        }
    }
}

impl<'a> From<InfluencerStateV1<'a>> for StateV1<'a> {
    fn from(state: InfluencerStateV1<'a>) -> Self {
        Self::Influencer(state)
    }
}

impl<'a> StateV1<'a> {
    /// That nothing is known of an influencer any more, or of its position in one market.
    pub fn removed(influencer_id: &str, market: Option<&str>) -> Self {
        let key =
            market.map_or_else(|| influencer_id.to_owned(), |market| format!("{influencer_id}|{market}"));
        Self::Removed(RemovedStateV1 { key: key.into(), value: () })
    }
}

impl<'a> From<MarketStateV1<'a>> for StateV1<'a> {
    fn from(state: MarketStateV1<'a>) -> Self {
        Self::Market(state)
    }
}
