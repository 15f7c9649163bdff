//! How a service and the commands that ask the venue beside it (`history`, `verify --against-info`) share the info weight of one
//! public address, without knowing of each other: a fixed part for the commands, the rest for the service. One such command at a
//! time, and together they never spend more than the venue allows.

use hyperliquid_client::limits::InfoCost;

/// What commands may spend a minute: a sixth, or nothing where that is less than one page of fills.
pub(crate) const fn commands_share(per_minute: u32) -> u32 {
    let share = per_minute / 6;
    if share < InfoCost::PAGE.most() { 0 } else { share }
}

#[cfg(test)]
mod tests {
    use super::commands_share;

    #[test]
    fn a_share_takes_a_page_or_is_none() {
        assert_eq!([1_200, 720, 719, 0].map(commands_share), [200, 120, 0, 0]);
    }
}
