//! Rows of the seldom messages: found by the cursor, read by serde out of their own bytes. Slower, and nobody waits for them.

use super::cursor::{Cursor, Item};
use super::error::{Row, RowReason, RowRefusal, shown};
use serde::Deserialize;
use simd_json::Node;

/// Reads one value just entered; leaves the cursor behind it.
pub(super) fn value<'a, T: Deserialize<'a>>(
    cursor: &mut Cursor<'_, 'a>,
    item: Item<'a>,
    name: &'static str,
) -> Option<Row<'a, T>> {
    cursor.skip(item)?;
    Some(read(cursor.raw_of(item)?, name))
}

/// Reads every value of an array just entered; not an array: one refused row.
pub(super) fn values<'a, T: Deserialize<'a>>(
    cursor: &mut Cursor<'_, 'a>,
    item: Item<'a>,
    name: &'static str,
) -> Option<Vec<Row<'a, T>>> {
    let Node::Array { len, .. } = item.node else {
        cursor.skip(item)?;
        let raw = cursor.raw_of(item)?;
        let detail = "found no array".to_owned();
        return Some(vec![Err(RowRefusal { reason: RowReason::WrongType(name), detail, raw })]);
    };
    let mut rows = Vec::with_capacity(len);
    for _ in 0..len {
        let item = cursor.value()?;
        rows.push(value(cursor, item, name)?);
        cursor.separator()?;
    }
    cursor.close_if_empty(len)?;
    Some(rows)
}

/// Reads a type out of the bytes of one JSON value.
pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a [u8], name: &'static str) -> Row<'a, T> {
    serde_json::from_slice(raw).map_err(|error| {
        let detail = shown(&error.to_string(), 120);
        let reason = if detail.starts_with("missing field") {
            RowReason::MissingField(name)
        } else {
            RowReason::WrongType(name)
        };
        RowRefusal { reason, detail, raw }
    })
}
