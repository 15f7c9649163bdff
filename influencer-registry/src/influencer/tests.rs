//! One entry: what is read, refused and written back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    BadId, Reason,
    test_entries::{address, any_entry},
};

fn problems(entry: &Value) -> Vec<(String, Reason)> {
    let problems = Influencer::from_json(entry).unwrap_err();
    problems.into_iter().map(|problem| (problem.field, problem.reason)).collect()
}

#[test]
fn an_address_is_enough() {
    let read = Influencer::from_json(&json!({ "address": address(7) })).unwrap();
    assert_eq!(read, Influencer::new(address(7).parse().unwrap()));
    assert_eq!(read.id().as_str(), address(7));
    assert!(read.enabled() && read.markets().is_empty() && read.wants_market("ETH-PERP"));
    assert_eq!(read.to_json(), json!({ "id": address(7), "address": address(7) }));
}

#[test]
fn every_field_is_read_in_both_spellings() {
    let camel = json!({
        "id": "whale-1", "address": address(1), "label": "Big one", "priority": -3, "enabled": false,
        "markets": ["ETH-PERP", "@107", "ETH-PERP"], "maxStreams": 4, "orders": true,
        "backoff": { "initialMs": 10, "maxMs": 20, "jitter": 0.5 },
        "throttle": { "infoShare": 0.25, "resubscribesPerMinute": 6 },
        "start": "2h", "addedAt": "2026-09-21T14:13:20.123Z",
    });
    let text = camel.to_string();
    let renamed = [
        ("maxStreams", "max_streams"),
        ("initialMs", "initial_ms"),
        ("maxMs", "max_ms"),
        ("infoShare", "info_share"),
        ("resubscribesPerMinute", "resubscribes_per_minute"),
        ("addedAt", "added_at"),
    ];
    let snake = renamed.iter().fold(text, |text, (from, to)| text.replace(from, to));
    let read = Influencer::from_json(&camel).unwrap();
    assert_eq!(Influencer::from_json(&serde_json::from_str(&snake).unwrap()).unwrap(), read);
    assert_eq!((read.priority(), read.enabled(), read.max_streams()), (-3, false, Some(4)));
    assert_eq!((read.backoff().initial_ms(), read.backoff().max_ms()), (Some(10), Some(20)));
    assert_eq!((read.throttle().info_share(), read.orders()), (Some(0.25), Some(true)));
    assert_eq!((read.start(), read.added_at_ms()), (Some(Start::Ago(7_200_000)), Some(1_790_000_000_123)));
    assert_eq!(read.markets().len(), 2, "a name given twice is taken once");
    assert!(!read.wants_market("SOL-PERP"));
}

#[test]
fn every_problem_is_named_at_once() {
    let found = problems(&json!({
        "id": "whale 1", "address": "0x12", "priority": 3_000_000_000_u64, "enabled": "yes",
        "markets": ["ETH", 5], "maxStreams": 0, "backoff": { "initialMs": 30, "maxMs": 20, "jitter": 2 },
        "throttle": 1, "start": "soon", "label": "a\u{7}",
    }));
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "address",
            "id",
            "label",
            "priority",
            "enabled",
            "markets",
            "markets",
            "maxStreams",
            "backoff.initialMs",
            "backoff.jitter",
            "throttle",
            "start",
        ]
    );
}

#[test]
fn unknown_fields_are_kept_and_named() {
    let entry = json!({
        "id": "a", "address": address(1), "colour": "red",
        "backoff": { "maxMs": 5, "curve": [1, { "deep": null }] }, "throttle": { "x": 1 },
    });
    let read = Influencer::from_json(&entry).unwrap();
    assert_eq!(read.to_json(), entry);
    assert_eq!(read.unknown()["colour"], "red");
    // A program that wants none is asked about each, whatever else is wrong.
    let mut wrong = entry.clone();
    wrong["priority"] = "high".into();
    let refused =
        decode::influencer(&wrong, None, |field| (!field.known).then_some("unknown key")).unwrap_err();
    let names: Vec<&str> = refused.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(names, ["priority", "backoff.curve", "throttle.x", "colour"]);
}

#[test]
fn what_cannot_be_an_entry_is_refused() {
    assert_eq!(problems(&json!("whale")), [("entry".into(), Reason::NotATable)]);
    assert_eq!(problems(&json!({ "id": "a", "address": null })), [("address".into(), Reason::Missing)]);
    let twice = json!({ "address": address(1), "maxStreams": 1, "max_streams": 2 });
    assert_eq!(problems(&twice), [("maxStreams".into(), Reason::GivenTwice { other: "max_streams".into() })]);
    let foreign = json!({ "id": address(2), "address": address(1) });
    assert!(matches!(problems(&foreign).as_slice(), [(_, Reason::ForeignAddress { .. })]));
}

#[test]
fn a_stored_entry_takes_its_id_from_the_key() {
    let entry = json!({ "address": address(1) });
    assert_eq!(Influencer::from_keyed_json("whale", &entry).unwrap().id().as_str(), "whale");
    let refused = Influencer::from_keyed_json("wha le", &entry).unwrap_err();
    assert_eq!(refused[0].reason, Reason::Id(BadId));
    let other = json!({ "id": "b", "address": address(1) });
    let refused = Influencer::from_keyed_json("a", &other).unwrap_err();
    assert_eq!(refused[0].reason, Reason::OtherKey { key: "a".into() });
}

#[test]
fn a_refused_value_cannot_write_to_the_terminal() {
    let entry = json!({ "address": "\u{1b}[31m\u{9b}0m", "label": "x".repeat(1_000) });
    for problem in Influencer::from_json(&entry).unwrap_err() {
        let text = problem.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() < 250, "{text}");
    }
}

proptest! {
    #[test]
    fn an_entry_reads_back_from_what_is_written(entry in any_entry()) {
        let read = Influencer::from_json(&entry).unwrap();
        prop_assert_eq!(&Influencer::from_json(&read.to_json()).unwrap(), &read);
        let written = read.to_json();
        prop_assert_eq!(written.get("futureField"), entry.get("futureField"));
        prop_assert_eq!(&written["throttle"]["x"], &json!(1));
    }
}
