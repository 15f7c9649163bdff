//! Every frame recorded from the venue decodes with nothing refused, except where whoever captured it elided an account. The recordings
//! are found by `INGESTION_TEST_DATA`; without it the same check runs on fixtures of our own.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside the test functions")]

use flate2::read::GzDecoder;
use hyperliquid_client::decode::{Decoder, Frame, Row};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn data() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test finds its recordings by the environment")]
    let found = std::env::var_os("INGESTION_TEST_DATA").map(PathBuf::from);
    if found.is_none() {
        println!("SKIPPED: INGESTION_TEST_DATA is not set");
    }
    found
}

#[derive(Default)]
struct Seen {
    frames: usize,
    rows: usize,
    refused: Vec<String>,
}

impl Seen {
    fn frame(&mut self, decoder: &mut Decoder, raw: &[u8]) {
        self.frames += 1;
        match decoder.decode(raw) {
            Err(error) => self.refused.push(error.to_string()),
            Ok(decoded) => match &decoded.frame {
                Frame::Fills(fills) => self.rows(&fills.rows, raw, |fill| fill.raw),
                Frame::TwapFills(fills) => self.rows(&fills.rows, raw, |slice| slice.fill.raw),
                Frame::UserEvents(events) => self.rows(&events.fills, raw, |fill| fill.raw),
                Frame::OrderUpdates(rows) => self.rows(rows, raw, |row| row.raw),
                Frame::Trades(rows) => self.rows(rows, raw, |row| row.raw),
                Frame::AllStates { states, .. } => self.rows(states, raw, |state| state.raw),
                Frame::State { .. }
                | Frame::Ack { .. }
                | Frame::VenueError(_)
                | Frame::Pong
                | Frame::Post { .. }
                | Frame::Greeting(_)
                | Frame::Unknown { .. } => {}
            },
        }
    }

    /// Raw slices are JSON objects of the frame's own bytes, in order and apart from each other.
    fn rows<T>(&mut self, rows: &[Row<'_, T>], frame: &[u8], raw_of: impl Fn(&T) -> &[u8]) {
        let mut end = frame.as_ptr() as usize;
        for row in rows {
            self.rows += 1;
            match row {
                Err(refusal) => self.refused.push(refusal.to_string()),
                Ok(row) => {
                    let raw = raw_of(row);
                    let start = raw.as_ptr() as usize;
                    assert!(start > end && start + raw.len() <= frame.as_ptr() as usize + frame.len());
                    end = start + raw.len();
                    let value: serde_json::Value = serde_json::from_slice(raw).unwrap();
                    assert!(value.is_object());
                }
            }
        }
    }
}

fn lines(path: &Path) -> impl Iterator<Item = String> {
    BufReader::new(GzDecoder::new(fs::File::open(path).unwrap())).lines().map(Result::unwrap)
}

#[test]
fn recorded_single_frames() {
    let folder = data().map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        |data| data.join("frames"),
    );
    let (mut seen, mut decoder) = (Seen::default(), Decoder::new());
    for entry in fs::read_dir(folder).unwrap() {
        seen.frame(&mut decoder, &fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(seen.frames >= 25 && seen.rows > 0);
    assert!(seen.refused.iter().all(|refusal| refusal.contains("elided")), "{:?}", seen.refused);
}

#[test]
fn recorded_blocks() {
    let Some(data) = data() else { return };
    let (mut seen, mut decoder) = (Seen::default(), Decoder::new());
    for line in lines(&data.join("block_stream.ndjson.gz")) {
        let (_, frame) = line.split_once("\"frame\":").unwrap();
        seen.frame(&mut decoder, frame.strip_suffix('}').unwrap().as_bytes());
    }
    assert_eq!((seen.frames, seen.refused), (2_604, Vec::new()));
}

#[test]
fn recorded_trades() {
    let Some(data) = data() else { return };
    let (mut seen, mut decoder) = (Seen::default(), Decoder::new());
    for line in lines(&data.join("trades_frames.ndjson.gz")) {
        seen.frame(&mut decoder, line.as_bytes());
    }
    assert_eq!(seen.frames, 569);
    assert!(seen.rows > 569);
    assert!(seen.refused.iter().all(|refusal| refusal.contains("elided")), "{:?}", seen.refused);
}

#[test]
fn recorded_fills_as_one_info_page() {
    let Some(data) = data() else { return };
    for (file, count) in [("fills.ndjson.gz", 8_301), ("gappy_fills.ndjson.gz", 682)] {
        let fills: Vec<String> = lines(&data.join(file))
            .map(|line| {
                let line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
                line["fill"].to_string()
            })
            .collect();
        let page = format!("[{}]", fills.join(","));
        let mut decoder = Decoder::new();
        let decoded = decoder.fills_page(page.as_bytes()).unwrap();
        let refused: Vec<_> = decoded.rows.iter().filter_map(|row| row.as_ref().err()).take(3).collect();
        assert_eq!((decoded.rows.len(), refused), (count, Vec::new()), "{file}");
    }
}
