//! The signals that a file of fills must become, stated a second time: none of our crates is used here.
//!
//! Arithmetic is on integers scaled by 10^18. The rules are those of the published contract (signal.v1): position before is
//! `startPosition`, after is that plus or minus the size, both rounded half to even to 15 significant digits and then to 6
//! decimals; the action follows from the two; ids are UUIDv5.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;
use uuid::Uuid;

const SCALE: i128 = 1_000_000_000_000_000_000;

/// One expected signal, as the fields a consumer acts on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    pub signal_id: String,
    pub influencer: String,
    pub market: String,
    pub action: &'static str,
    pub side: &'static str,
    pub size: String,
    pub delta: String,
    pub price: String,
    pub timestamp: i64,
    pub source_event_id: String,
}

/// One row of a file of fills.
#[derive(Clone, Debug)]
pub struct Row {
    pub segment: String,
    pub user: String,
    pub fill: Value,
}

/// All rows of the file, in its order.
pub fn rows(path: &Path) -> Vec<Row> {
    let file = std::fs::File::open(path).expect("the file of fills opens");
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(flate2::read::GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let lines = BufReader::new(reader).lines().map(|line| line.expect("text"));
    lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let value: Value = serde_json::from_str(&line).expect("a JSON line");
            Row {
                segment: value["segment"].as_str().unwrap_or_default().to_owned(),
                user: value["user"].as_str().expect("a user").to_lowercase(),
                fill: value["fill"].clone(),
            }
        })
        .collect()
}

/// Perp coins carry no `@`, `/`, `#` or `+`.
pub fn is_perp(fill: &Value) -> bool {
    !text(fill, "coin").contains(['@', '/', '#', '+'])
}

/// The first `count` users of the rows that have perp fills, in file order.
pub fn users_with_perps(rows: &[Row], count: usize) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let users = rows.iter().filter(|row| is_perp(&row.fill)).map(|row| row.user.clone());
    users.filter(|user| seen.insert(user.clone())).take(count).collect()
}

/// Expected signals per (influencer, market), in chain order. The influencer's id is the address.
pub fn signals(rows: &[Row], users: &[String]) -> BTreeMap<(String, String), Vec<Expected>> {
    let mut all: BTreeMap<(String, String), Vec<Expected>> = BTreeMap::new();
    for row in rows.iter().filter(|row| users.contains(&row.user) && is_perp(&row.fill)) {
        if let Some(expected) = signal(&row.user, &row.fill) {
            all.entry((row.user.clone(), expected.market.clone())).or_default().push(expected);
        }
    }
    all
}

/// The signal of one fill; `None` where the position does not change.
pub fn signal(user: &str, fill: &Value) -> Option<Expected> {
    let start = scaled(text(fill, "startPosition"));
    let size = scaled(text(fill, "sz"));
    let side = text(fill, "side");
    let delta = if side == "B" { size } else { -size };
    let (before, after) = (rounded(start), rounded(start + delta));
    let action = match (before, after) {
        (a, b) if a == b => return None,
        (0, _) => "OPEN",
        (_, 0) => "CLOSE",
        (a, b) if (a < 0) != (b < 0) => "FLIP",
        (a, b) if b.abs() > a.abs() => "INCREASE",
        _ => "DECREASE",
    };
    let time = fill["time"].as_i64().expect("a time");
    let tid = fill["tid"].as_u64().expect("a tid");
    let source_event_id = if tid == 0 {
        let (oid, sz, start) =
            (fill["oid"].as_u64().expect("an oid"), text(fill, "sz"), text(fill, "startPosition"));
        format!("fill:{time}:0:{oid}:{side}:{sz}:{start}")
    } else {
        format!("fill:{time}:{tid}:{side}")
    };
    let market = format!("{}-PERP", text(fill, "coin"));
    let name = format!("signal://hyperliquid/{user}/{market}/{source_event_id}/{action}");
    Some(Expected {
        signal_id: Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string(),
        influencer: user.to_owned(),
        market,
        action,
        side: match after {
            0 => "FLAT",
            position if position > 0 => "LONG",
            _ => "SHORT",
        },
        size: plain(after.abs()),
        delta: plain(delta),
        price: plain(scaled(text(fill, "px"))),
        timestamp: time,
        source_event_id,
    })
}

/// Where the chain of a followed account and coin breaks: influencer, market, source event id, in the order of time.
pub fn breaks(rows: &[Row], users: &[String]) -> BTreeSet<(String, String, String)> {
    let mut last: BTreeMap<(String, String), i128> = BTreeMap::new();
    let mut breaks = BTreeSet::new();
    for row in rows.iter().filter(|row| users.contains(&row.user) && is_perp(&row.fill)) {
        let Some(signal) = signal(&row.user, &row.fill) else { continue };
        let start = scaled(text(&row.fill, "startPosition"));
        let after = rounded(start + scaled(&signal.delta));
        let left = last.insert((row.user.clone(), signal.market.clone()), after);
        if left.is_some_and(|left| left != rounded(start)) {
            breaks.insert((row.user.clone(), signal.market, signal.source_event_id));
        }
    }
    breaks
}

/// As the venue plays them: oldest first; rows of one millisecond stay as they are.
pub fn in_time(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| row.fill["time"].as_i64());
    rows
}

pub fn text<'a>(fill: &'a Value, key: &str) -> &'a str {
    fill[key].as_str().unwrap_or_else(|| panic!("{key} is text in {fill}"))
}

/// Decimal text as an integer scaled by 10^18.
pub fn scaled(text: &str) -> i128 {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(fraction.len() <= 18, "{text} has more than 18 decimals");
    let whole: i128 = whole.parse().expect("digits");
    let fraction: i128 = format!("{fraction:0<18}").parse().expect("digits");
    let value = whole * SCALE + fraction;
    if negative { -value } else { value }
}

/// Half to even: 15 significant digits, then 6 decimals.
pub fn rounded(value: i128) -> i128 {
    let digits = u32::try_from(value.abs().to_string().len()).expect("few digits");
    let significant = if digits > 15 { to_multiple(value, 10i128.pow(digits - 15)) } else { value };
    to_multiple(significant, SCALE / 1_000_000)
}

fn to_multiple(value: i128, unit: i128) -> i128 {
    let (quotient, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let up = match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
    };
    (quotient + i128::from(up)) * unit
}

/// Plain notation without trailing zeros.
pub fn plain(value: i128) -> String {
    let (whole, fraction) = (value.abs() / SCALE, value.abs() % SCALE);
    let sign = if value < 0 { "-" } else { "" };
    let fraction = format!("{fraction:018}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
