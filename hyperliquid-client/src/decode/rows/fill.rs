//! A fill, and a TWAP slice around one.

use super::{ReadObject, inner, unknown};
use crate::decode::cursor::{Cursor, Item};
use crate::decode::field::{self, Field, Refused, required};
use crate::decode::frame::Drift;
use crate::wire::{Fill, Liquidation, Number, Side, TwapFill, is_known_dir};

#[derive(Default)]
pub(in crate::decode) struct FillSlots<'a> {
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

impl<'a> ReadObject<'a> for Fill<'a> {
    const NAME: &'static str = "fill";
    type Slots = FillSlots<'a>;

    #[inline]
    fn enters(key: &str) -> bool {
        key == "liquidation"
    }

    #[inline]
    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "coin" => field::text(&mut slots.coin, item, "coin"),
            "px" => field::magnitude(&mut slots.px, item, "px"),
            "sz" => field::magnitude(&mut slots.sz, item, "sz"),
            "side" => field::side(&mut slots.side, item, "side"),
            "time" => field::uint(&mut slots.time, item, "time"),
            "startPosition" => field::number(&mut slots.start_position, item, "startPosition"),
            "dir" => field::text(&mut slots.dir, item, "dir"),
            "closedPnl" => field::figure(&mut slots.closed_pnl, item, cursor, "closedPnl"),
            "hash" => field::text(&mut slots.hash, item, "hash"),
            "oid" => field::uint(&mut slots.oid, item, "oid"),
            "crossed" => field::flag(&mut slots.crossed, item, "crossed"),
            "fee" => field::figure(&mut slots.fee, item, cursor, "fee"),
            "feeToken" => field::text(&mut slots.fee_token, item, "feeToken"),
            "tid" => field::uint(&mut slots.tid, item, "tid"),
            "twapId" => field::maybe_uint(&mut slots.twap_id, item, "twapId"),
            "cloid" => field::maybe_text(&mut slots.cloid, item, "cloid"),
            "builderFee" if item.is_null() => Ok(()),
            "builderFee" => field::figure(&mut slots.builder_fee, item, cursor, "builderFee"),
            "liquidation" if item.is_null() => Ok(()),
            "liquidation" => inner(&mut slots.liquidation, item, cursor, drift)?,
            // Seen on the wire or in node files; they change nothing.
            "builder" | "feeTrialEscrow" | "deployerFee" | "priorityGas" => Ok(()),
            _ => unknown(drift, key),
        })
    }

    #[inline]
    fn finish(slots: Self::Slots, raw: &'a [u8], drift: &mut Drift<'a>) -> Result<Self, Refused> {
        let fill = Fill {
            coin: required(slots.coin, "coin")?,
            px: required(slots.px, "px")?,
            sz: required(slots.sz, "sz")?,
            side: required(slots.side, "side")?,
            time: required(slots.time, "time")?,
            start_position: required(slots.start_position, "startPosition")?,
            dir: required(slots.dir, "dir")?,
            closed_pnl: required(slots.closed_pnl, "closedPnl")?,
            hash: required(slots.hash, "hash")?,
            oid: required(slots.oid, "oid")?,
            crossed: required(slots.crossed, "crossed")?,
            fee: required(slots.fee, "fee")?,
            fee_token: required(slots.fee_token, "feeToken")?.trim_ascii(), // the docs' example has a blank in it
            builder_fee: slots.builder_fee,
            tid: required(slots.tid, "tid")?,
            cloid: slots.cloid,
            liquidation: slots.liquidation,
            twap_id: slots.twap_id,
            raw,
        };
        if !is_known_dir(fill.dir) {
            drift.unknown_dirs = drift.unknown_dirs.saturating_add(1);
            drift.first.get_or_insert(fill.dir);
        }
        Ok(fill)
    }
}

#[derive(Default)]
pub(in crate::decode) struct LiquidationSlots<'a> {
    user: Option<&'a str>,
    mark_px: Option<&'a str>,
    method: Option<&'a str>,
}

impl<'a> ReadObject<'a> for Liquidation<'a> {
    const NAME: &'static str = "liquidation";
    type Slots = LiquidationSlots<'a>;

    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        _drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "liquidatedUser" => field::maybe_text(&mut slots.user, item, "liquidation.liquidatedUser"),
            "markPx" => field::figure(&mut slots.mark_px, item, cursor, "liquidation.markPx"),
            "method" => field::text(&mut slots.method, item, "liquidation.method"),
            _ => Ok(()),
        })
    }

    fn finish(slots: Self::Slots, _raw: &'a [u8], _drift: &mut Drift<'a>) -> Result<Self, Refused> {
        Ok(Self {
            liquidated_user: slots.user,
            mark_px: required(slots.mark_px, "liquidation.markPx")?,
            method: required(slots.method, "liquidation.method")?,
        })
    }
}

#[derive(Default)]
pub(in crate::decode) struct TwapSlots<'a> {
    fill: Option<Fill<'a>>,
    twap_id: Option<u64>,
}

impl<'a> ReadObject<'a> for TwapFill<'a> {
    const NAME: &'static str = "twapSliceFill";
    type Slots = TwapSlots<'a>;

    fn enters(key: &str) -> bool {
        key == "fill"
    }

    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field> {
        Some(match key {
            "fill" => inner(&mut slots.fill, item, cursor, drift)?,
            "twapId" => field::uint(&mut slots.twap_id, item, "twapId"),
            _ => unknown(drift, key),
        })
    }

    fn finish(slots: Self::Slots, raw: &'a [u8], _drift: &mut Drift<'a>) -> Result<Self, Refused> {
        let fill: Fill<'a> = required(slots.fill, "fill")?;
        Ok(Self { fill: Fill { raw, ..fill }, twap_id: required(slots.twap_id, "twapId")? })
    }
}
