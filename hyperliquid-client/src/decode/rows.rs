//! Rows of fills, TWAP slices, trades and order changes. Each leaves the cursor behind the row, whether the row was sound or not,
//! so that a bad row costs its neighbours nothing.

use super::cursor::{Cursor, Item};
use super::error::{Row, RowReason, RowRefusal};
use super::field::{self, Field, Refused, refused, required};
use super::frame::Drift;
use crate::wire::{Fill, Liquidation, Number, Order, OrderUpdate, Side, Trade, TwapFill, is_known_dir};
use simd_json::Node;

/// A kind of row. `read` is called after its opening bracket was taken; it takes everything up to and with the closing one.
/// `None` means the cursor lost its way: the frame is refused whole.
pub(super) trait ReadRow<'a>: Sized {
    /// What the row is called when it is not even an object.
    const NAME: &'static str;

    fn read(
        cursor: &mut Cursor<'_, 'a>,
        row: Item<'a>,
        len: usize,
        drift: &mut Drift<'a>,
    ) -> Option<Row<'a, Self>>;
}

/// One row at the cursor, whatever is there.
#[inline]
pub(super) fn row<'a, T: ReadRow<'a>>(
    cursor: &mut Cursor<'_, 'a>,
    drift: &mut Drift<'a>,
) -> Option<Row<'a, T>> {
    let item = cursor.value()?;
    let Node::Object { len, .. } = item.node else {
        cursor.skip(item)?;
        return Some(Err(not_an_object(T::NAME, cursor.raw_of(item)?)));
    };
    T::read(cursor, item, len, drift)
}

#[cold]
fn not_an_object<'a>(name: &'static str, raw: &'a [u8]) -> RowRefusal<'a> {
    RowRefusal { reason: RowReason::WrongType(name), detail: "found no object".to_owned(), raw }
}

#[cold]
#[expect(clippy::boxed_local, reason = "refusals travel boxed, so that the good path moves one word")]
fn refusal_of(refusal: Refused, raw: &[u8]) -> RowRefusal<'_> {
    let (reason, detail) = *refusal;
    RowRefusal { reason, detail, raw }
}

/// All rows of an array just entered.
pub(super) fn rows<'a, T: ReadRow<'a>>(
    cursor: &mut Cursor<'_, 'a>,
    len: usize,
    drift: &mut Drift<'a>,
) -> Option<Vec<Row<'a, T>>> {
    let mut rows = Vec::with_capacity(len);
    for _ in 0..len {
        rows.push(row(cursor, drift)?);
        cursor.separator()?;
    }
    cursor.close_if_empty(len)?;
    Some(rows)
}

/// Calls `take` for every field of an object just entered. Containers are passed over before `take` sees them, unless `enter` says
/// that `take` reads this one itself. Answers the first refusal and the object's bytes.
#[inline]
pub(super) fn fields<'t, 'a>(
    cursor: &mut Cursor<'t, 'a>,
    object: Item<'a>,
    len: usize,
    enter: fn(&str) -> bool,
    mut take: impl FnMut(&'a str, Item<'a>, &mut Cursor<'t, 'a>) -> Option<Field>,
) -> Option<(Field, &'a [u8])> {
    let mut outcome = Ok(());
    let mut close = None;
    for _ in 0..len {
        let key = cursor.key()?;
        let item = cursor.value()?;
        if item.is_container() && !enter(key) {
            cursor.skip(item)?;
        }
        let field = take(key, item, cursor)?;
        if outcome.is_ok() {
            outcome = field;
        }
        close = Some(cursor.separator()?);
    }
    let close = match close {
        Some(close) => close,
        None => cursor.separator()?, // an empty object
    };
    Some((outcome, cursor.raw_to(object, close)?))
}

#[derive(Default)]
struct FillSlots<'a> {
    coin: Option<&'a str>,
    px: Option<Number<'a>>,
    sz: Option<Number<'a>>,
    side: Option<Side>,
    time: Option<u64>,
    start_position: Option<Number<'a>>,
    dir: Option<&'a str>,
    closed_pnl: Option<&'a str>,
    hash: Option<&'a str>,
    oid: Option<u64>,
    crossed: Option<bool>,
    fee: Option<&'a str>,
    fee_token: Option<&'a str>,
    builder_fee: Option<&'a str>,
    tid: Option<u64>,
    cloid: Option<&'a str>,
    liquidation: Option<Liquidation<'a>>,
    twap_id: Option<u64>,
}

