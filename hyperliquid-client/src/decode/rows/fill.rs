//! A fill, and a TWAP slice around one.

use super::{ReadRow, fields, note_field, refusal_of};
use crate::decode::cursor::{Cursor, Item};
use crate::decode::error::{Row, RowReason};
use crate::decode::field::{self, Field, Refused, refused, required};
use crate::decode::frame::Drift;
use crate::wire::{Fill, Liquidation, Number, Side, TwapFill, is_known_dir};
use simd_json::Node;

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
