//! Two independent statements of the protocol meet: everything the simulated venue says is understood by the decoder,
//! and every fault of it ends as the decoder promises.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: a panic is a failed test")]

mod sim_client;

use std::collections::BTreeSet;
use std::time::Duration;

use hyperliquid_client::decode::{Decoder, Frame};
use hyperliquid_client::sim::{
    Market, MarketConfig, SimConfig, SimHandle, SimSource, SimVenue, Speed, TruthRow,
};
use serde_json::{Value, json};
use sim_client::{Client, Got, info};

fn text(got: Got) -> Vec<u8> {
    let Got::Text(text, _) = got else { panic!("{got:?} instead of a message") };
    text
}

/// A market that never plays by itself: the test steps it.
fn stepped(faults: &[&str]) -> (SimHandle, Market) {
    let mut config = SimConfig::manual();
    config.faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    let venue = SimVenue::start(config).unwrap();
    let mut market = Market::new(&MarketConfig { seed: 5, ..MarketConfig::default() });
    for _ in 0..MarketConfig::default().history_blocks {
        venue.play_history(&market.step());
    }
    (venue, market)
}

/// How many rows the decoder found; panics where it refuses anything.
fn rows(decoder: &mut Decoder, raw: &[u8]) -> (&'static str, usize) {
    let decoded =
        decoder.decode(raw).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(raw)));
    assert!(!decoded.drift.any(), "{:?}", decoded.drift);
    let (name, sound, refused) = match decoded.frame {
        Frame::Fills(frame) => {
            ("fills", frame.rows.len(), frame.rows.iter().filter(|row| row.is_err()).count())
        }
        Frame::TwapFills(frame) => {
            ("slices", frame.rows.len(), frame.rows.iter().filter(|row| row.is_err()).count())
        }
        Frame::UserEvents(events) => {
            let refused = events.fills.iter().filter(|row| row.is_err()).count()
                + events.twap_fills.iter().filter(|row| row.is_err()).count()
                + usize::from(events.liquidation.as_ref().is_some_and(Result::is_err));
            ("events", events.fills.len() + events.twap_fills.len(), refused)
        }
        Frame::OrderUpdates(orders) => {
            ("orders", orders.len(), orders.iter().filter(|row| row.is_err()).count())
        }
        Frame::Trades(trades) => ("trades", trades.len(), trades.iter().filter(|row| row.is_err()).count()),
        Frame::State { .. } => ("state", 1, 0),
        Frame::AllStates { states, .. } => {
            ("states", states.len(), states.iter().filter(|row| row.is_err()).count())
        }
        Frame::Ack { .. } => ("ack", 1, 0),
        Frame::Pong => ("pong", 1, 0),
        Frame::Unknown { channel: "allMids" } => ("mids", 1, 0),
        other @ (Frame::VenueError(_) | Frame::Post { .. } | Frame::Greeting(_) | Frame::Unknown { .. }) => {
            panic!("{other:?}")
        }
    };
    assert_eq!(refused, 0, "{}", String::from_utf8_lossy(raw));
    (name, sound)
}

