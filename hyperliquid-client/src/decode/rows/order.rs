//! An order's change of status.

use super::{ReadRow, fields, note_field, refusal_of};
use crate::decode::cursor::{Cursor, Item};
use crate::decode::error::{Row, RowReason};
use crate::decode::field::{self, Refused, refused, required};
use crate::decode::frame::Drift;
use crate::wire::{Order, OrderUpdate};
use simd_json::Node;

impl<'a> ReadRow<'a> for OrderUpdate<'a> {
    const NAME: &'static str = "orderUpdate";

    fn read(
        cursor: &mut Cursor<'_, 'a>,
        row: Item<'a>,
        len: usize,
        drift: &mut Drift<'a>,
    ) -> Option<Row<'a, Self>> {
        let (mut inner, mut status, mut status_timestamp) = (None, None, None);
        let (outcome, raw) = fields(
            cursor,
            row,
            len,
            |key| key == "order",
            |key, item, cursor| {
                Some(match key {
                    "order" => match order(item, cursor, drift)? {
                        Ok(found) => field::put(&mut inner, found, "order"),
                        Err(refusal) => Err(refusal),
                    },
                    "status" => field::text(&mut status, item, "status"),
                    "statusTimestamp" => field::uint(&mut status_timestamp, item, "statusTimestamp"),
                    _ => {
                        note_field(drift, key);
                        Ok(())
                    }
                })
            },
        )?;
        let row = outcome.and_then(|()| {
            Ok(Self {
                order: required(inner, "order")?,
                status: required(status, "status")?,
                status_timestamp: required(status_timestamp, "statusTimestamp")?,
                raw,
            })
        });
        Some(row.map_err(|refusal| refusal_of(refusal, raw)))
    }
}

fn order<'a>(
    item: Item<'a>,
    cursor: &mut Cursor<'_, 'a>,
    drift: &mut Drift<'a>,
) -> Option<Result<Order<'a>, Refused>> {
    let Node::Object { len, .. } = item.node else {
        cursor.skip(item)?;
        return Some(Err(refused(RowReason::WrongType("order"), "found no object")));
    };
    let (mut coin, mut side, mut limit_px, mut sz, mut orig_sz) = (None, None, None, None, None);
    let (mut oid, mut timestamp, mut cloid, mut reduce_only) = (None, None, None, None);
    let (outcome, _) = fields(
        cursor,
        item,
        len,
        |_| false,
        |key, item, _| {
            Some(match key {
                "coin" => field::text(&mut coin, item, "order.coin"),
                "side" => field::side(&mut side, item, "order.side"),
                "limitPx" => field::magnitude(&mut limit_px, item, "order.limitPx"),
                "sz" => field::magnitude(&mut sz, item, "order.sz"),
                "origSz" => field::magnitude(&mut orig_sz, item, "order.origSz"),
                "oid" => field::uint(&mut oid, item, "order.oid"),
                "timestamp" => field::uint(&mut timestamp, item, "order.timestamp"),
                "cloid" => field::maybe_text(&mut cloid, item, "order.cloid"),
                "reduceOnly" => field::flag(&mut reduce_only, item, "order.reduceOnly"),
                _ => {
                    note_field(drift, key);
                    Ok(())
                }
            })
        },
    )?;
    Some(outcome.and_then(|()| {
        Ok(Order {
            coin: required(coin, "order.coin")?,
            side: required(side, "order.side")?,
            limit_px: required(limit_px, "order.limitPx")?,
            sz: required(sz, "order.sz")?,
            orig_sz: required(orig_sz, "order.origSz")?,
            oid: required(oid, "order.oid")?,
            timestamp: required(timestamp, "order.timestamp")?,
            cloid,
            reduce_only: reduce_only.unwrap_or(false),
        })
    }))
}
