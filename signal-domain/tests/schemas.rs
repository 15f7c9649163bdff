//! The JSON Schema files against the Rust types, in both directions, and against wrong values.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod common;

use std::collections::BTreeSet;

use common::{
    encoded, full_dead_letter, full_gap, full_influencer_state, full_market_state, full_raw, full_signal,
    minimal_dead_letter, minimal_gap, minimal_influencer_state, minimal_market_state, minimal_raw,
    minimal_signal, signal_json,
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use serde_json::{Value, json};
use signal_domain::{
    Account, Action, Cause, Coverage, Decimal, Disposition, Emission, EventType, Fill, GapKind, GapState,
    InfluencerId, Market, Network, Number, Origin, PositionSide, Reason, Side, Signal, Size, Stage,
    StateReason, StateSource,
    wire::v1::{self, RawV1, StateV1},
};

/// A record type: its schema, where in it the properties are, a full and a minimal value.
struct Record {
    schema: &'static str,
    properties: &'static str,
    full: Value,
    minimal: Value,
}

fn value(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

fn records() -> Vec<Record> {
    let full = value(&signal_json(&full_signal()));
    let mut context = full["context"].clone();
    context.as_object_mut().unwrap().retain(|key, _| key == "asOf");
    let part = |properties, full, minimal| Record { schema: v1::SIGNAL, properties, full, minimal };
    vec![
        part("/properties/context", full["context"].clone(), context),
        part("/properties/metadata", full["metadata"].clone(), json!({})),
        part("", full, value(&signal_json(&minimal_signal()))),
        Record {
            schema: v1::RAW,
            properties: "",
            full: value(&encoded(|out| full_raw().encode(out))),
            minimal: value(&encoded(|out| minimal_raw().encode(out))),
        },
        Record {
            schema: v1::DEAD_LETTER,
            properties: "",
            full: value(&encoded(|out| full_dead_letter().encode(out))),
            minimal: value(&encoded(|out| minimal_dead_letter().encode(out))),
        },
        Record {
            schema: v1::GAP,
            properties: "",
            full: value(&encoded(|out| full_gap().encode(out))),
            minimal: value(&encoded(|out| minimal_gap().encode(out))),
        },
        Record {
            schema: v1::STATE,
            properties: "/$defs/influencer",
            full: value(&encoded(|out| StateV1::from(full_influencer_state()).encode(out))),
            minimal: value(&encoded(|out| StateV1::from(minimal_influencer_state()).encode(out))),
        },
        Record {
            schema: v1::STATE,
            properties: "/$defs/market",
            full: value(&encoded(|out| StateV1::from(full_market_state()).encode(out))),
            minimal: value(&encoded(|out| StateV1::from(minimal_market_state()).encode(out))),
        },
        Record {
            schema: v1::STATE,
            properties: "/$defs/removed",
            full: value(&encoded(|out| StateV1::removed("whale-1", Some("ETH-PERP")).encode(out))),
            minimal: value(&encoded(|out| StateV1::removed("whale-1", None).encode(out))),
        },
    ]
}

fn schema(name: &str) -> Value {
    let (_, text) = v1::SCHEMAS.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(text).unwrap()
}

fn validator(name: &str) -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema(name)).unwrap()
}

