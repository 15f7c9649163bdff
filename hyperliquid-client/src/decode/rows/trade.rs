//! A row of the public tape.

use super::{ReadObject, unknown};
use crate::decode::cursor::{Cursor, Item};
use crate::decode::error::RowReason;
use crate::decode::field::{self, Field, Refused, refused, required};
use crate::decode::frame::Drift;
use crate::wire::{Address, Number, Side, Trade};
use simd_json::Node;

#[derive(Default)]
pub(in crate::decode) struct TradeSlots<'a> {
    coin: Option<&'a str>,
    side: Option<Side>,
    px: Option<Number<'a>>,
    sz: Option<Number<'a>>,
    time: Option<u64>,
    hash: Option<&'a str>,
    tid: Option<u64>,
    buyer: Option<Address>,
    seller: Option<Address>,
}

impl<'a> ReadObject<'a> for Trade<'a> {
    const NAME: &'static str = "trade";
    type Slots = TradeSlots<'a>;

    fn enters(key: &str) -> bool {
        key == "users"
    }

    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "coin" => field::text(&mut slots.coin, item, "coin"),
            "side" => field::side(&mut slots.side, item, "side"),
            "px" => field::magnitude(&mut slots.px, item, "px"),
            "sz" => field::magnitude(&mut slots.sz, item, "sz"),
            "time" => field::uint(&mut slots.time, item, "time"),
            "hash" => field::text(&mut slots.hash, item, "hash"),
            "tid" => field::uint(&mut slots.tid, item, "tid"),
            "users" => {
                let Node::Array { len: 2, .. } = item.node else {
                    cursor.skip(item)?;
                    return Some(Err(refused(RowReason::WrongType("users"), "found no pair")));
                };
                let mut pair = Ok(());
                for slot in [&mut slots.buyer, &mut slots.seller] {
                    let user = cursor.value()?;
                    cursor.skip(user)?;
                    cursor.separator()?;
                    pair = pair.and_then(|()| field::address(slot, user, "users"));
                }
                pair
            }
            _ => unknown(drift, key),
        })
    }

    fn finish(slots: Self::Slots, raw: &'a [u8], _drift: &mut Drift<'a>) -> Result<Self, Refused> {
        Ok(Self {
            coin: required(slots.coin, "coin")?,
            side: required(slots.side, "side")?,
            px: required(slots.px, "px")?,
            sz: required(slots.sz, "sz")?,
            time: required(slots.time, "time")?,
            hash: required(slots.hash, "hash")?,
            tid: required(slots.tid, "tid")?,
            buyer: required(slots.buyer, "users")?,
            seller: required(slots.seller, "users")?,
            raw,
        })
    }
}
