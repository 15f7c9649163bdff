//! Refusals one by one, and properties over mutated frames.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const USER: &str = "0x00000000000000000000000000000000000000aa";

fn fill(n: u64) -> Value {
    json!({"coin":"ETH","px":"2400.5","sz":"0.5","side":"B","time":1_790_000_000_123_u64 + n,"startPosition":"-1.25",
        "dir":"Close Short","closedPnl":"3.1","hash":"0x5c","oid":560_000_000_001_u64,"crossed":true,"fee":"0.54",
        "tid":512_345_678_901_234_u64 + n,"feeToken":"USDC","twapId":null})
}

fn frame(rows: &[String]) -> String {
    format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[{}]}}}}"#, rows.join(","))
}

/// Decodes a frame of three fills with the middle one replaced; the neighbours must be untouched. Answers the middle one's fate.
fn middle(replacement: &str) -> Result<(), (RowReason, String)> {
    let rows = [fill(0).to_string(), replacement.to_owned(), fill(2).to_string()];
    let text = frame(&rows);
    let mut decoder = Decoder::new();
    let decoded = decoder.decode(text.as_bytes()).unwrap_or_else(|error| panic!("{replacement}: {error}"));
    let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
    assert_eq!(fills.rows.len(), 3, "{replacement}");
    for at in [0, 2] {
        let neighbour = fills.rows[at].as_ref().unwrap();
        assert_eq!(neighbour.raw, rows[at].as_bytes(), "{replacement}");
    }
    match &fills.rows[1] {
        Ok(fill) => {
            assert_eq!(fill.raw, replacement.as_bytes());
            Ok(())
        }
        Err(refusal) => {
            assert_eq!(refusal.raw, replacement.as_bytes());
            Err((refusal.reason, refusal.detail.clone()))
        }
    }
}

fn reason_with(field: &str, value: Value) -> Option<RowReason> {
    let mut row = fill(1);
    row[field] = value;
    middle(&row.to_string()).err().map(|(reason, _)| reason)
}

#[test]
fn each_missing_field_is_named() {
    let required = [
        "coin",
        "px",
        "sz",
        "side",
        "time",
        "startPosition",
        "dir",
        "closedPnl",
        "hash",
        "oid",
        "crossed",
        "fee",
        "tid",
        "feeToken",
    ];
    for field in required {
        let mut row = fill(1);
        row.as_object_mut().unwrap().remove(field);
        assert_eq!(middle(&row.to_string()).unwrap_err().0, RowReason::MissingField(field));
        assert_eq!(reason_with(field, Value::Null), Some(RowReason::WrongType(field)));
        assert_eq!(reason_with(field, json!({"a":[1,{"b":2}]})), Some(RowReason::WrongType(field)));
        assert_eq!(reason_with(field, json!([])), Some(RowReason::WrongType(field)));
    }
}

#[test]
fn numbers_are_refused_by_name() {
    assert_eq!(reason_with("px", json!(2400.5)), Some(RowReason::WrongType("px")));
    assert_eq!(reason_with("px", json!("NaN")), Some(RowReason::NotANumber("px")));
    assert_eq!(reason_with("sz", json!("Infinity")), Some(RowReason::NotANumber("sz")));
    assert_eq!(reason_with("sz", json!("1e30")), Some(RowReason::NotANumber("sz")));
    assert_eq!(reason_with("sz", json!("1".repeat(40))), Some(RowReason::NumberOutOfRange("sz")));
    assert_eq!(reason_with("sz", json!("-0.5")), Some(RowReason::NumberOutOfRange("sz")));
    assert_eq!(reason_with("startPosition", json!("ten")), Some(RowReason::NotANumber("startPosition")));
    assert_eq!(reason_with("startPosition", json!("-0.0")), None);
    assert_eq!(reason_with("time", json!(-1)), Some(RowReason::NumberOutOfRange("time")));
    assert_eq!(reason_with("tid", json!("7")), Some(RowReason::WrongType("tid")));
    assert_eq!(reason_with("side", json!("C")), Some(RowReason::WrongType("side")));
}

#[test]
fn figures_may_be_strings_or_numbers_and_keep_their_text() {
    let mut row = fill(1);
    row["fee"] = json!(0.25);
    let text = frame(&[row.to_string().replace("0.25", "0.2500 ")]);
    let mut decoder = Decoder::new();
    let decoded = decoder.decode(text.as_bytes()).unwrap();
    let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
    assert_eq!(fills.rows[0].as_ref().unwrap().fee, "0.2500");
}

