//! A row of the public tape.

use super::{ReadRow, fields, note_field, refusal_of};
use crate::decode::cursor::{Cursor, Item};
use crate::decode::error::{Row, RowReason};
use crate::decode::field::{self, refused, required};
use crate::decode::frame::Drift;
use crate::wire::Trade;
use simd_json::Node;

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