impl<'a> FillSlots<'a> {
    #[inline]
    fn take(
        &mut self,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "coin" => field::text(&mut self.coin, item, "coin"),
            "px" => field::magnitude(&mut self.px, item, "px"),
            "sz" => field::magnitude(&mut self.sz, item, "sz"),
            "side" => field::side(&mut self.side, item, "side"),
            "time" => field::uint(&mut self.time, item, "time"),
            "startPosition" => field::number(&mut self.start_position, item, "startPosition"),
            "dir" => field::text(&mut self.dir, item, "dir"),
            "closedPnl" => field::figure(&mut self.closed_pnl, item, cursor, "closedPnl"),
            "hash" => field::text(&mut self.hash, item, "hash"),
            "oid" => field::uint(&mut self.oid, item, "oid"),
            "crossed" => field::flag(&mut self.crossed, item, "crossed"),
            "fee" => field::figure(&mut self.fee, item, cursor, "fee"),
            "feeToken" => field::text(&mut self.fee_token, item, "feeToken"),
            "tid" => field::uint(&mut self.tid, item, "tid"),
            "twapId" => field::maybe_uint(&mut self.twap_id, item, "twapId"),
            "cloid" => field::maybe_text(&mut self.cloid, item, "cloid"),
            "builderFee" if item.is_null() => Ok(()),
            "builderFee" => field::figure(&mut self.builder_fee, item, cursor, "builderFee"),
            "liquidation" => match liquidation(item, cursor)? {
                Ok(Some(found)) => field::put(&mut self.liquidation, found, "liquidation"),
                Ok(None) => Ok(()),
                Err(refusal) => Err(refusal),
            },
            // Seen on the wire or in node files; they change nothing.
            "builder" | "feeTrialEscrow" | "deployerFee" | "priorityGas" => Ok(()),
            _ => {
                note_field(drift, key);
                Ok(())
            }
        })
    }

    #[inline]
    fn finish(self, raw: &'a [u8], drift: &mut Drift<'a>) -> Result<Fill<'a>, Refused> {
        let fill = Fill {
            coin: required(self.coin, "coin")?,
            px: required(self.px, "px")?,
            sz: required(self.sz, "sz")?,
            side: required(self.side, "side")?,
            time: required(self.time, "time")?,
            start_position: required(self.start_position, "startPosition")?,
            dir: required(self.dir, "dir")?,
            closed_pnl: required(self.closed_pnl, "closedPnl")?,
            hash: required(self.hash, "hash")?,
            oid: required(self.oid, "oid")?,
            crossed: required(self.crossed, "crossed")?,
            fee: required(self.fee, "fee")?,
            fee_token: required(self.fee_token, "feeToken")?.trim_ascii(), // the docs' example has a blank in it
            builder_fee: self.builder_fee,
            tid: required(self.tid, "tid")?,
            cloid: self.cloid,
            liquidation: self.liquidation,
            twap_id: self.twap_id,
            raw,
        };
        if !is_known_dir(fill.dir) {
            drift.unknown_dirs = drift.unknown_dirs.saturating_add(1);
            drift.first.get_or_insert(fill.dir);
        }
        Ok(fill)
    }
}

#[cold]
fn note_field<'a>(drift: &mut Drift<'a>, key: &'a str) {
    drift.unknown_fields = drift.unknown_fields.saturating_add(1);
    drift.first.get_or_insert(key);
}

fn liquidation<'a>(
    item: Item<'a>,
    cursor: &mut Cursor<'_, 'a>,
) -> Option<Result<Option<Liquidation<'a>>, Refused>> {
    if item.is_null() {
        return Some(Ok(None));
    }
    let Node::Object { len, .. } = item.node else {
        cursor.skip(item)?;
        return Some(Err(refused(RowReason::WrongType("liquidation"), "found no object")));
    };
    let (mut user, mut mark_px, mut method) = (None, None, None);
    let (outcome, _) = fields(
        cursor,
        item,
        len,
        |_| false,
        |key, item, cursor| {
            Some(match key {
                "liquidatedUser" => field::maybe_text(&mut user, item, "liquidation.liquidatedUser"),
                "markPx" => field::figure(&mut mark_px, item, cursor, "liquidation.markPx"),
                "method" => field::text(&mut method, item, "liquidation.method"),
                _ => Ok(()),
            })
        },
    )?;
    Some(outcome.and_then(|()| {
        Ok(Some(Liquidation {
            liquidated_user: user,
            mark_px: required(mark_px, "liquidation.markPx")?,
            method: required(method, "liquidation.method")?,
        }))
    }))
}

