//! The bytes of every record, held in `tests/golden/`. A changed byte here is a changed contract: v1 only gains optional keys.

mod common;

use common::{
    encoded, full_dead_letter, full_gap, full_influencer_state, full_market_state, full_raw, full_signal,
    minimal_dead_letter, minimal_gap, minimal_influencer_state, minimal_market_state, minimal_raw,
    minimal_signal, signal_json,
};
use signal_domain::{
    Account, InfluencerId, Reason, Refusal, RefusedPayload, Stage,
    wire::{
        PUBLISHED_PAYLOAD_MAX, WireError,
        v1::{DeadLetterV1, GapV1, RawV1, SignalV1, StateV1},
    },
};

macro_rules! golden {
    ($name:literal, $json:expr) => {
        let json = String::from_utf8($json).unwrap();
        let expected = include_str!(concat!("golden/", $name, ".json"));
        assert_eq!(json, expected.trim_end(), "{} has changed", $name);
    };
}

#[test]
fn signals() {
    golden!("signal_full", signal_json(&full_signal()));
    golden!("signal_minimal", signal_json(&minimal_signal()));
}

#[test]
fn raw_events() {
    golden!("raw_full", encoded(|out| full_raw().encode(out)));
    golden!("raw_minimal", encoded(|out| minimal_raw().encode(out)));
}

#[test]
fn dead_letters() {
    golden!("dead_letter_full", encoded(|out| full_dead_letter().encode(out)));
    golden!("dead_letter_minimal", encoded(|out| minimal_dead_letter().encode(out)));
}

#[test]
fn gaps() {
    golden!("gap_full", encoded(|out| full_gap().encode(out)));
    golden!("gap_minimal", encoded(|out| minimal_gap().encode(out)));
    let influencer = InfluencerId::parse("whale-1").unwrap();
    golden!("gap_reset", encoded(|out| GapV1::reset(&influencer, 7, 1_790_000_000_000).encode(out)));
}

#[test]
fn states() {
    let influencer = StateV1::from(full_influencer_state());
    golden!("state_influencer_full", encoded(|out| influencer.encode(out)));
    golden!("state_influencer_minimal", encoded(|out| StateV1::from(minimal_influencer_state()).encode(out)));
    assert_eq!(influencer.key(), "whale-1");
    let market = StateV1::from(full_market_state());
    golden!("state_market_full", encoded(|out| market.encode(out)));
    golden!("state_market_minimal", encoded(|out| StateV1::from(minimal_market_state()).encode(out)));
    assert_eq!(market.key(), "whale-1|ETH-PERP");
    let removed = StateV1::removed("whale-1", Some("ETH-PERP"));
    golden!("state_removed", encoded(|out| removed.encode(out)));
    assert_eq!(removed.key(), market.key());
}

#[test]
fn every_record_reads_back() {
    for signal in [full_signal(), minimal_signal()] {
        let json = signal_json(&signal);
        assert_eq!(SignalV1::decode(&json).unwrap(), SignalV1::from(&signal));
    }
    for raw in [full_raw(), minimal_raw()] {
        assert_eq!(RawV1::decode(&encoded(|out| raw.encode(out))).unwrap(), raw);
    }
    assert_eq!(full_raw().payload().unwrap().as_ref(), common::NOT_UTF8);
    assert_eq!(minimal_raw().payload().unwrap().as_ref(), common::FILL_BYTES);
    for letter in [full_dead_letter(), minimal_dead_letter()] {
        assert_eq!(DeadLetterV1::decode(&encoded(|out| letter.encode(out))).unwrap(), letter);
    }
    for gap in [full_gap(), minimal_gap()] {
        assert_eq!(GapV1::decode(&encoded(|out| gap.encode(out))).unwrap(), gap);
    }
    for state in [
        StateV1::from(full_influencer_state()),
        minimal_influencer_state().into(),
        full_market_state().into(),
        minimal_market_state().into(),
        StateV1::removed("whale-1", None),
    ] {
        assert_eq!(StateV1::decode(&encoded(|out| state.encode(out))).unwrap(), state);
    }
}

