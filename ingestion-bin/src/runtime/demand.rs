//! What an account asks of the venue, in the planner's words.

use std::time::Duration;

use hyperliquid_client::limits::InfoCost;
use hyperliquid_client::plan::Want;
use hyperliquid_client::session::SessionConfig;

use crate::account::Settings;

/// One account: its channels, and two answers of a nearly empty page for each stream in every sweep.
pub(crate) fn of_account(twap: bool, state: bool, orders: bool, settings: &Settings) -> Want {
    let streams = 1 + u32::from(twap);
    let sweep = settings.sweep_interval.max(Duration::from_secs(1));
    let a_sweep = f64::from(streams * 2 * InfoCost::PAGE.of_rows(1));
    let info_weight = (a_sweep * 60.0 / sweep.as_secs_f64()).ceil();
    // At most 84 a second.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 5,040")]
    let info_weight = info_weight as u32;
    let subscriptions = streams + u32::from(state) + u32::from(orders);
    Want { subscriptions, info_weight, unattributed: orders, ..Want::default() }
}

/// Messages that keep a connection alive, a minute.
pub(crate) fn pings_per_minute(session: &SessionConfig) -> u32 {
    let every = session.ping_interval.max(Duration::from_millis(100)).as_millis();
    u32::try_from(60_000_u128.div_ceil(every)).unwrap_or(u32::MAX)
}
