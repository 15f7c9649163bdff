//! The table with which `run` begins: whom it follows and where they stand, as far as their first rows have told.

use influencer_registry::{InfluencerSet, Market};

use crate::runtime::{AccountStatus, WorkerStatus};

/// The lines, head first. `now_ms` is our clock, for a venue that has shown none.
///
/// Positions are those that the account's fills tell; the age of the last fill is counted on the venue's clock. `-` is what is not known
/// (yet).
pub(super) fn lines(followed: &InfluencerSet, status: &WorkerStatus, now_ms: i64) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<16} {:<42} {:>8} {:>9} {:>9}  markets",
        "influencer", "account", "priority", "positions", "last fill"
    )];
    for influencer in followed.enabled_by_priority() {
        let markets: Vec<&str> = influencer.markets().iter().map(Market::as_str).collect();
        let markets = if markets.is_empty() { "all".to_owned() } else { markets.join(", ") };
        let (id, address) = (influencer.id().as_str(), influencer.address().as_str());
        let id = if id == address { "-" } else { id };
        let account = status.accounts.iter().find(|account| account.account == address);
        let (positions, last_fill) = standing(account, status.venue_time.unwrap_or(now_ms));
        let priority = influencer.priority();
        lines.push(format!("{id:<16} {address} {priority:>8} {positions:>9} {last_fill:>9}  {markets}"));
    }
    lines
}

/// Open positions and the age of the last fill of one account.
pub(super) fn standing(account: Option<&AccountStatus>, now_ms: i64) -> (String, String) {
    let unknown = || "-".to_owned();
    let positions =
        account.filter(|account| account.based).map(|account| account.positions.len().to_string());
    let last = account.and_then(|account| account.newest);
    (positions.unwrap_or_else(unknown), last.map_or_else(unknown, |last| age(now_ms.saturating_sub(last))))
}

/// A span in its largest unit: `7s`, `12m`, `3h`, `40d`.
pub(super) fn age(span_ms: i64) -> String {
    let seconds = span_ms.max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_their_largest_unit() {
        let told = [-5, 999, 59_999, 60_000, 7_199_999, 172_800_000].map(age);
        assert_eq!(told, ["0s", "0s", "59s", "1m", "1h", "2d"]);
    }
}
