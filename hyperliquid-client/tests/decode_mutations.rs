//! Every fixture, spoiled at random: nothing panics, the caller's bytes stay as they are, and every row handed out or refused carries a
//! slice of them.

use hyperliquid_client::decode::{Decoder, Frame, Row};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::LazyLock;

#[expect(clippy::unwrap_used, reason = "the fixtures are there, or the test fails")]
fn fixtures() -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort(); // a seed means the same frame everywhere
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(fixtures);

/// One way to spoil a frame.
#[derive(Clone, Debug)]
enum Spoil {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
}

fn any_spoil() -> impl Strategy<Value = Spoil> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\"",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\\",
            "null",
            "-",
            "1e999",
            "\"\\ud800\"",
            "\u{7f}",
            "{}"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Spoil::Put(at, byte)),
        (any::<Index>(), piece).prop_map(|(at, piece)| Spoil::Insert(at, piece)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Spoil::Remove(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Spoil::Repeat(from, to)),
    ]
}

fn spoil(bytes: &mut Vec<u8>, how: Spoil) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    let between = |from: Index, to: Index| {
        let (from, to) = (from.index(len), to.index(len));
        from.min(to)..from.max(to)
    };
    match how {
        Spoil::Put(at, byte) => {
            if let Some(found) = bytes.get_mut(at.index(len)) {
                *found = byte;
            }
        }
        Spoil::Insert(at, piece) => {
            let at = at.index(len);
            bytes.splice(at..at, piece);
        }
        Spoil::Remove(from, to) => {
            bytes.drain(between(from, to));
        }
        Spoil::Repeat(from, to) => bytes.extend_from_within(between(from, to)),
    }
}

fn inside(frame: &[u8], raw: &[u8]) -> bool {
    let (frame, raw) = (frame.as_ptr_range(), raw.as_ptr_range());
    frame.start <= raw.start && raw.end <= frame.end
}

fn rows_are_inside<T>(frame: &[u8], rows: &[Row<'_, T>], raw_of: impl Fn(&T) -> &[u8]) -> bool {
    rows.iter().all(|row| match row {
        Ok(row) => {
            inside(frame, raw_of(row)) && serde_json::from_slice::<serde_json::Value>(raw_of(row)).is_ok()
        }
        Err(refusal) => inside(frame, refusal.raw) && !refusal.raw.is_empty(),
    })
}

fn is_sound(frame: &[u8], decoded: &Frame<'_>) -> bool {
    match decoded {
        Frame::Fills(fills) => rows_are_inside(frame, &fills.rows, |fill| fill.raw),
        Frame::TwapFills(fills) => rows_are_inside(frame, &fills.rows, |slice| slice.fill.raw),
        Frame::UserEvents(events) => {
            rows_are_inside(frame, &events.fills, |fill| fill.raw)
                && rows_are_inside(frame, &events.twap_fills, |slice| slice.fill.raw)
        }
        Frame::OrderUpdates(rows) => rows_are_inside(frame, rows, |row| row.raw),
        Frame::Trades(rows) => rows_are_inside(frame, rows, |row| row.raw),
        Frame::AllStates { states, .. } => rows_are_inside(frame, states, |state| state.raw),
        Frame::State { state, .. } => inside(frame, state.raw),
        Frame::Post { payload, .. } => inside(frame, payload),
        Frame::Ack { .. }
        | Frame::VenueError(_)
        | Frame::Pong
        | Frame::Greeting(_)
        | Frame::Unknown { .. } => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn spoiled_frames_are_refused_or_sound(which in any::<Index>(), spoils in prop::collection::vec(any_spoil(), 1..5)) {
        let mut frame = which.get(&FIXTURES).clone();
        for how in spoils {
            spoil(&mut frame, how);
        }
        let before = frame.clone();
        let mut decoder = Decoder::new();
        if let Ok(decoded) = decoder.decode(&frame) {
            prop_assert!(is_sound(&frame, &decoded.frame), "{:?}", decoded.frame);
        }
        if let Ok(page) = decoder.fills_page(&frame) {
            prop_assert!(rows_are_inside(&frame, &page.rows, |fill| fill.raw));
        }
        prop_assert_eq!(frame, before);
    }
}
