//! A fills file played over a socket: what followers receive is the file, row by row. The file is read here by other
//! means than the venue's own reader.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: a panic is a failed test")]

mod sim_client;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyperliquid_client::sim::{Market, MarketConfig, Replay, SimConfig, SimVenue, Speed, Stream, TwapRows};
use serde_json::{Value, json};
use sim_client::{Client, info};

/// Rows by (user, is a slice of its own), in file order: coin, px, sz, tid, oid and startPosition as text.
type Rows = BTreeMap<(String, bool), Vec<String>>;

fn key_of(fill: &Value) -> String {
    ["coin", "px", "sz", "side", "time", "startPosition", "tid", "oid", "hash"]
        .map(|key| fill[key].to_string())
        .join(" ")
}

/// The rows of a segment as they stand in the file, and the segments there are.
fn read(path: &Path, segment: Option<&str>) -> (Rows, BTreeSet<String>) {
    let mut text = String::new();
    let mut file = File::open(path).unwrap();
    if path.extension().is_some_and(|ext| ext == "gz") {
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        file.read_to_string(&mut text).unwrap();
    }
    let (mut rows, mut segments) = (Rows::new(), BTreeSet::new());
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let of = row["segment"].as_str().unwrap_or_default();
        segments.insert(of.to_owned());
        if segment.is_none_or(|segment| segment == of) {
            let slice = row["fill"]["twapId"].is_u64();
            let user = row["user"].as_str().unwrap().to_owned();
            rows.entry((user, slice)).or_default().push(key_of(&row["fill"]));
        }
    }
    (rows, segments)
}

/// Plays a segment as fast as the pipe goes, follows its ten busiest accounts, and compares.
fn check(path: &Path, segment: Option<&str>) -> usize {
    let mut config = SimConfig::replay(Replay::load(path, segment, TwapRows::Split).unwrap());
    config.speed = Speed::Max;
    config.venue.index_lag = (Duration::ZERO, Duration::ZERO);
    let file = read(path, segment).0;
    let probe = Replay::load(path, segment, TwapRows::Split).unwrap();
    let users: Vec<String> =
        probe.accounts().into_iter().take(10).map(|(user, _)| user.to_string()).collect();
    config.wait_subscriptions = users.len();
    let venue = SimVenue::start(config).unwrap();
    let mut client = Client::connect(venue.addr());
    for kind in ["userTwapSliceFills", "userFills"] {
        for user in &users {
            client.subscribe(kind, user);
        }
    }
    let expected: Rows = file.into_iter().filter(|((user, _), _)| users.contains(user)).collect();
    let total: usize = expected.values().map(Vec::len).sum();
    let mut got = Rows::new();
    while got.values().map(Vec::len).sum::<usize>() < total {
        let frame = client.json();
        let data = &frame["data"];
        let slice = frame["channel"] == "userTwapSliceFills";
        if !(slice || frame["channel"] == "userFills") || data["isSnapshot"] == true {
            continue;
        }
        let rows = data[if slice { "twapSliceFills" } else { "fills" }].as_array().unwrap();
        let of = got.entry((data["user"].as_str().unwrap().to_owned(), slice)).or_default();
        of.extend(rows.iter().map(|row| key_of(if slice { &row["fill"] } else { row })));
        assert!(!frame.to_string().contains("\"ev\""));
    }
    assert_eq!(got, expected, "{path:?} {segment:?}");
    assert!(venue.wait_finished(Duration::from_secs(20)));
    let history: Rows = expected
        .keys()
        .map(|(user, slice)| {
            let kind = if *slice { "userTwapSliceFillsByTime" } else { "userFillsByTime" };
            let ask = json!({"type":kind,"user":user,"startTime":0}).to_string();
            let (_, _, body) = info(venue.addr(), &ask).unwrap();
            let rows: Vec<Value> = serde_json::from_slice(&body).unwrap();
            let rows = rows.iter().map(|row| key_of(if *slice { &row["fill"] } else { row })).collect();
            ((user.clone(), *slice), rows)
        })
        .collect();
    for (key, rows) in &expected {
        assert_eq!(history[key], rows[..rows.len().min(2_000)], "{key:?}");
    }
    assert_eq!(venue.status().slow_closed, 0);
    total
}

#[test]
fn a_file_of_our_own_arrives_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fills.ndjson");
    let mut market = Market::new(&MarketConfig { seed: 21, history_blocks: 0, ..MarketConfig::default() });
    let lines: Vec<String> = (0..600)
        .flat_map(|_| market.step().fills)
        .map(|row| {
            let mut fill = serde_json::to_value(&row.fill).unwrap();
            fill["ev"] = json!(3);
            if row.stream == Stream::Twap {
                fill["twapId"] = json!(row.twap_id);
            }
            json!({"segment":"a","user":&*row.user,"fill":fill}).to_string()
        })
        .collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    assert!(check(&path, Some("a")) > 1_000);
}

#[test]
fn every_segment_of_the_real_fills_arrives_row_by_row() {
    #[expect(clippy::disallowed_methods, reason = "where the real data lies is told by the environment")]
    let Some(data) = std::env::var_os("INGESTION_TEST_DATA") else {
        println!("SKIPPED: INGESTION_TEST_DATA is not set");
        return;
    };
    let path = PathBuf::from(data).join("fills.ndjson.gz");
    let segments = read(&path, None).1;
    assert!(segments.len() > 1);
    let total: usize = segments.iter().map(|segment| check(&path, Some(segment))).sum();
    assert!(total > 2_000, "{total}");
    assert!(check(&path, None) > 1_000, "the whole file");
}