#[test]
fn everything_the_venue_says_is_understood() {
    let start_ms = 1_789_948_800_000 - 30_000; // half a minute before midnight: dust is met too
    let market = MarketConfig { seed: 8, start_ms, blocks: Some(300), ..MarketConfig::default() };
    let mut config = SimConfig::new(SimSource::Synthetic(market));
    config.speed = Speed::Max;
    config.wait_subscriptions = Market::followed().len();
    let venue = SimVenue::start(config).unwrap();
    let mut client = Client::connect(venue.addr());
    let users = venue.accounts().to_vec();
    let subscribe =
        |subscription: Value| json!({"method":"subscribe","subscription":subscription}).to_string();
    client.send(&subscribe(json!({"type":"allMids"})));
    for coin in ["BTC", "xyz:CL", "@107", "PURR/USDC", "USUAL"] {
        client.send(&subscribe(json!({"type":"trades","coin":coin})));
    }
    for user in &users {
        for kind in ["userTwapSliceFills", "userEvents", "orderUpdates", "clearinghouseState"] {
            client.subscribe(kind, user);
        }
        client.subscribe("allDexsClearinghouseState", user);
        client.subscribe("userFills", user);
    }
    let mut decoder = Decoder::new();
    let (mut live, mut seen) = (0, BTreeSet::new());
    let mut expected = usize::MAX;
    let mut history = 0;
    while live < expected || seen.len() < 9 {
        let raw = text(client.next());
        let (name, found) = rows(&mut decoder, &raw);
        seen.insert(name);
        if matches!(name, "fills" | "slices") {
            if raw.windows(12).any(|part| part == b"\"isSnapshot\"") {
                history += found;
            } else {
                live += found;
            }
        }
        if expected == usize::MAX && venue.wait_finished(Duration::ZERO) {
            let followed = |row: &&TruthRow| row.live && users.iter().any(|user| **user == *row.user);
            expected = venue.truth(0).iter().filter(followed).count();
        }
    }
    assert_eq!(live, expected);
    assert!(history > 0 && venue.truth(0).iter().any(|row| row.tid == 0), "snapshots and dust were there");
    for user in &users {
        let page = |kind: &str| {
            info(venue.addr(), &json!({"type":kind,"user":user,"startTime":0}).to_string()).unwrap().2
        };
        let fills = decoder
            .fills_page(&page("userFillsByTime"))
            .unwrap()
            .rows
            .iter()
            .filter(|row| row.is_err())
            .count();
        let body = page("userTwapSliceFillsByTime");
        let slices = decoder.twap_fills_page(&body).unwrap().rows.iter().filter(|row| row.is_err()).count();
        assert_eq!(fills + slices, 0);
    }
}

#[test]
fn bad_fills_cost_themselves_only() {
    for (kind, code) in [
        ("missing_field", "missing_field"),
        ("no_time", "missing_field"),
        ("wrong_type", "wrong_type"),
        ("null", "wrong_type"),
        ("nan", "not_a_number"),
        ("infinity", "not_a_number"),
        ("text", "not_a_number"),
        ("forty-digits", "number_out_of_range"),
    ] {
        let (venue, mut market) = stepped(&[&format!("bad-fill={kind}")]);
        let mut client = Client::connect(venue.addr());
        for (_, user) in Market::followed() {
            client.subscribe("userFills", &user);
            client.on("userFills");
        }
        while venue.fault_counts()["bad-fill"] == 0 {
            venue.play(&market.step());
        }
        let mut decoder = Decoder::new();
        loop {
            let raw = text(client.next());
            let Frame::Fills(frame) = decoder.decode(&raw).unwrap().frame else { continue };
            if frame.is_snapshot {
                continue;
            }
            let refused = frame.rows[0].as_ref().unwrap_err();
            assert_eq!(refused.reason.code(), code, "{kind}");
            assert!(frame.rows.len() > 1 && frame.rows[1..].iter().all(Result::is_ok), "{kind}");
            break;
        }
    }
}

#[test]
fn frames_of_nonsense_end_as_promised() {
    let (venue, mut market) = stepped(&[]);
    let mut client = Client::connect(venue.addr());
    for (_, user) in Market::followed() {
        client.subscribe("userFills", &user);
        client.on("userFills");
    }
    client.send(r#"{"method":"ping"}"#);
    client.on("pong");
    let mut decoder = Decoder::new();
    let mut after = |fault: &str| {
        venue.add_fault(fault.parse().unwrap());
        while venue.fault_counts().values().any(|count| *count == 0) {
            venue.play(&market.step());
        }
        text(client.next())
    };
    for (fault, closes) in [("malformed", false), ("truncated", false), ("deep", false), ("bad-utf8", true)] {
        let error = decoder.decode(&after(fault)).unwrap_err();
        assert_eq!((error.code(), error.closes_connection()), ("malformed_frame", closes), "{fault}");
    }
    let raw = after("unknown-channel");
    assert!(matches!(decoder.decode(&raw).unwrap().frame, Frame::Unknown { channel: "orbitalElements" }));
    let raw = after("unfollowed");
    let Frame::Fills(frame) = decoder.decode(&raw).unwrap().frame else { panic!() };
    assert!(frame.rows.iter().all(Result::is_ok));
    let raw = after("unknown-field");
    let decoded = decoder.decode(&raw).unwrap();
    assert_eq!((decoded.drift.unknown_fields, decoded.drift.first), (1, Some("surprise")));
}
