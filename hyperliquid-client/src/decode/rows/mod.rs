//! Rows of a batch: found by the cursor, read one by one. Each read leaves the cursor behind its row, whether the row was sound or not,
//! so that a bad row costs its neighbours nothing.

mod fill;
mod order;
mod trade;

use super::cursor::{Cursor, Item};
use super::error::{Row, RowReason, RowRefusal};
use super::field::{Field, Refused};
use super::frame::Drift;
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

/// An unknown field loses nothing; it is counted.
#[cold]
fn note_field<'a>(drift: &mut Drift<'a>, key: &'a str) {
    drift.unknown_fields = drift.unknown_fields.saturating_add(1);
    drift.first.get_or_insert(key);
}