/// A validator of one part of a schema, with the definitions of the whole.
fn part_validator(record: &Record) -> jsonschema::Validator {
    let whole = schema(record.schema);
    let mut part = whole.pointer(record.properties).unwrap().clone();
    part["$defs"] = whole["$defs"].clone();
    jsonschema::draft202012::new(&part).unwrap()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn schemas_are_valid_2020_12() {
    for (name, text) in v1::SCHEMAS {
        let document: Value = serde_json::from_str(text).unwrap();
        jsonschema::draft202012::meta::validate(&document).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(document["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

#[test]
fn every_field_is_in_the_schema_and_every_property_in_the_type() {
    for record in records() {
        let schema = schema(record.schema);
        let part = schema.pointer(record.properties).unwrap();
        let required: BTreeSet<String> =
            part["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect();
        let at = format!("{}{}", record.schema, record.properties);
        assert_eq!(keys(&part["properties"]), keys(&record.full), "{at}");
        // A minimal signal keeps keys that are optional to the schema only in its metadata.
        assert_eq!(required, keys(&record.minimal), "{at}");
        assert_ne!(part["additionalProperties"], json!(false), "{at}: v1 gains keys");
    }
}

/// Texts of the sets, as the schemas list them: closed ones as `enum`, open ones in words.
#[test]
fn the_sets_are_those_of_the_types() {
    fn names<T: AsRef<str>>(all: &[T]) -> Vec<&str> {
        all.iter().map(AsRef::as_ref).collect()
    }
    let closed = [
        (v1::SIGNAL, "/properties/action", names(Action::ALL)),
        (v1::SIGNAL, "/properties/side", names(PositionSide::ALL)),
        (v1::DEAD_LETTER, "/properties/reason", names(Reason::ALL)),
        (v1::STATE, "/$defs/market/properties/side", names(PositionSide::ALL)),
    ];
    for (name, at, members) in closed {
        assert_eq!(schema(name).pointer(at).unwrap()["enum"], json!(members), "{name}{at}");
    }
    let open = [
        (v1::SIGNAL, "/properties/network", names(Network::ALL)),
        (v1::SIGNAL, "/properties/cause", names(Cause::ALL)),
        (v1::SIGNAL, "/properties/origin", names(Origin::ALL)),
        (v1::RAW, "/properties/eventType", names(EventType::ALL)),
        (v1::RAW, "/properties/disposition", names(Disposition::ALL)),
        (v1::DEAD_LETTER, "/properties/stage", names(Stage::ALL)),
        (v1::GAP, "/properties/kind", names(GapKind::ALL)),
        (v1::GAP, "/properties/state", names(GapState::ALL)),
        (v1::STATE, "/$defs/influencer/properties/coverage", names(Coverage::ALL)),
        (v1::STATE, "/$defs/market/properties/source", names(StateSource::ALL)),
        (v1::STATE, "/$defs/market/properties/reason", names(StateReason::ALL)),
    ];
    for (name, at, members) in open {
        let schema = schema(name);
        let words = schema.pointer(at).unwrap()["description"].as_str().unwrap();
        assert!(words.contains(&format!("Known: {};", members.join(", "))), "{name}{at}: {words}");
    }
}

#[test]
fn the_records_are_valid() {
    for record in records() {
        let validator = part_validator(&record);
        for value in [&record.full, &record.minimal] {
            validator.validate(value).unwrap_or_else(|error| panic!("{}: {error}", record.schema));
        }
        if record.properties.is_empty() || record.schema == v1::STATE {
            validator_accepts_a_newer_writer(&record);
        }
    }
}

fn validator_accepts_a_newer_writer(record: &Record) {
    let mut newer = record.full.clone();
    newer["aKeyOfNextYear"] = json!({"deep": [1, 2]});
    assert!(validator(record.schema).is_valid(&newer), "{}", record.schema);
}

/// Each key in turn: without it where it is required, with `null`, with an array, and with the empty string.
#[test]
fn a_schema_refuses_a_missing_key_and_a_wrong_type() {
    for record in records() {
        let validator = part_validator(&record);
        for key in keys(&record.minimal) {
            let mut wrong = record.minimal.clone();
            wrong.as_object_mut().unwrap().remove(&key);
            assert!(!validator.is_valid(&wrong), "{}: accepts a record without {key}", record.schema);
        }
        for key in keys(&record.full) {
            let others = [Value::Null, json!([1]), json!(-1), json!(1.5)];
            // The value of a removal is null.
            for other in others.into_iter().filter(|other| record.full[&key] != *other) {
                let mut wrong = record.full.clone();
                wrong[&key] = other.clone();
                assert!(!validator.is_valid(&wrong), "{}: accepts {other} as {key}", record.schema);
            }
        }
    }
}

#[test]
fn a_schema_refuses_wrong_values() {
    let cases = [
        (v1::SIGNAL, "action", json!("REDUCE")),
        (v1::SIGNAL, "side", json!("short")),
        (v1::SIGNAL, "size", json!("-0.75")),
        (v1::SIGNAL, "size", json!("0.750")),
        (v1::SIGNAL, "size", json!("1.")),
        (v1::SIGNAL, "size", json!("00")),
        (v1::SIGNAL, "deltaSize", json!("5e-1")),
        (v1::SIGNAL, "deltaSize", json!("-0")),
        (v1::SIGNAL, "deltaSize", json!("+1")),
        (v1::SIGNAL, "price", json!(2400.5)),
        (v1::SIGNAL, "price", json!("")),
        (v1::SIGNAL, "exchange", json!("elsewhere")),
        (v1::SIGNAL, "schema", json!("signal.v2")),
        (v1::SIGNAL, "account", json!("0x00000000000000000000000000000000000000AA")),
        (v1::SIGNAL, "influencerId", json!("a|b")),
        (v1::SIGNAL, "signalId", json!("F4903D93-CCCF-5FA6-8A0F-3980CC2D2153")),
        (v1::SIGNAL, "metadata", json!({"tid": 7})),
        (v1::SIGNAL, "context", json!({"leverage": "10"})),
        (v1::RAW, "eventType", json!("")),
        (v1::RAW, "receivedAtNs", json!("1790000000431000001")),
        (v1::DEAD_LETTER, "reason", json!("bad_luck")),
        (v1::DEAD_LETTER, "sha256", json!("abc")),
        (v1::DEAD_LETTER, "payload", json!("x".repeat(262_145))),
        (v1::GAP, "missing", json!(1.25)),
        (v1::GAP, "contents", json!("both")),
        (v1::STATE, "size", json!("-1")),
        (v1::STATE, "side", json!("UP")),
    ];
    let records = records();
    for (name, key, wrong) in cases {
        let record = records
            .iter()
            .rfind(|record| record.schema == name && record.full.get(key).is_some())
            .unwrap_or_else(|| panic!("{name} has no {key}"));
        let mut value = record.full.clone();
        assert!(validator(name).is_valid(&value));
        value[key] = wrong;
        assert!(!validator(name).is_valid(&value), "{name}: accepts {value}");
    }
}

fn any_fill() -> impl Strategy<Value = Fill> {
    let coin = prop_oneof![Just("ETH"), Just("xyz:TSLA"), Just("PURR/USDC"), Just("@107"), Just("#2310")];
    let number = "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,10})?";
    (
        (coin, any::<bool>(), "[1-9][0-9]{0,5}(\\.[0-9]{1,6})?", "[1-9][0-9]{0,5}(\\.[0-9]{1,6})?"),
        (any::<u64>(), 1..u64::MAX, number, proptest::option::of(any::<u64>())),
        (
            proptest::option::of("\\PC{0,20}"),
            proptest::option::of(number),
            proptest::option::of(any::<bool>()),
        ),
        proptest::option::of(any::<u64>()),
    )
        .prop_map(|((coin, buys, px, sz), (time, tid, start, oid), (dir, fee, crossed), twap_id)| Fill {
            start_position: Some(Number::parse(&start).unwrap()),
            oid,
            dir: dir.map(Into::into),
            fee: fee.map(|fee| Number::parse(&fee).unwrap()),
            crossed,
            twap_id,
            ..Fill::new(
                Market::from_coin(coin).unwrap(),
                if buys { Side::Buy } else { Side::Sell },
                Number::parse(&px).unwrap(),
                Size::parse(&sz).unwrap(),
                time,
                tid,
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    /// Whatever fill comes, what is written is valid and reads back as it was.
    #[test]
    fn any_signal_is_valid(fill in any_fill(), seq: u64, more: bool, late: bool, account: [u8; 20]) {
        let account = Account::from_bytes(account);
        let emission = Emission::new(InfluencerId::from(account), account, Network::Mainnet, Origin::Backfill);
        let signal = Signal::from_fill(fill, Emission { seq, more, late, ..emission }).unwrap();
        prop_assume!(signal.is_some());
        let signal = signal.unwrap();
        let json = signal_json(&signal);
        let value: Value = serde_json::from_slice(&json).unwrap();
        if let Err(error) = SIGNAL_VALIDATOR.with(|validator| validator.validate(&value).map_err(|error| error.to_string())) {
            prop_assert!(false, "{}: {}", error, value);
        }
        let read = v1::SignalV1::decode(&json).unwrap();
        prop_assert_eq!(&read, &v1::SignalV1::from(&signal));
        prop_assert_eq!(encoded(|out| read.encode(out)), json);
    }

    #[test]
    fn any_payload_is_valid_and_comes_back(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (raw_payload, raw_encoding) = signal_domain::wire::encoded_payload(&payload);
        let json = encoded(|out| RawV1 { raw_payload, raw_encoding, ..full_raw() }.encode(out));
        prop_assert!(RAW_VALIDATOR.with(|validator| validator.is_valid(&serde_json::from_slice(&json).unwrap())));
        let read = RawV1::decode(&json).unwrap();
        let back = read.payload().unwrap();
        prop_assert_eq!(back.as_ref(), payload.as_slice());
    }

    /// The pattern of the schemas and the text we write are the same language.
    #[test]
    fn every_decimal_matches_the_pattern(digits: i64, scale in 0..=28_u32) {
        let decimal = Decimal::from_parts(digits.into(), scale).unwrap();
        let mut gap: Value = GAP_FULL.with(Clone::clone);
        gap["missing"] = json!(decimal.to_string());
        prop_assert!(GAP_VALIDATOR.with(|validator| validator.is_valid(&gap)), "{}", decimal);
    }
}

thread_local! {
    static SIGNAL_VALIDATOR: jsonschema::Validator = validator(v1::SIGNAL);
    static RAW_VALIDATOR: jsonschema::Validator = validator(v1::RAW);
    static GAP_VALIDATOR: jsonschema::Validator = validator(v1::GAP);
    static GAP_FULL: Value = value(&encoded(|out| full_gap().encode(out)));
}