impl<'a> ReadRow<'a> for Fill<'a> {
    const NAME: &'static str = "fill";

    #[inline]
    fn read(
        cursor: &mut Cursor<'_, 'a>,
        row: Item<'a>,
        len: usize,
        drift: &mut Drift<'a>,
    ) -> Option<Row<'a, Self>> {
        let mut slots = FillSlots::default();
        let (outcome, raw) = fields(
            cursor,
            row,
            len,
            |key| key == "liquidation",
            |key, item, cursor| slots.take(key, item, cursor, drift),
        )?;
        Some(match outcome.and_then(|()| slots.finish(raw, drift)) {
            Ok(fill) => Ok(fill),
            Err(refusal) => Err(refusal_of(refusal, raw)),
        })
    }
}

impl<'a> ReadRow<'a> for TwapFill<'a> {
    const NAME: &'static str = "twapSliceFill";

    fn read(
        cursor: &mut Cursor<'_, 'a>,
        row: Item<'a>,
        len: usize,
        drift: &mut Drift<'a>,
    ) -> Option<Row<'a, Self>> {
        let (mut slice, mut twap_id) = (None, None);
        let (outcome, raw) = fields(
            cursor,
            row,
            len,
            |key| key == "fill",
            |key, item, cursor| {
                Some(match key {
                    "fill" => {
                        let Node::Object { len, .. } = item.node else {
                            cursor.skip(item)?;
                            return Some(Err(refused(RowReason::WrongType("fill"), "found no object")));
                        };
                        match Fill::read(cursor, item, len, drift)? {
                            Ok(fill) => field::put(&mut slice, fill, "fill"),
                            Err(refusal) => Err(refused(refusal.reason, refusal.detail)),
                        }
                    }
                    "twapId" => field::uint(&mut twap_id, item, "twapId"),
                    _ => {
                        note_field(drift, key);
                        Ok(())
                    }
                })
            },
        )?;
        let row = outcome.and_then(|()| {
            let fill: Fill<'a> = required(slice, "fill")?;
            Ok(Self { fill: Fill { raw, ..fill }, twap_id: required(twap_id, "twapId")? })
        });
        Some(row.map_err(|refusal| refusal_of(refusal, raw)))
    }
}

impl<'a> ReadRow<'a> for Trade<'a> {
    const NAME: &'static str = "trade";

    fn read(
        cursor: &mut Cursor<'_, 'a>,
        row: Item<'a>,
        len: usize,
        drift: &mut Drift<'a>,
    ) -> Option<Row<'a, Self>> {
        let (mut coin, mut side, mut px, mut sz, mut time, mut hash, mut tid) =
            (None, None, None, None, None, None, None);
        let (mut buyer, mut seller) = (None, None);
        let (outcome, raw) = fields(
            cursor,
            row,
            len,
            |key| key == "users",
            |key, item, cursor| {
                Some(match key {
                    "coin" => field::text(&mut coin, item, "coin"),
                    "side" => field::side(&mut side, item, "side"),
                    "px" => field::magnitude(&mut px, item, "px"),
                    "sz" => field::magnitude(&mut sz, item, "sz"),
                    "time" => field::uint(&mut time, item, "time"),
                    "hash" => field::text(&mut hash, item, "hash"),
                    "tid" => field::uint(&mut tid, item, "tid"),
                    "users" => {
                        let Node::Array { len: 2, .. } = item.node else {
                            cursor.skip(item)?;
                            return Some(Err(refused(RowReason::WrongType("users"), "found no pair")));
                        };
                        let mut pair = Ok(());
                        for slot in [&mut buyer, &mut seller] {
                            let user = cursor.value()?;
                            cursor.skip(user)?;
                            cursor.separator()?;
                            pair = pair.and_then(|()| field::address(slot, user, "users"));
                        }
                        pair
                    }
                    _ => {
                        note_field(drift, key);
                        Ok(())
                    }
                })
            },
        )?;
        let row = outcome.and_then(|()| {
            Ok(Self {
                coin: required(coin, "coin")?,
                side: required(side, "side")?,
                px: required(px, "px")?,
                sz: required(sz, "sz")?,
                time: required(time, "time")?,
                hash: required(hash, "hash")?,
                tid: required(tid, "tid")?,
                buyer: required(buyer, "users")?,
                seller: required(seller, "users")?,
                raw,
            })
        });
        Some(row.map_err(|refusal| refusal_of(refusal, raw)))
    }
}

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