#[test]
fn a_newer_writer_is_understood() {
    let json = String::from_utf8(signal_json(&full_signal())).unwrap();
    let newer = json
        .replacen('{', r#"{"aKeyOfNextYear":{"deep":[1,2]},"#, 1)
        .replace(r#""origin":"live""#, r#""origin":"telepathy""#)
        .replace(r#""metadata":{"#, r#""metadata":{"news":"1","#);
    let signal = SignalV1::decode(newer.as_bytes()).unwrap();
    assert_eq!(signal.signal_id, full_signal().signal_id());
    assert_eq!((signal.origin.as_str(), signal.origin.known()), ("telepathy", None));
}

#[test]
fn wrong_records_are_refused_by_name() {
    let json = String::from_utf8(signal_json(&full_signal())).unwrap();
    for (what, instead) in [
        (r#""action":"DECREASE""#, r#""action":"REDUCE""#),
        (r#""side":"SHORT""#, r#""side":"short""#),
        (r#""size":"0.75""#, r#""size":0.75"#),
        (r#""size":"0.75""#, r#""size":"7.5e-1""#),
        (r#""size":"0.75""#, r#""size":" 0.75""#),
        (r#""timestamp":1790000000123"#, r#""timestamp":-1"#),
        (r#""account":"0x"#, r#""account":"0y"#),
        (r#""epoch":"#, r#""epochs":"#),
    ] {
        let wrong = json.replace(what, instead);
        assert_ne!(wrong, json);
        let error = SignalV1::decode(wrong.as_bytes()).unwrap_err();
        assert!(matches!(error, WireError::Json { schema: "signal.v1", .. }), "{instead}: {error}");
    }
    let other = json.replace("signal.v1", "signal.v2");
    let error = SignalV1::decode(other.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "a \"signal.v2\" record where signal.v1 was expected");
    let letter = String::from_utf8(encoded(|out| full_dead_letter().encode(out))).unwrap();
    let error = DeadLetterV1::decode(letter.replace("missing_field", "bad_luck").as_bytes()).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("bad_luck"));
    assert!(StateV1::decode(b"{}").is_err());
    assert!(GapV1::decode(b"[]").is_err());
    assert!(RawV1::decode(&json.as_bytes()[..40]).is_err());
}

#[test]
fn a_large_dead_letter_is_cut_and_says_so() {
    let frame = format!("{{\"text\":\"{}\"}}", "é\"".repeat(200_000));
    let refusal = Refusal {
        stage: Stage::Decode,
        reason: Reason::MalformedFrame,
        detail: "trailing text",
        attempts: 1,
        account: Some(Account::from_bytes([1; 20])),
        source_event_id: None,
        payload: RefusedPayload::Kept(frame.as_bytes()),
        position: Some(5),
        received_at_ns: 6,
    };
    let letter = DeadLetterV1::from(&refusal);
    let published = letter.payload().unwrap().unwrap();
    assert!(frame.as_bytes().starts_with(&published));
    assert_eq!((letter.length, letter.position), (Some(frame.len() as u64), Some(5)));
    assert_eq!(letter.id, refusal.id());
    let record = encoded(|out| letter.encode(out));
    assert!(
        record.len() < PUBLISHED_PAYLOAD_MAX + 1_000 && record.len() > PUBLISHED_PAYLOAD_MAX,
        "{}",
        record.len()
    );
}

#[test]
fn a_frame_too_large_leaves_its_size_only() {
    let letter = DeadLetterV1::from(&Refusal {
        stage: Stage::Decode,
        reason: Reason::FrameTooLarge,
        detail: "over 33554432 bytes",
        attempts: 1,
        account: None,
        source_event_id: None,
        payload: RefusedPayload::Dropped { length: 67_108_864 },
        position: None,
        received_at_ns: 6,
    });
    assert_eq!((letter.length, letter.payload().unwrap()), (Some(67_108_864), None));
    assert_eq!(letter.sha256, None);
}
