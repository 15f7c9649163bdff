//! What faults do to text: damage a frame, change a row, make a frame of nonsense. Pure; draws come from the caller.

use super::super::fill::{BlockFill, Side, Stream, VenueFill};
use super::super::rng::Rng;
use super::kind::{Alteration, BadFill, Injection};

/// Flips one bit of one byte; ASCII stays ASCII, so the frame stays valid UTF-8.
pub(in crate::sim) fn corrupt(text: &str, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let at = rng.below(bytes.len() as u64) as usize;
    let bit = rng.below(7);
    if let Some(byte) = bytes.get_mut(at).filter(|byte| byte.is_ascii()) {
        *byte ^= 1 << bit;
    }
    bytes
}

/// Cuts a frame somewhere after its first byte.
pub(in crate::sim) fn truncate(text: &str, rng: &mut Rng) -> Vec<u8> {
    let keep = rng.between(1, (text.len() as u64).saturating_sub(1).max(1)) as usize;
    text.bytes().take(keep).collect()
}

/// Applies an alteration to the rows of a `userFills` frame. `rows` are the rows of the frame, changed in place;
/// what is returned are rows of a second frame to be sent after it.
pub(in crate::sim) fn alter(alteration: Alteration, rows: &mut Vec<String>, rng: &mut Rng) -> Vec<String> {
    let Some(first) = rows.first_mut() else { return Vec::new() };
    match alteration {
        Alteration::UnknownField => {
            first.insert_str(1, r#""surprise":{"since":2027,"parts":[1,null,"x"]},"#);
            Vec::new()
        }
        Alteration::UnknownDir => {
            *first = set(first, "dir", "\"Teleported Long\"");
            Vec::new()
        }
        Alteration::Mismatch => vec![set(first, "sz", "\"987.0\"")],
        Alteration::OtherTid => vec![set(first, "tid", &tid(rng))],
        Alteration::BadFill(kind) => {
            let stranger = set(first, "tid", &tid(rng));
            rows.insert(0, spoil(&stranger, kind));
            Vec::new()
        }
    }
}

fn tid(rng: &mut Rng) -> String {
    rng.between(1, (1 << 50) - 1).to_string()
}

fn spoil(row: &str, kind: BadFill) -> String {
    match kind {
        BadFill::MissingField => remove(row, "px"),
        BadFill::NoTime => remove(row, "time"),
        BadFill::WrongType => set(row, "sz", "[]"),
        BadFill::Null => set(row, "sz", "null"),
        BadFill::Nan => set(row, "sz", "\"NaN\""),
        BadFill::Infinity => set(row, "px", "\"Infinity\""),
        BadFill::Text => set(row, "startPosition", "\"twelve\""),
        BadFill::FortyDigits => set(row, "sz", "\"1234567890123456789012345678901234567890\""),
    }
}

/// Bytes of the value of a plain `key` of a row (no nested value comes before it), and where the key begins.
fn find(row: &str, key: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let name = format!("\"{key}\":");
    let start = row.find(&name)?;
    let value = start + name.len();
    let rest = row.get(value..)?;
    let length = match rest.strip_prefix('"') {
        Some(text) => text.find('"')? + 2,
        None => rest.find([',', '}'])?,
    };
    Some((start, value..value + length))
}

fn set(row: &str, key: &str, json: &str) -> String {
    let mut row = row.to_owned();
    if let Some((_, value)) = find(&row, key) {
        row.replace_range(value, json);
    }
    row
}

fn remove(row: &str, key: &str) -> String {
    let mut row = row.to_owned();
    if let Some((start, value)) = find(&row, key) {
        let end = if row.get(value.end..).is_some_and(|rest| rest.starts_with(',')) {
            value.end + 1
        } else {
            value.end
        };
        row.replace_range(start..end, "");
    }
    row
}

/// The text of a frame made of nothing; `None` for what is no text frame (pings).
pub(in crate::sim) fn injection(kind: Injection, time: u64, rng: &mut Rng) -> Option<Vec<u8>> {
    Some(match kind {
        Injection::Malformed => b"{\"channel\":\"userFills\",\"data\":{]}".to_vec(),
        Injection::Truncated => b"{\"channel\":\"userFills\",\"data\":{\"user\":\"0x12".to_vec(),
        Injection::BadUtf8 => b"{\"channel\":\"userFills\",\"data\":\"\xff\xfe\"}".to_vec(),
        Injection::Deep => [&b"["[..]; 20_000].concat(),
        Injection::UnknownChannel => {
            b"{\"channel\":\"orbitalElements\",\"data\":{\"apogee\":\"1.0\"}}".to_vec()
        }
        Injection::Unfollowed => stranger(time, rng).into_bytes(),
        Injection::Huge(size) => huge(size),
        Injection::PingFlood(_) => return None,
    })
}

/// A good `userFills` frame of an account nobody asked for.
fn stranger(time: u64, rng: &mut Rng) -> String {
    let user = format!("0x{:016x}{:016x}{:08x}", rng.next(), rng.next(), rng.next() >> 32);
    let fill = VenueFill {
        coin: "ETH".to_owned(),
        px: "2400.5".to_owned(),
        sz: "0.5".to_owned(),
        side: Side::B,
        time,
        start_position: "0.0".to_owned(),
        dir: "Open Long".to_owned(),
        closed_pnl: "0.0".to_owned(),
        hash: format!("0x{:064x}", rng.next()),
        oid: 1,
        crossed: true,
        fee: "0.1".to_owned(),
        builder_fee: None,
        tid: rng.between(1, (1 << 50) - 1),
        cloid: None,
        liquidation: None,
        fee_token: "USDC".to_owned(),
        twap_id: Some(None),
        builder: None,
        fee_trial_escrow: None,
    };
    let row = BlockFill { user: user.as_str().into(), stream: Stream::Fills, twap_id: None, fill }.text();
    format!("{{\"channel\":\"userFills\",\"data\":{{\"user\":\"{user}\",\"fills\":[{row}]}}}}")
}

/// Valid JSON of `size` bytes.
fn huge(size: usize) -> Vec<u8> {
    let (head, tail) = (b"{\"channel\":\"huge\",\"data\":\"", b"\"}");
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(head);
    bytes.resize(size.saturating_sub(tail.len()).max(head.len()), b'x');
    bytes.extend_from_slice(tail);
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const ROW: &str = r#"{"coin":"ETH","px":"2400.5","sz":"0.5","side":"B","time":1790000000123,"startPosition":"-1.25","dir":"Close Short","tid":5,"feeToken":"USDC","twapId":null}"#;

    fn rows(alteration: Alteration) -> (Vec<Value>, Vec<Value>) {
        let mut first = vec![ROW.to_owned()];
        let second = alter(alteration, &mut first, &mut Rng::new(1, 1));
        let parse = |rows: Vec<String>| rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        (parse(first), parse(second))
    }

    #[test]
    fn alterations_change_what_they_say_and_nothing_else() {
        let good: Value = serde_json::from_str(ROW).unwrap();
        let (first, second) = rows(Alteration::Mismatch);
        assert_eq!(first, std::slice::from_ref(&good));
        assert_eq!((&second[0]["tid"], &second[0]["sz"]), (&good["tid"], &Value::from("987.0")));
        let (_, second) = rows(Alteration::OtherTid);
        assert_ne!(second[0]["tid"], good["tid"]);
        assert_eq!(second[0]["sz"], good["sz"]);
        assert_eq!(rows(Alteration::UnknownDir).0[0]["dir"], "Teleported Long");
        let (first, _) = rows(Alteration::UnknownField);
        assert!(first[0]["surprise"].is_object() && first[0]["coin"] == "ETH");
        for (kind, key, value) in [
            (BadFill::MissingField, "px", Value::Null),
            (BadFill::NoTime, "time", Value::Null),
            (BadFill::WrongType, "sz", Value::from(Vec::<Value>::new())),
            (BadFill::Null, "sz", Value::Null),
            (BadFill::Nan, "sz", "NaN".into()),
            (BadFill::Infinity, "px", "Infinity".into()),
            (BadFill::Text, "startPosition", "twelve".into()),
            (BadFill::FortyDigits, "sz", "1234567890123456789012345678901234567890".into()),
        ] {
            let (first, _) = rows(Alteration::BadFill(kind));
            assert_eq!(first[1], good, "{kind:?}: the neighbour is untouched");
            assert_eq!(first[0][key], value, "{kind:?}");
            assert_ne!(first[0]["tid"], good["tid"]);
        }
    }

    #[test]
    fn injected_frames_are_what_they_are_called() {
        let make = |kind| injection(kind, 5, &mut Rng::new(1, 1)).unwrap();
        for kind in [Injection::Malformed, Injection::Truncated, Injection::Deep] {
            assert!(serde_json::from_slice::<Value>(&make(kind)).is_err(), "{kind:?}");
        }
        assert!(String::from_utf8(make(Injection::BadUtf8)).is_err());
        assert_eq!(make(Injection::Huge(4096)).len(), 4096);
        for kind in [Injection::UnknownChannel, Injection::Unfollowed, Injection::Huge(4096)] {
            assert!(serde_json::from_slice::<Value>(&make(kind)).is_ok(), "{kind:?}");
        }
        assert!(injection(Injection::PingFlood(3), 5, &mut Rng::new(1, 1)).is_none());
    }

    #[test]
    fn damage_keeps_utf8_and_changes_something() {
        let mut rng = Rng::new(3, 3);
        for _ in 0..1000 {
            let damaged = corrupt(ROW, &mut rng);
            assert_ne!(damaged, ROW.as_bytes());
            assert!(String::from_utf8(damaged).is_ok());
            assert!(truncate(ROW, &mut rng).len() < ROW.len());
        }
    }
}
