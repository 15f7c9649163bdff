//! Which accounts the venue would not serve: what they need beside what the configured limits allow one address.

use std::fmt;

use influencer_registry::InfluencerSet;

use crate::config::{Config, listeners_by_egress};

/// How a list fits into the venue's limits. The most important accounts are asked for first, so the last ones are refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fit {
    /// Everyone enabled.
    pub(super) accounts: usize,
    /// Over all listeners.
    pub(super) subscriptions: usize,
    /// By id: accounts that at least one listener cannot carry.
    pub(super) uncovered: Vec<String>,
    /// The bound they are over: `10 users`.
    bound: String,
}

impl Fit {
    pub(super) fn of(set: &InfluencerSet, config: &Config) -> Self {
        let each = 1 + usize::from(config.streams.twap) + usize::from(config.account_state.enabled);
        let accounts = set.enabled_by_priority();
        let bounds = listeners_by_egress(&config.venue, config.listeners.count)
            .into_iter()
            .filter(|(_, listeners)| *listeners > 0)
            .filter_map(|(index, listeners)| Some((config.venue.endpoints.get(index)?, listeners)));
        // How many accounts fit on one address, and which bound says so.
        let (room, bound) = bounds
            .flat_map(|(endpoint, listeners)| {
                let (users, subscriptions) = (endpoint.users as usize, endpoint.subscriptions as usize);
                [
                    (users, format!("{users} users")),
                    (subscriptions / (each * listeners), format!("{subscriptions} subscriptions")),
                ]
            })
            .min()
            .unwrap_or_default();
        Self {
            accounts: accounts.len(),
            subscriptions: accounts.len() * each * config.listeners.count,
            uncovered: accounts.iter().skip(room).map(|influencer| influencer.id().to_string()).collect(),
            bound,
        }
    }
}

impl fmt::Display for Fit {
    /// Whom the venue would not serve, and why; nothing where everybody fits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.uncovered.is_empty() {
            return Ok(());
        }
        let (count, names) = (self.uncovered.len(), self.uncovered.join(", "));
        let are = if count == 1 { "account is" } else { "accounts are" };
        write!(f, "{count} {are} over the venue's limit of {} for one address: {names}", self.bound)
    }
}

#[cfg(test)]
mod tests {
    use influencer_registry::Address;

    use super::*;
    use crate::config::Sources;

    /// Who does not fit of three accounts, in words, and how many subscriptions all need.
    fn fit(settings: &[(&str, &str)]) -> (usize, String) {
        let sets = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config = Config::load(&Sources { sets: sets.collect(), ..Sources::default() }).unwrap();
        let addresses: Vec<Address> =
            (1..=3).map(|number| format!("0x{number:040x}").parse().unwrap()).collect();
        let fit = Fit::of(&InfluencerSet::default().with_followed(&addresses), &config);
        (fit.subscriptions, fit.to_string().replace("0x00000000000000000000000000000000000000", ".."))
    }

    #[test]
    fn the_tightest_bound_of_any_address_decides() {
        let (users, subscriptions) =
            ("venue.endpoint.0.limits.users", "venue.endpoint.0.limits.subscriptions");
        assert_eq!(fit(&[]), (18, String::new()));
        let over_users = "1 account is over the venue's limit of 2 users for one address: ..03";
        assert_eq!(fit(&[(users, "2")]).1, over_users);
        // Six for each account: three channels on each of two connections.
        let over_subscriptions =
            "2 accounts are over the venue's limit of 11 subscriptions for one address: ..02, ..03";
        assert_eq!(fit(&[(users, "2"), (subscriptions, "11")]).1, over_subscriptions);
        assert_eq!(fit(&[(subscriptions, "9"), ("listeners.count", "1")]), (9, String::new()));
        // A listener on each of two addresses.
        let two = [(subscriptions, "9"), ("venue.endpoint.0.egress", r#"["127.0.0.1", "127.0.0.2"]"#)];
        assert_eq!(fit(&two), (18, String::new()));
    }
}
