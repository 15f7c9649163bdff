//! The whole `signal.v1` document that a fill must become, but for what only the run knows: `receivedAt`, `epoch`, `seq`, `origin`,
//! `more`, `gapId` and the listener. Stated without our crates, like `expected`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::expected::{Row, is_perp, signal, text};

/// Documents per influencer and market, in chain order.
pub type Documents = BTreeMap<(String, String), Vec<Value>>;

/// What followed users' perp fills must become. The influencer's id is the address.
pub fn documents(rows: &[Row], users: &[String]) -> Documents {
    let mut all = Documents::new();
    for row in rows.iter().filter(|row| users.contains(&row.user) && is_perp(&row.fill)) {
        if let Some(document) = document(&row.user, &row.fill) {
            let market = document["market"].as_str().expect("text").to_owned();
            all.entry((row.user.clone(), market)).or_default().push(document);
        }
    }
    all
}

fn document(user: &str, fill: &Value) -> Option<Value> {
    let expected = signal(user, fill)?;
    Some(json!({
        "signalId": expected.signal_id, "influencerId": expected.influencer, "exchange": "hyperliquid",
        "market": expected.market, "action": expected.action, "side": expected.side, "size": expected.size,
        "deltaSize": expected.delta, "price": expected.price, "timestamp": expected.timestamp,
        "sourceEventId": expected.source_event_id, "schema": "signal.v1", "account": expected.influencer,
        "network": "sim", "orderId": fill["oid"].to_string(), "cause": cause(user, fill),
        "metadata": metadata(fill),
    }))
}

/// What the venue writes for ordinary trades.
const ORDINARY: [&str; 8] =
    ["Open Long", "Open Short", "Close Long", "Close Short", "Long > Short", "Short > Long", "Buy", "Sell"];

fn cause(user: &str, fill: &Value) -> &'static str {
    let liquidated = fill["liquidation"]["liquidatedUser"].as_str();
    match (liquidated, text(fill, "dir")) {
        (Some(liquidated), _) if liquidated.eq_ignore_ascii_case(user) => "liquidation",
        (None, dir) if dir.starts_with("Liquidated ") => "liquidation",
        (_, "Auto-Deleveraging") => "adl",
        (_, "Settlement") => "settlement",
        (_, "Net Child Vaults") => "vault_netting",
        (_, "Spot Dust Conversion") => "dust",
        _ if fill["twapId"].is_number() => "twap",
        (_, dir) if ORDINARY.contains(&dir) || dir.starts_with("Liquidated ") => "trade",
        _ => "other",
    }
}

/// The venue's own words and numbers, as it wrote them; all are text here.
fn metadata(fill: &Value) -> Map<String, Value> {
    let mut metadata = Map::from_iter([("rawSymbol".to_owned(), fill["coin"].clone())]);
    let keys =
        ["dir", "tid", "hash", "startPosition", "crossed", "fee", "feeToken", "closedPnl", "cloid", "twapId"];
    for key in keys {
        let written = match &fill[key] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        metadata.insert(key.to_owned(), written.into());
    }
    metadata
}
