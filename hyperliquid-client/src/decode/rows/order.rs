//! An order's change of status.

use super::{ReadObject, inner, unknown};
use crate::decode::cursor::{Cursor, Item};
use crate::decode::field::{self, Field, Refused, required};
use crate::decode::frame::Drift;
use crate::wire::{Number, Order, OrderUpdate, Side};

#[derive(Default)]
pub(in crate::decode) struct UpdateSlots<'a> {
    order: Option<Order<'a>>,
    status: Option<&'a str>,
    status_timestamp: Option<u64>,
}

impl<'a> ReadObject<'a> for OrderUpdate<'a> {
    const NAME: &'static str = "orderUpdate";
    type Slots = UpdateSlots<'a>;

    fn enters(key: &str) -> bool {
        key == "order"
    }

    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "order" => inner(&mut slots.order, item, cursor, drift)?,
            "status" => field::text(&mut slots.status, item, "status"),
            "statusTimestamp" => field::uint(&mut slots.status_timestamp, item, "statusTimestamp"),
            _ => unknown(drift, key),
        })
    }

    fn finish(slots: Self::Slots, raw: &'a [u8], _drift: &mut Drift<'a>) -> Result<Self, Refused> {
        Ok(Self {
            order: required(slots.order, "order")?,
            status: required(slots.status, "status")?,
            status_timestamp: required(slots.status_timestamp, "statusTimestamp")?,
            raw,
        })
    }
}

#[derive(Default)]
pub(in crate::decode) struct OrderSlots<'a> {
    coin: Option<&'a str>,
    side: Option<Side>,
    limit_px: Option<Number<'a>>,
    sz: Option<Number<'a>>,
    orig_sz: Option<Number<'a>>,
    oid: Option<u64>,
    timestamp: Option<u64>,
    cloid: Option<&'a str>,
    reduce_only: Option<bool>,
}

impl<'a> ReadObject<'a> for Order<'a> {
    const NAME: &'static str = "order";
    type Slots = OrderSlots<'a>;

    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        _cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "coin" => field::text(&mut slots.coin, item, "order.coin"),
            "side" => field::side(&mut slots.side, item, "order.side"),
            "limitPx" => field::magnitude(&mut slots.limit_px, item, "order.limitPx"),
            "sz" => field::magnitude(&mut slots.sz, item, "order.sz"),
            "origSz" => field::magnitude(&mut slots.orig_sz, item, "order.origSz"),
            "oid" => field::uint(&mut slots.oid, item, "order.oid"),
            "timestamp" => field::uint(&mut slots.timestamp, item, "order.timestamp"),
            "cloid" => field::maybe_text(&mut slots.cloid, item, "order.cloid"),
            "reduceOnly" => field::flag(&mut slots.reduce_only, item, "order.reduceOnly"),
            _ => unknown(drift, key),
        })
    }

    fn finish(slots: Self::Slots, _raw: &'a [u8], _drift: &mut Drift<'a>) -> Result<Self, Refused> {
        Ok(Self {
            coin: required(slots.coin, "order.coin")?,
            side: required(slots.side, "order.side")?,
            limit_px: required(slots.limit_px, "order.limitPx")?,
            sz: required(slots.sz, "order.sz")?,
            orig_sz: required(slots.orig_sz, "order.origSz")?,
            oid: required(slots.oid, "order.oid")?,
            timestamp: required(slots.timestamp, "order.timestamp")?,
            cloid: slots.cloid,
            reduce_only: slots.reduce_only.unwrap_or(false),
        })
    }
}
