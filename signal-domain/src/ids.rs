//! The ids everything is known by: UUIDv5 in the URL namespace over names written down here.
//!
//! An id is a pure function of what it names, so replays, corrections of storage and a second process arrive at the same
//! one. The names are contracts: a changed character is another id for every event ever published.
//!
//! | id | name that is hashed |
//! |---|---|
//! | signal | `signal://hyperliquid/{influencerId}/{market}/{sourceEventId}/{action}`, its n-th correction ends in `/rev{n}` |
//! | raw event | `raw://hyperliquid/{account}/{market}/{type}/{sourceEventId or key}`, type `FILL` for both kinds of fill |
//! | gap | `gap://hyperliquid/{influencerId}/{market}/{kind}/{fromTime}/{startExpected}` |
//! | reset | `gap://hyperliquid/{influencerId}//reset/{epoch}/` |
//! | dead letter | `deadletter://hyperliquid/{stage}/{reason}/{account}/{sourceEventId}/{receivedAtNs}/{sha256 of the payload}` |
//!
//! What is absent is an empty part. Accounts are lower-case, decimals canonical, hashes lower-case hex.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Account, Action, Decimal, EventType, GapKind, InfluencerId, Market, Reason, Stage};

/// The namespace of every id: RFC 9562's for URLs.
pub const NAMESPACE: Uuid = Uuid::NAMESPACE_URL;

/// The id of a signal; `revision` is 0, or n for the n-th correction of the event's signal.
pub fn signal_id(
    influencer: &InfluencerId,
    market: &Market,
    source_event_id: &str,
    action: Action,
    revision: u32,
) -> Uuid {
    match revision {
        0 => of(format_args!("signal://hyperliquid/{influencer}/{market}/{source_event_id}/{action}")),
        revision => of(format_args!(
            "signal://hyperliquid/{influencer}/{market}/{source_event_id}/{action}/rev{revision}"
        )),
    }
}

/// The id of a raw event. `key` is the `sourceEventId` of a fill, one of [`order_key`], [`position_key`] and
/// [`trade_key`], or else [`content_key`]. A fill has one id on whichever stream it came.
pub fn raw_event_id(
    account: Option<Account>,
    market: Option<&Market>,
    event_type: EventType,
    key: &str,
) -> Uuid {
    let account = account.map(|account| account.to_string()).unwrap_or_default();
    let market = market.map_or("", Market::name);
    let event_type = match event_type {
        EventType::Fill | EventType::TwapFill => EventType::Fill,
        EventType::OrderUpdate
        | EventType::PositionSnapshot
        | EventType::PositionUpdate
        | EventType::Trade
        | EventType::Unknown => event_type,
    };
    of(format_args!("raw://hyperliquid/{account}/{market}/{event_type}/{key}"))
}

/// The key of an order update: one order has several, some in the same ms. `sz` as the venue wrote it.
pub fn order_key(oid: u64, status: &str, status_timestamp: u64, sz: &str) -> String {
    format!("order:{oid}:{status}:{status_timestamp}:{sz}")
}

/// The key of an account state of one dex (`""` is the main one) at a venue time in ms.
pub fn position_key(dex: &str, time: u64) -> String {
    format!("position:{dex}:{time}")
}

/// The key of a row of the public tape; unique within a market.
pub fn trade_key(time: u64, tid: u64) -> String {
    format!("trade:{time}:{tid}")
}

/// The venue time in ms that such a key names: what says where an event lies is found without looking through all.
/// `None` for a UUID, a [`content_key`], and what is no key.
///
/// ```
/// assert_eq!(signal_domain::ids::time_of_key("fill:1790000000123:512345678901234:B"), Some(1_790_000_000_123));
/// ```
pub fn time_of_key(key: &str) -> Option<i64> {
    let mut parts = key.split(':');
    let time = match parts.next()? {
        "fill" | "trade" => parts.next(),
        "position" => parts.nth(1),
        "order" => parts.nth(2),
        _ => None,
    };
    time?.parse().ok()
}

/// The key of anything else: `sha256:` and the hash of its bytes.
pub fn content_key(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

/// The id of a gap. All its records, from opened to repaired, share it.
pub fn gap_id(
    influencer: &InfluencerId,
    market: Option<&Market>,
    kind: GapKind,
    from_time: u64,
    start_expected: Option<Decimal>,
) -> Uuid {
    let market = market.map_or("", Market::name);
    let start = start_expected.map(Decimal::text);
    let start = start.as_deref().unwrap_or_default();
    of(format_args!("gap://hyperliquid/{influencer}/{market}/{kind}/{from_time}/{start}"))
}

/// The id of the record that opens an epoch for an influencer's gaps.
pub fn reset_id(influencer: &InfluencerId, epoch: u64) -> Uuid {
    of(format_args!("gap://hyperliquid/{influencer}//reset/{epoch}/"))
}

/// The id of a dead letter. Trying it again does not change it.
pub fn dead_letter_id(
    stage: Stage,
    reason: Reason,
    account: Option<Account>,
    source_event_id: Option<&str>,
    received_at_ns: u64,
    payload: &[u8],
) -> Uuid {
    let account = account.map(|account| account.to_string()).unwrap_or_default();
    let event = source_event_id.unwrap_or_default();
    let hash = sha256_hex(payload);
    of(format_args!("deadletter://hyperliquid/{stage}/{reason}/{account}/{event}/{received_at_ns}/{hash}"))
}

/// SHA-256 in lower-case hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let written = write!(hex, "{byte:02x}");
        debug_assert!(written.is_ok(), "Invariant: writing to a String never fails");
    }
    hex
}

fn of(name: std::fmt::Arguments<'_>) -> Uuid {
    let mut text = String::with_capacity(192);
    let written = text.write_fmt(name);
    debug_assert!(written.is_ok(), "Invariant: writing to a String never fails");
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

#[cfg(test)]
mod tests;
