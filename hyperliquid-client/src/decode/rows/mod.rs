//! Rows of a batch: found by the cursor, read one by one. Each read leaves the cursor behind its row, whether the row was sound or not,
//! so that a bad row costs its neighbours nothing.

mod fill;
mod order;
mod trade;

use super::cursor::{Cursor, Item};
use super::error::{Row, RowReason, RowRefusal};
use super::field::{self, Field, Refused, refused};
use super::frame::Drift;
use simd_json::Node;

/// A kind of object, read field by field: a row, or what stands inside one.
pub(super) trait ReadObject<'a>: Sized {
    /// What it is called when it is not even an object.
    const NAME: &'static str;

    /// Its fields as far as they were seen.
    type Slots: Default;

    /// Whether `take` reads this container itself; all others are passed over before `take` sees them.
    #[inline]
    fn enters(_key: &str) -> bool {
        false
    }

    /// Puts one field into its slot and leaves the cursor behind it. `None` means the cursor lost its way: the frame is
    /// refused whole.
    fn take(
        slots: &mut Self::Slots,
        key: &'a str,
        item: Item<'a>,
        cursor: &mut Cursor<'_, 'a>,
        drift: &mut Drift<'a>,
    ) -> Option<Field>;

    /// The object, when every field it must have was seen. `raw` is all of its bytes.
    fn finish(slots: Self::Slots, raw: &'a [u8], drift: &mut Drift<'a>) -> Result<Self, Refused>;
}

/// All rows of an array just entered.
pub(super) fn rows<'a, T: ReadObject<'a>>(
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

/// One row at the cursor, whatever is there.
#[inline]
pub(super) fn row<'a, T: ReadObject<'a>>(
    cursor: &mut Cursor<'_, 'a>,
    drift: &mut Drift<'a>,
) -> Option<Row<'a, T>> {
    let item = cursor.value()?;
    object(cursor, item, drift)
}

/// A value just entered that should be an object. The cursor is behind it then; of several refused fields the first counts.
#[inline]
fn object<'a, T: ReadObject<'a>>(
    cursor: &mut Cursor<'_, 'a>,
    object: Item<'a>,
    drift: &mut Drift<'a>,
) -> Option<Row<'a, T>> {
    let Node::Object { len, .. } = object.node else {
        cursor.skip(object)?;
        return Some(Err(not_an_object(T::NAME, cursor.raw_of(object)?)));
    };
    let mut slots = T::Slots::default();
    let mut outcome = Ok(());
    let mut close = None;
    for _ in 0..len {
        let key = cursor.key()?;
        let item = cursor.value()?;
        if item.is_container() && !T::enters(key) {
            cursor.skip(item)?;
        }
        let field = T::take(&mut slots, key, item, cursor, drift)?;
        if outcome.is_ok() {
            outcome = field;
        }
        close = Some(cursor.separator()?);
    }
    let close = match close {
        Some(close) => close,
        None => cursor.separator()?, // an empty object
    };
    let raw = cursor.raw_to(object, close)?;
    Some(match outcome.and_then(|()| T::finish(slots, raw, drift)) {
        Ok(object) => Ok(object),
        Err(refusal) => Err(refusal_of(refusal, raw)),
    })
}

/// An object in a field of another one.
#[inline]
fn inner<'a, T: ReadObject<'a>>(
    slot: &mut Option<T>,
    item: Item<'a>,
    cursor: &mut Cursor<'_, 'a>,
    drift: &mut Drift<'a>,
) -> Option<Field> {
    Some(match object(cursor, item, drift)? {
        Ok(found) => field::put(slot, found, T::NAME),
        Err(refusal) => Err(refused(refusal.reason, refusal.detail)),
    })
}

/// An unknown field loses nothing; it is counted.
#[cold]
fn unknown<'a>(drift: &mut Drift<'a>, key: &'a str) -> Field {
    drift.unknown_fields = drift.unknown_fields.saturating_add(1);
    drift.first.get_or_insert(key);
    Ok(())
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
