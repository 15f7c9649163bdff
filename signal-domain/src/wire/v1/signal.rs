//! The signal record. Field order is key order: it is part of the contract.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SIGNAL, is_false};
use crate::{
    Account, Action, Cause, Context, Decimal, Network, Origin, PositionSide, Signal,
    wire::{Open, WireError, text},
};

/// A signal on the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalV1<'a> {
    /// Deterministic: the same fill has the same id whenever and wherever it is published.
    pub signal_id: Uuid,
    /// Whose signal.
    #[serde(borrow)]
    pub influencer_id: Cow<'a, str>,
    /// Always `hyperliquid`.
    #[serde(borrow)]
    pub exchange: Cow<'a, str>,
    /// `ETH-PERP`, `@107`, `#2310`.
    #[serde(borrow)]
    pub market: Cow<'a, str>,
    /// What happened; a closed set.
    #[serde(with = "text")]
    pub action: Action,
    /// The side after; a closed set.
    #[serde(with = "text")]
    pub side: PositionSide,
    /// The size after, base units, unsigned.
    #[serde(with = "text")]
    pub size: Decimal,
    /// The signed size of the fill, base units.
    #[serde(with = "text")]
    pub delta_size: Decimal,
    /// The fill's price.
    #[serde(with = "text")]
    pub price: Decimal,
    /// The fill's venue time, ms since 1970.
    pub timestamp: u64,
    /// The fill's id.
    #[serde(borrow)]
    pub source_event_id: Cow<'a, str>,
    /// Always `signal.v1`.
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
    /// The influencer's account.
    #[serde(with = "text")]
    pub account: Account,
    /// Which network.
    pub network: Open<Network>,
    /// When the fill reached us, ms since 1970.
    pub received_at: u64,
    /// The writer's epoch.
    pub epoch: u64,
    /// 1, 2, 3… per influencer and market inside the epoch.
    pub seq: u64,
    /// The account's order.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Cow<'a, str>>,
    /// Why, as a label.
    pub cause: Open<Cause>,
    /// How the fill reached us.
    pub origin: Open<Origin>,
    /// Another signal of this influencer and market follows at once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The gap in which events before this one may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_id: Option<Uuid>,
    /// Newer signals of this market went out before: never a target.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// The wrong signal this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Uuid>,
    /// The last account state before the fill.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextV1<'a>>,
    /// What the venue said, in its own words.
    #[serde(borrow)]
    pub metadata: MetadataV1<'a>,
}

/// An account state on the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextV1<'a> {
    /// The account's equity, USD.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub account_value: Option<Decimal>,
    /// The position's leverage.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub leverage: Option<Decimal>,
    /// `cross` or `isolated`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub margin_mode: Option<Cow<'a, str>>,
    /// The position's average entry price.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub entry_price: Option<Decimal>,
    /// Venue time of the state, ms since 1970.
    pub as_of: u64,
}

/// What the venue said about the fill: texts, numbers as it wrote them.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "each is the venue's field of that name; see `Fill`")]
pub struct MetadataV1<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub raw_symbol: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub dir: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub start_position: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub crossed: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub fee_token: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub closed_pnl: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub cloid: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub twap_id: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub listener: Option<Cow<'a, str>>,
}

impl<'a> SignalV1<'a> {
    /// Appends the record as one JSON object, without a newline.
    pub fn encode(&self, out: &mut Vec<u8>) {
        crate::wire::encode(self, out);
    }

    /// Reads a record; keys it does not know are ignored.
    ///
    /// # Errors
    /// [`WireError`] when it is not JSON, not of this shape, or says it is of another schema.
    pub fn decode(json: &'a [u8]) -> Result<Self, WireError> {
        let signal: Self = crate::wire::decode(SIGNAL, json)?;
        if signal.schema != SIGNAL {
            let found = signal.schema.chars().take(48).collect();
            return Err(WireError::OtherSchema { schema: SIGNAL, found });
        }
        Ok(signal)
    }
}

impl<'a> From<&'a Signal> for SignalV1<'a> {
    fn from(signal: &'a Signal) -> Self {
        let (fill, emission) = (signal.fill(), signal.emission());
        Self {
            signal_id: signal.signal_id(),
            influencer_id: emission.influencer.as_str().into(),
            exchange: "hyperliquid".into(),
            market: signal.market().name().into(),
            action: signal.action(),
            side: signal.side(),
            size: signal.size(),
            delta_size: signal.delta_size(),
            price: signal.price(),
            timestamp: signal.timestamp(),
            source_event_id: signal.source_event_id().into(),
            schema: SIGNAL.into(),
            account: emission.account,
            network: emission.network.into(),
            received_at: emission.received_at_ms,
            epoch: emission.epoch,
            seq: emission.seq,
            order_id: fill.oid.map(|oid| oid.to_string().into()),
            cause: signal.cause().into(),
            origin: emission.origin.into(),
            more: emission.more,
            gap_id: emission.gap_id,
            late: emission.late,
            supersedes: emission.supersedes,
            context: emission.context.as_ref().map(ContextV1::from),
            metadata: MetadataV1::of(signal),
        }
    }
}

impl<'a> From<&'a Context> for ContextV1<'a> {
    fn from(context: &'a Context) -> Self {
        Self {
            account_value: context.account_value,
            leverage: context.leverage,
            margin_mode: context.margin_mode.as_deref().map(Cow::Borrowed),
            entry_price: context.entry_price,
            as_of: context.as_of,
        }
    }
}

impl<'a> MetadataV1<'a> {
    fn of(signal: &'a Signal) -> Self {
        let fill = signal.fill();
        Self {
            raw_symbol: Some(fill.market.raw_symbol().into()),
            dir: fill.dir.as_deref().map(Cow::Borrowed),
            tid: Some(fill.tid.to_string().into()),
            hash: fill.hash.as_deref().map(Cow::Borrowed),
            start_position: fill.start_position.as_ref().map(|number| number.as_str().into()),
            crossed: fill.crossed.map(|crossed| if crossed { "true".into() } else { "false".into() }),
            fee: fill.fee.as_ref().map(|number| number.as_str().into()),
            fee_token: fill.fee_token.as_deref().map(Cow::Borrowed),
            closed_pnl: fill.closed_pnl.as_ref().map(|number| number.as_str().into()),
            cloid: fill.cloid.as_deref().map(Cow::Borrowed),
            twap_id: fill.twap_id.map(|id| id.to_string().into()),
            listener: signal.emission().listener.as_deref().map(Cow::Borrowed),
        }
    }
}
