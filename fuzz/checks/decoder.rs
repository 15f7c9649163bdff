//! Any bytes as a frame and as a page of history: refused or sound, whatever the decoder read before. Sound means: the bytes each row
//! carries lie inside the frame, are JSON by another parser's judgement, and are read again to the same row, as a restart does.

use hyperliquid_client::decode::{Decoder, Frame, Row};
use hyperliquid_client::wire::{Fill, TwapFill};
use std::fmt::Debug;

/// The check.
///
/// # Panics
/// When a decoder breaks its word.
pub(crate) fn check(bytes: &[u8]) {
    let (mut fresh, mut used) = (Decoder::new(), Decoder::new());
    {
        let page = fresh.fills_page(bytes);
        assert_eq!(used.fills_page(bytes), page);
        if let Ok(page) = &page {
            fills(bytes, &page.rows);
        }
    }
    {
        let page = fresh.twap_fills_page(bytes);
        if let Ok(page) = &page {
            slices(bytes, &page.rows);
        }
    }
    let frame = Decoder::new().decode(bytes).map(|decoded| sound(bytes, &decoded.frame));
    // The same, from buffers that pages were read into.
    assert_eq!(used.decode(bytes).map(|_| ()), frame);
}

fn sound(bytes: &[u8], frame: &Frame<'_>) {
    match frame {
        Frame::Fills(batch) => fills(bytes, &batch.rows),
        Frame::TwapFills(batch) => slices(bytes, &batch.rows),
        Frame::UserEvents(events) => {
            fills(bytes, &events.fills);
            slices(bytes, &events.twap_fills);
        }
        Frame::OrderUpdates(rows) => {
            each(
                bytes,
                rows,
                |row| row.raw,
                |row| {
                    let again = framed("orderUpdates", row.raw);
                    match Decoder::new().decode(&again).map(|decoded| decoded.frame) {
                        Ok(Frame::OrderUpdates(rows)) => assert_eq!(rows.first(), Some(&Ok(*row))),
                        other => panic!("{row:?} is {other:?} when read again"),
                    }
                },
            );
        }
        Frame::Trades(rows) => {
            each(
                bytes,
                rows,
                |row| row.raw,
                |row| {
                    let again = framed("trades", row.raw);
                    match Decoder::new().decode(&again).map(|decoded| decoded.frame) {
                        Ok(Frame::Trades(rows)) => assert_eq!(rows.first(), Some(&Ok(*row))),
                        other => panic!("{row:?} is {other:?} when read again"),
                    }
                },
            );
        }
        Frame::AllStates { states, .. } => each(bytes, states, |state| state.raw, |_| ()),
        Frame::State { state, .. } => inside(bytes, state.raw),
        Frame::Post { payload, .. } => inside(bytes, payload),
        Frame::Ack { .. }
        | Frame::VenueError(_)
        | Frame::Pong
        | Frame::Greeting(_)
        | Frame::Unknown { .. } => {}
    }
}

fn fills(bytes: &[u8], rows: &[Row<'_, Fill<'_>>]) {
    each(
        bytes,
        rows,
        |fill| fill.raw,
        |fill| {
            let again = page_of(fill.raw);
            match Decoder::new().fills_page(&again) {
                Ok(page) => assert_eq!(page.rows, [Ok(*fill)]),
                Err(error) => panic!("{fill:?} when read again: {error}"),
            }
        },
    );
}

fn slices(bytes: &[u8], rows: &[Row<'_, TwapFill<'_>>]) {
    each(
        bytes,
        rows,
        |slice| slice.fill.raw,
        |slice| {
            let again = page_of(slice.fill.raw);
            match Decoder::new().twap_fills_page(&again) {
                Ok(page) => assert_eq!(page.rows, [Ok(*slice)]),
                Err(error) => panic!("{slice:?} when read again: {error}"),
            }
        },
    );
}

fn each<'a, T: Debug>(
    bytes: &[u8],
    rows: &'a [Row<'a, T>],
    raw: impl Fn(&T) -> &[u8],
    read_again: impl Fn(&T),
) {
    for row in rows {
        match row {
            Ok(row) => {
                inside(bytes, raw(row));
                let json = serde_json::from_slice::<serde_json::Value>(raw(row));
                assert!(json.is_ok_and(|json| json.is_object()), "{row:?} is no object");
                read_again(row);
            }
            Err(refusal) => {
                inside(bytes, refusal.raw);
                assert!(!refusal.raw.is_empty(), "{refusal:?}");
            }
        }
    }
}

fn inside(bytes: &[u8], raw: &[u8]) {
    let (bytes, raw) = (bytes.as_ptr_range(), raw.as_ptr_range());
    assert!(bytes.start <= raw.start && raw.end <= bytes.end, "a row's bytes are not the frame's");
}

fn page_of(raw: &[u8]) -> Vec<u8> {
    [b"[", raw, b"]"].concat()
}

fn framed(channel: &str, raw: &[u8]) -> Vec<u8> {
    [b"{\"channel\":\"", channel.as_bytes(), b"\",\"data\":[", raw, b"]}"].concat()
}
