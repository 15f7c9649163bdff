//! Entries for tests: plain ones, and whole sets drawn by proptest.

use proptest::{collection, option, prelude::*};
use serde_json::{Map, Value, json};

use crate::InfluencerSet;

pub(crate) fn address(n: u32) -> String {
    format!("0x{n:040x}")
}

pub(crate) fn entry(id: &str, n: u32) -> Value {
    json!({ "id": id, "address": address(n) })
}

/// A valid entry: any settings, few ids and addresses, so that sets meet each other.
pub(crate) fn any_entry() -> impl Strategy<Value = Value> {
    let place = (0..6_u32, 0..6_u32, option::of("[a-zA-Z ]{1,12}"), option::of(any::<i32>()));
    let switches = (option::of(any::<bool>()), option::of(any::<bool>()), option::of(1..1_000_u32));
    let markets = collection::vec(prop_oneof!["[A-Z]{1,5}-PERP", "@[0-9]{1,3}", "#[0-9]"], 0..4);
    let delays = (option::of(1..1_000_u32), option::of(1_000..9_999_u32), option::of(0.0..1.0_f64));
    let throttle = (option::of(0.01..1.0_f64), option::of(1..2_000_u32));
    let start = option::of(prop_oneof![
        Just(json!("now")),
        (0..9_999_999_999_u64).prop_map(|ms| json!(ms)),
        (1..99_u32).prop_map(|h| json!(format!("{h}h"))),
    ]);
    let unknown = option::of(prop_oneof![Just(json!({ "deep": [1, null] })), Just(json!("text"))]);
    (place, switches, markets, delays, throttle, start, unknown).prop_map(
        |(
            (id, n, label, priority),
            (enabled, orders, streams),
            markets,
            delays,
            throttle,
            start,
            unknown,
        )| {
            let fields = [
                ("id", json!(format!("id-{id}"))),
                ("address", json!(address(n))),
                ("label", json!(label)),
                ("priority", json!(priority)),
                ("enabled", json!(enabled)),
                ("markets", json!(markets)),
                ("max_streams", json!(streams)),
                ("orders", json!(orders)),
                ("backoff", json!({ "initial_ms": delays.0, "maxMs": delays.1, "jitter": delays.2 })),
                ("throttle", json!({ "infoShare": throttle.0, "resubscribesPerMinute": throttle.1, "x": 1 })),
                ("start", json!(start)),
                ("futureField", json!(unknown)),
            ];
            let given = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
        },
    )
}

/// Whatever stands of up to eight such entries.
pub(crate) fn any_set() -> impl Strategy<Value = InfluencerSet> {
    collection::vec(any_entry(), 0..8)
        .prop_map(|entries| InfluencerSet::lenient(&entries, &InfluencerSet::default()).0)
}
