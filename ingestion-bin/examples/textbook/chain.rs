//! From fills to signals: what was seen, and the position of every account and coin.

use std::collections::{HashMap, HashSet};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::Failure;
use super::venue::{Fill, UserFills};

/// A signal, and when its frame had come.
pub(crate) type Made = (Signal, Instant);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Signal {
    pub(crate) signal_id: String,
    pub(crate) influencer_id: String,
    exchange: String,
    market: String,
    action: String,
    side: String,
    size: String,
    delta_size: String,
    price: String,
    timestamp: u64,
    source_event_id: String,
    received_at: u128,
    order_id: String,
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    raw_symbol: String,
    dir: String,
    tid: String,
    hash: String,
    start_position: String,
    crossed: String,
    fee: String,
    fee_token: String,
    closed_pnl: String,
}

#[derive(Default)]
pub(crate) struct Chain {
    seen: HashSet<String>,
    positions: HashMap<(String, String), Decimal>,
}

impl Chain {
    /// The signals of the fills that are new. A snapshot only says what was.
    pub(crate) fn take(&mut self, push: UserFills) -> Result<Vec<Signal>, Failure> {
        let mut signals = Vec::new();
        for fill in push.fills {
            let event = format!("{}:{}:{}", push.user, fill.tid, fill.time);
            if !self.seen.insert(event) {
                continue;
            }
            let (before, after, delta) = self.moved(&push.user, &fill)?;
            if !push.is_snapshot {
                signals.push(signal(&push.user, fill, before, after, delta)?);
            }
        }
        Ok(signals)
    }

    /// The position before and after, and the difference.
    fn moved(&mut self, user: &str, fill: &Fill) -> Result<(Decimal, Decimal, Decimal), Failure> {
        let size: Decimal = fill.sz.parse()?;
        let delta = if fill.side == "B" { size } else { -size };
        let start: Decimal = fill.start_position.parse()?;
        let held = self.positions.entry((user.to_owned(), fill.coin.clone())).or_insert(start);
        let before = *held;
        *held += delta;
        Ok((before, *held, delta))
    }
}

fn signal(
    user: &str,
    fill: Fill,
    before: Decimal,
    after: Decimal,
    delta: Decimal,
) -> Result<Signal, Failure> {
    let action = if before.is_zero() {
        "OPEN"
    } else if after.is_zero() {
        "CLOSE"
    } else if before.is_sign_negative() != after.is_sign_negative() {
        "FLIP"
    } else if after.abs() > before.abs() {
        "INCREASE"
    } else {
        "DECREASE"
    };
    let side = if after.is_zero() {
        "FLAT"
    } else if after.is_sign_negative() {
        "SHORT"
    } else {
        "LONG"
    };
    let source_event_id = format!("fill:{}:{}:{}", fill.time, fill.tid, fill.side);
    let market = format!("{}-PERP", fill.coin);
    let name = format!("signal://hyperliquid/{user}/{market}/{source_event_id}");
    Ok(Signal {
        signal_id: Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string(),
        influencer_id: user.to_owned(),
        exchange: "hyperliquid".to_owned(),
        market,
        action: action.to_owned(),
        side: side.to_owned(),
        size: after.abs().normalize().to_string(),
        delta_size: delta.normalize().to_string(),
        price: fill.px,
        timestamp: fill.time,
        source_event_id,
        received_at: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(),
        order_id: fill.oid.to_string(),
        metadata: Metadata {
            raw_symbol: fill.coin,
            dir: fill.dir,
            tid: fill.tid.to_string(),
            hash: fill.hash,
            start_position: fill.start_position,
            crossed: fill.crossed.to_string(),
            fee: fill.fee,
            fee_token: fill.fee_token,
            closed_pnl: fill.closed_pnl,
        },
    })
}
