//! One field into its slot: typed, refused by name, and never twice.

use super::cursor::{Cursor, Item};
use super::error::{RowReason, shown};
use crate::wire::{Address, Number, NumberError, Side};
use simd_json::{Node, StaticNode};

/// Why a row is refused; boxed, so that the good path moves one word.
pub(super) type Refused = Box<(RowReason, String)>;
pub(super) type Field = Result<(), Refused>;

#[cold]
pub(super) fn refused(reason: RowReason, detail: impl Into<String>) -> Refused {
    Box::new((reason, detail.into()))
}

#[cold]
fn wrong_type(item: Item<'_>, name: &'static str) -> Refused {
    let found = match item.node {
        Node::String(text) => format!("the string {:?}", shown(text, 64)),
        Node::Static(node) => format!("{node}"),
        Node::Object { .. } => "an object".to_owned(),
        Node::Array { .. } => "an array".to_owned(),
    };
    refused(RowReason::WrongType(name), format!("found {found}"))
}

#[inline]
pub(super) fn put<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Field {
    if slot.replace(value).is_some() { Err(refused(RowReason::DuplicateField(name), "")) } else { Ok(()) }
}

#[inline]
pub(super) fn text<'a>(slot: &mut Option<&'a str>, item: Item<'a>, name: &'static str) -> Field {
    let Node::String(text) = item.node else { return Err(wrong_type(item, name)) };
    put(slot, text, name)
}

/// A string that may be null or absent.
#[inline]
pub(super) fn maybe_text<'a>(slot: &mut Option<&'a str>, item: Item<'a>, name: &'static str) -> Field {
    if item.is_null() { Ok(()) } else { text(slot, item, name) }
}

/// A figure that stays text: a string, or a number as it stands in the frame (the docs say number, the wire says string).
#[inline]
pub(super) fn figure<'a>(
    slot: &mut Option<&'a str>,
    item: Item<'a>,
    cursor: &Cursor<'_, 'a>,
    name: &'static str,
) -> Field {
    let Some(text) = cursor.figure(item) else { return Err(wrong_type(item, name)) };
    put(slot, text, name)
}

/// A figure that must be exact: a string holding a plain decimal number.
#[inline]
pub(super) fn number<'a>(slot: &mut Option<Number<'a>>, item: Item<'a>, name: &'static str) -> Field {
    let Node::String(text) = item.node else { return Err(wrong_type(item, name)) };
    match Number::parse(text) {
        Ok(number) => put(slot, number, name),
        Err(error) => Err(bad_number(error, text, name)),
    }
}

#[cold]
fn bad_number(error: NumberError, text: &str, name: &'static str) -> Refused {
    let reason = match error {
        NumberError::NotANumber => RowReason::NotANumber(name),
        NumberError::OutOfRange => RowReason::NumberOutOfRange(name),
    };
    refused(reason, format!("found {:?}", shown(text, 64)))
}

/// The same, not below zero: prices and sizes.
#[inline]
pub(super) fn magnitude<'a>(slot: &mut Option<Number<'a>>, item: Item<'a>, name: &'static str) -> Field {
    number(slot, item, name)?;
    match slot {
        Some(number) if number.value.is_sign_negative() && !number.value.is_zero() => {
            Err(refused(RowReason::NumberOutOfRange(name), format!("{} is negative", number.text)))
        }
        _ => Ok(()),
    }
}

#[inline]
pub(super) fn uint(slot: &mut Option<u64>, item: Item<'_>, name: &'static str) -> Field {
    let value = match item.node {
        Node::Static(StaticNode::U64(value)) => value,
        Node::Static(StaticNode::I64(value)) => match u64::try_from(value) {
            Ok(value) => value,
            Err(_) => return Err(refused(RowReason::NumberOutOfRange(name), format!("{value} is negative"))),
        },
        Node::String(_) | Node::Static(_) | Node::Object { .. } | Node::Array { .. } => {
            return Err(wrong_type(item, name));
        }
    };
    put(slot, value, name)
}

#[inline]
pub(super) fn maybe_uint(slot: &mut Option<u64>, item: Item<'_>, name: &'static str) -> Field {
    if item.is_null() { Ok(()) } else { uint(slot, item, name) }
}

#[inline]
pub(super) fn flag(slot: &mut Option<bool>, item: Item<'_>, name: &'static str) -> Field {
    let Node::Static(StaticNode::Bool(value)) = item.node else { return Err(wrong_type(item, name)) };
    put(slot, value, name)
}

#[inline]
pub(super) fn side(slot: &mut Option<Side>, item: Item<'_>, name: &'static str) -> Field {
    let Node::String(text) = item.node else { return Err(wrong_type(item, name)) };
    let Some(side) = Side::from_letter(text) else { return Err(wrong_type(item, name)) };
    put(slot, side, name)
}

#[inline]
pub(super) fn address(slot: &mut Option<Address>, item: Item<'_>, name: &'static str) -> Field {
    let Node::String(text) = item.node else { return Err(wrong_type(item, name)) };
    match Address::parse(text) {
        Ok(address) => put(slot, address, name),
        Err(error) => Err(refused(RowReason::BadAddress(name), error.to_string())),
    }
}

#[inline]
pub(super) fn required<T>(slot: Option<T>, name: &'static str) -> Result<T, Refused> {
    match slot {
        Some(value) => Ok(value),
        None => Err(refused(RowReason::MissingField(name), "")),
    }
}
