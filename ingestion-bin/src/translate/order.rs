//! What names an order update.

use hyperliquid_client::wire;
use signal_domain::{Market, ids};

/// One order has several, some in one millisecond.
#[must_use]
pub fn order_key(update: &wire::OrderUpdate<'_>) -> String {
    ids::order_key(update.order.oid, update.status, update.status_timestamp, update.order.sz.text)
}

/// Our name of the venue's coin, where it is a market's.
#[must_use]
pub fn market(coin: &str) -> Option<String> {
    Market::from_coin(coin).ok().map(|market| market.name().to_owned())
}