#[test]
fn a_row_that_is_no_json_costs_only_itself() {
    let bare = |field: &str, text: &str| {
        let row = fill(1).to_string();
        let value = fill(1)[field].to_string();
        row.replace(&format!("\"{field}\":{value}"), &format!("\"{field}\":{text}"))
    };
    assert_eq!(middle(&bare("px", "NaN")).unwrap_err().0, RowReason::NotANumber("px"));
    assert_eq!(middle(&bare("sz", "-Infinity")).unwrap_err().0, RowReason::NotANumber("sz"));
    assert_eq!(middle(&bare("tid", &"9".repeat(40))).unwrap_err().0, RowReason::NumberOutOfRange("tid"));
    assert_eq!(middle(&bare("oid", "1e999")).unwrap_err().0, RowReason::NumberOutOfRange("oid"));
    assert_eq!(middle(&bare("dir", r#""\q""#)).unwrap_err().0, RowReason::Malformed);
    assert_eq!(middle("undefined").unwrap_err().0, RowReason::Malformed);
}

#[test]
fn what_is_no_object_is_refused_in_its_place() {
    for row in ["null", "7", "\"text\"", "[]", "[[1,2],{}]", "true"] {
        assert_eq!(middle(row).unwrap_err().0, RowReason::WrongType("fill"), "{row}");
    }
    assert_eq!(middle("{}").unwrap_err().0, RowReason::MissingField("coin"));
}

#[test]
fn a_field_that_stands_twice_is_refused() {
    let row = fill(1).to_string().replacen('{', r#"{"sz":"9","#, 1);
    assert_eq!(middle(&row).unwrap_err().0, RowReason::DuplicateField("sz"));
}

#[test]
fn unknown_fields_and_dirs_lose_nothing_and_are_counted() {
    let mut row = fill(1);
    row["dir"] = json!("Teleport");
    row["brandNew"] = json!({"deep":[{"er":[]}],"s":"]}\""});
    let text = frame(&[row.to_string(), fill(2).to_string()]);
    let mut decoder = Decoder::new();
    let decoded = decoder.decode(text.as_bytes()).unwrap();
    assert_eq!((decoded.drift.unknown_fields, decoded.drift.unknown_dirs), (1, 1));
    let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
    assert_eq!(fills.rows[0].as_ref().unwrap().dir, "Teleport");
    assert_eq!(fills.rows[0].as_ref().unwrap().raw, row.to_string().as_bytes());
    assert!(fills.rows[1].is_ok());
}

#[test]
fn escapes_are_read_and_kept_in_the_raw_bytes() {
    let row = fill(1).to_string().replace("\"ETH\"", r#""\u0045T\u0048""#);
    let text = frame(std::slice::from_ref(&row));
    let before = text.clone();
    let mut decoder = Decoder::new();
    let decoded = decoder.decode(text.as_bytes()).unwrap();
    let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
    let fill = fills.rows[0].as_ref().unwrap();
    assert_eq!((fill.coin, fill.raw), ("ETH", row.as_bytes()));
    assert_eq!(text, before);
}

#[test]
fn elided_accounts_are_refused_by_name() {
    let text = frame(&[fill(1).to_string()]).replace(USER, "0x9be9...522f");
    let mut decoder = Decoder::new();
    let error = decoder.decode(text.as_bytes()).unwrap_err();
    assert!(matches!(&error, FrameError::Shape { reason: RowReason::BadAddress("user"), .. }), "{error}");
    assert!(error.to_string().contains("0x9be9...522f"), "{error}");
}

#[test]
fn broken_frames_are_told_apart() {
    let whole = frame(&[fill(1).to_string()]);
    let mut decoder = Decoder::new();
    for cut in [0, 1, 10, whole.len() / 2, whole.len() - 1] {
        let error = decoder.decode(&whole.as_bytes()[..cut]).unwrap_err();
        assert_eq!(error, FrameError::Truncated { length: cut });
    }
    assert!(matches!(decoder.decode(b"<html>").unwrap_err(), FrameError::NotJson { .. }));
    assert!(matches!(decoder.decode(b"{\"channel\":\"pong\"} x").unwrap_err(), FrameError::NotJson { .. }));
    let mut bad = whole.into_bytes();
    bad[40] = 0xff;
    let error = decoder.decode(&bad).unwrap_err();
    assert!(error.closes_connection() && error == FrameError::BadUtf8 { at: 40 }, "{error}");
    assert_eq!(decoder.decode(b"[]").unwrap_err().code(), "wrong_type");
    assert_eq!(decoder.decode(b"{}").unwrap_err().code(), "missing_field");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(decoder.decode(deep.as_bytes()).unwrap_err().code(), "malformed_frame");
}

#[test]
fn the_greeting_and_unknown_channels_are_no_errors() {
    let mut decoder = Decoder::new();
    let greeting = decoder.decode(b"Websocket connection established.").unwrap();
    assert!(matches!(greeting.frame, Frame::Greeting(_)));
    let unknown = decoder.decode(br#"{"data":[1,2,{"x":[]}],"channel":"brandNew"}"#).unwrap();
    assert_eq!(unknown.frame, Frame::Unknown { channel: "brandNew" });
}

#[test]
fn data_may_stand_before_its_channel() {
    let row = fill(1).to_string();
    let text = format!(r#"{{ "data" : {{"fills":[ {row} ], "user":"{USER}"}} , "channel" : "userFills" }}"#);
    let mut decoder = Decoder::new();
    let decoded = decoder.decode(text.as_bytes()).unwrap();
    let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
    assert_eq!(fills.rows[0].as_ref().unwrap().raw, row.as_bytes());
}

#[test]
fn a_large_frame_does_not_keep_its_buffers() {
    let mut decoder = Decoder::new();
    let large = format!(r#"{{"channel":"allMids","data":"{}"}}"#, "x".repeat(KEEP_MAX + 1));
    assert!(decoder.decode(large.as_bytes()).is_ok());
    assert!(decoder.scratch.capacity() > KEEP_MAX);
    assert!(decoder.decode(b"{\"channel\":\"pong\"}").is_ok());
    assert!(decoder.scratch.capacity() < SMALL);
}

/// Any JSON value, nested a little.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,20}".prop_map(Value::from),
        "-?[0-9]{1,45}(\\.[0-9]{1,20})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_mutated_fill_never_changes_its_neighbours(at in 0_usize..15, value in any_json(), whole in any_json(), replace in any::<bool>()) {
        let mut row = fill(1);
        let key = row.as_object().unwrap().keys().nth(at).unwrap().clone();
        row[key] = value;
        let _ = middle(&(if replace { whole } else { row }).to_string());
    }

    #[test]
    fn no_bytes_make_it_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>(), truncate in any::<bool>()) {
        let mut bytes = frame(&[fill(0).to_string(), fill(1).to_string(), fill(2).to_string()]).into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if truncate { bytes.truncate(cut.index(bytes.len())); }
        let untouched = bytes.clone();
        let mut decoder = Decoder::new();
        let _ = decoder.decode(&bytes);
        let _ = decoder.fills_page(&bytes);
        let _ = decoder.twap_fills_page(&bytes);
        prop_assert_eq!(&bytes, &untouched);
        // Whatever came before, a sound frame decodes.
        let sound = frame(&[fill(7).to_string()]);
        let decoded = decoder.decode(sound.as_bytes()).unwrap();
        prop_assert!(matches!(decoded.frame, Frame::Fills(fills) if fills.rows[0].is_ok()));
    }

    #[test]
    fn one_flipped_byte_inside_a_fill_leaves_the_others_as_they_were(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let rows = [fill(0).to_string(), fill(1).to_string(), fill(2).to_string()];
        let mut bytes = frame(&rows).into_bytes();
        let start = bytes.windows(rows[1].len()).position(|window| window == rows[1].as_bytes()).unwrap();
        bytes[start + at.index(rows[1].len())] = byte;
        let mut decoder = Decoder::new();
        if let Ok(decoded) = decoder.decode(&bytes) {
            let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
            prop_assert_eq!(fills.rows.first().unwrap().as_ref().unwrap().raw, rows[0].as_bytes());
            prop_assert_eq!(fills.rows.last().unwrap().as_ref().unwrap().raw, rows[2].as_bytes());
        }
    }

    #[test]
    fn raw_bytes_decode_to_the_same_fill(blank in "[ \n\t]{0,3}", count in 0_u64..6) {
        let rows: Vec<String> = (0..count).map(|n| serde_json::to_string_pretty(&fill(n)).unwrap()).collect();
        let text = format!(r#"{{"channel":{blank}"userFills","data":{{"fills":[{blank}{}{blank}],"user":"{USER}"}}}}"#, rows.join(&format!("{blank},{blank}")));
        let mut decoder = Decoder::new();
        let decoded = decoder.decode(text.as_bytes()).unwrap();
        let Frame::Fills(fills) = decoded.frame else { panic!("not fills") };
        prop_assert_eq!(fills.rows.len(), rows.len());
        for row in fills.rows.iter().flatten() {
            let page = [b"[", row.raw, b"]"].concat();
            let mut second = Decoder::new();
            let again = second.fills_page(&page).unwrap();
            prop_assert_eq!(again.rows[0].as_ref().unwrap(), row);
        }
    }
}
