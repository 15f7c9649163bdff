//! The careful way through a batch that is not JSON as a whole, because one row holds a bare `NaN` or an integer of forty digits.
//!
//! The rows are told apart by brackets and quotes alone; each is then parsed by itself. What parses is as good as ever, what does not
//! is refused with the field to blame. A frame whose brackets do not match is refused whole: cut-off rows are never guessed.

use super::cursor::Cursor;
use super::error::{Row, RowReason, RowRefusal, shown};
use super::frame::{Decoded, Drift, FillsFrame, Frame, TwapFillsFrame};
use super::rows::{self, ReadObject};
use super::{Page, scan};
use crate::wire::Address;
use serde::Deserialize;
use simd_json::{Buffers, Tape};
use std::ops::Range;

/// A frame with a list of rows, or `None` when it is not one or cannot be taken apart.
#[cold]
pub(super) fn frame<'a>(raw: &'a [u8], spare: &'a mut Vec<u8>) -> Option<Decoded<'a>> {
    let envelope = scan::fields(raw)?;
    let channel: &str = json(only(raw, &envelope, "channel")?)?;
    let data = only(raw, &envelope, "data")?;
    let mut drift = Drift::default();
    let frame = match channel {
        "userFills" => {
            let (user, is_snapshot, list) = batch(data, "fills")?;
            Frame::Fills(FillsFrame { user, is_snapshot, rows: list_rows(list, spare, &mut drift)? })
        }
        "userTwapSliceFills" => {
            let (user, is_snapshot, list) = batch(data, "twapSliceFills")?;
            Frame::TwapFills(TwapFillsFrame { user, is_snapshot, rows: list_rows(list, spare, &mut drift)? })
        }
        "orderUpdates" => Frame::OrderUpdates(list_rows(data, spare, &mut drift)?),
        "trades" => Frame::Trades(list_rows(data, spare, &mut drift)?),
        _ => return None,
    };
    Some(Decoded { frame, drift })
}

/// A page of rows, or `None` when it cannot be taken apart.
#[cold]
pub(super) fn page<'a, T: ReadObject<'a>>(raw: &'a [u8], spare: &'a mut Vec<u8>) -> Option<Page<'a, T>> {
    let mut drift = Drift::default();
    let rows = list_rows(raw, spare, &mut drift)?;
    Some(Page { rows, drift })
}

fn batch<'a>(data: &'a [u8], list: &str) -> Option<(Address, bool, &'a [u8])> {
    let fields = scan::fields(data)?;
    let user = Address::parse(json(only(data, &fields, "user")?)?).ok()?;
    let is_snapshot = match only(data, &fields, "isSnapshot") {
        Some(flag) => json(flag)?,
        None => false,
    };
    Some((user, is_snapshot, only(data, &fields, list)?))
}

/// The value of a field that stands exactly once.
fn only<'a>(object: &'a [u8], fields: &[(&[u8], Range<usize>)], name: &str) -> Option<&'a [u8]> {
    let mut found = fields.iter().filter(|(key, _)| *key == name.as_bytes());
    let (_, range) = found.next()?;
    if found.next().is_some() { None } else { object.get(range.clone()) }
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

/// Parses each element by itself, in its own piece of `spare`.
fn list_rows<'a, T: ReadObject<'a>>(
    list: &'a [u8],
    spare: &'a mut Vec<u8>,
    drift: &mut Drift<'a>,
) -> Option<Vec<Row<'a, T>>> {
    let ranges = scan::elements(list)?;
    spare.clear();
    spare.extend_from_slice(list);
    let mut rest: &'a mut [u8] = spare.as_mut_slice();
    let mut passed = 0;
    let mut buffers = Buffers::new(512);
    let mut rows = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (_, from_here) = rest.split_at_mut_checked(range.start.checked_sub(passed)?)?;
        let (piece, behind) = from_here.split_at_mut_checked(range.len())?;
        (rest, passed) = (behind, range.end);
        let raw = list.get(range)?;
        let mut tape = Tape(Vec::new());
        rows.push(match simd_json::fill_tape(piece, &mut buffers, &mut tape) {
            Ok(()) => rows::row(&mut Cursor::new(&tape.0, buffers.structural_indexes(), raw), drift)?,
            Err(_) => Err(blame(raw)),
        });
    }
    Some(rows)
}

/// Which field makes a row unreadable.
fn blame(raw: &[u8]) -> RowRefusal<'_> {
    let (reason, detail) = blamed_field(raw).unwrap_or((RowReason::Malformed, String::new()));
    RowRefusal { reason, detail, raw }
}

fn blamed_field(row: &[u8]) -> Option<(RowReason, String)> {
    for (key, range) in scan::fields(row)? {
        let value = row.get(range)?;
        if simd_json::to_tape(&mut value.to_vec()).is_ok() {
            continue;
        }
        if matches!(key, b"fill" | b"order") {
            return blamed_field(value);
        }
        let name = NUMBERS.into_iter().find(|name| name.as_bytes() == key)?;
        let text = String::from_utf8_lossy(value);
        let digits_only = value
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
        let reason = match value.first()? {
            b'"' => RowReason::Malformed,
            b'0'..=b'9' | b'-' if digits_only => RowReason::NumberOutOfRange(name),
            _ => RowReason::NotANumber(name),
        };
        return Some((reason, format!("found {:?}", shown(&text, 64))));
    }
    None
}

/// Fields that hold numbers, in any kind of row.
const NUMBERS: [&str; 15] = [
    "px",
    "sz",
    "startPosition",
    "time",
    "oid",
    "tid",
    "fee",
    "closedPnl",
    "builderFee",
    "twapId",
    "limitPx",
    "origSz",
    "timestamp",
    "statusTimestamp",
    "markPx",
];
