//! [`Influencer`] -> JSON: names of the contract, defaults left out, unknown fields put back.

use serde_json::{Map, Value};

use super::{Backoff, Influencer, Throttle};
use crate::{Market, Start};

pub(super) fn influencer(from: &Influencer) -> Value {
    let mut out = from.unknown.clone();
    out.insert("id".into(), from.id.as_str().into());
    out.insert("address".into(), from.address.as_str().into());
    let label = Some(from.label.as_str()).filter(|label| !label.is_empty());
    put(&mut out, "label", label);
    put(&mut out, "priority", Some(from.priority).filter(|priority| *priority != 0));
    put(&mut out, "enabled", Some(from.enabled).filter(|enabled| !enabled));
    let markets: Vec<&str> = from.markets.iter().map(Market::as_str).collect();
    put(&mut out, "markets", Some(markets).filter(|markets| !markets.is_empty()));
    put(&mut out, "maxStreams", from.max_streams);
    put(&mut out, "orders", from.orders);
    put(&mut out, "backoff", table(backoff(&from.backoff)));
    put(&mut out, "throttle", table(throttle(&from.throttle)));
    put(&mut out, "start", from.start.map(start));
    put(&mut out, "addedAt", from.added_at_ms);
    Value::Object(out)
}

fn backoff(from: &Backoff) -> Map<String, Value> {
    let mut out = from.unknown.clone();
    put(&mut out, "initialMs", from.initial_ms);
    put(&mut out, "maxMs", from.max_ms);
    put(&mut out, "jitter", from.jitter);
    out
}

fn throttle(from: &Throttle) -> Map<String, Value> {
    let mut out = from.unknown.clone();
    put(&mut out, "infoShare", from.info_share);
    put(&mut out, "resubscribesPerMinute", from.resubscribes_per_minute);
    out
}

fn start(start: Start) -> Value {
    match start {
        Start::At(ms) => ms.into(),
        Start::Now | Start::Ago(_) => start.to_string().into(),
    }
}

fn table(map: Map<String, Value>) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Object(map))
}

fn put(out: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value.into());
    }
}
