//! How a list fits into the venue's limits: the plan that `run` carries out, made without contacting anybody.

use std::fmt;
use std::sync::Arc;

use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::plan::{self, Bound, Demand, Plan, Route, Want};
use influencer_registry::{Influencer, InfluencerSet};

use crate::config::{Allocation, Config, Group, Problem, Routes};
use crate::runtime::{demand, machine_settings, session_settings};

/// The plan for a list, with names.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    /// Everyone enabled.
    pub(super) accounts: usize,
    /// So many ask for order updates, and that costs somebody a listener: at most one such account shares a connection.
    pub(super) too_many_orders: Option<usize>,
    /// Over all listeners.
    pub(super) subscriptions: u32,
    /// By id: accounts that no listener can carry. The least important.
    pub(super) uncovered: Vec<String>,
    /// By id: accounts with fewer listeners than wanted.
    pub(super) fewer_listeners: Vec<String>,
    /// By id: accounts whose listeners leave from one public address.
    pub(super) one_address: Vec<String>,
    /// What there is too little of.
    pub(super) bound: Option<Bound>,
    /// So many more public addresses like the first one would carry everybody with all listeners; `None`: no number would.
    pub(super) more_addresses: Option<usize>,
    /// The public addresses, with what the plan takes of each.
    pub(super) groups: Vec<(Group, plan::Taken)>,
}

/// Whether an influencer's order updates are listened to.
pub(super) fn asks_for_orders(influencer: &Influencer, config: &Config) -> bool {
    influencer.orders().unwrap_or(config.streams.orders)
}

impl Fit {
    /// What is wrong with a configuration that asks for more order updates than the plan can give.
    pub(super) fn orders_problem(&self, config: &Config) -> Option<Problem> {
        let asking = self.too_many_orders?;
        let key = "streams.orders".to_owned();
        let origin = config.places.of(&key);
        let problem = "order updates name no account, so at most one influencer that asks for them shares a connection: \
                       there are too few connections for all who ask (allow more, add egress, or ask for fewer)";
        let value = format!("{asking} influencers ask");
        Some(Problem { key, value, origin, problem: problem.to_owned() })
    }

    pub(super) fn of(set: &InfluencerSet, config: &Config) -> Self {
        let list = set.enabled_by_priority();
        let settings = machine_settings(config);
        let (twap, state) = (config.streams.twap, config.account_state.enabled);
        let of = |influencer: &Arc<Influencer>| {
            demand::of_account(twap, state, asks_for_orders(influencer, config), &settings)
        };
        let Routes { routes, groups } = Routes::of(&config.venue);
        let routes: Vec<Route> = routes.iter().map(|route| Route { group: route.group }).collect();
        let limits: Vec<VenueLimits> = groups.iter().map(|group| group.limits).collect();
        let single = |influencer: &Influencer| influencer.max_streams() == Some(1);
        let accounts: Vec<Want> =
            list.iter().map(|influencer| Want { single: single(influencer), ..of(influencer) }).collect();
        let demand = Demand {
            routes: &routes,
            groups: &limits,
            accounts: &accounts,
            listeners: config.listeners.count,
            dedicated: config.listeners.allocation == Allocation::Dedicated,
            pings_per_minute: demand::pings_per_minute(&session_settings(config)),
        };
        let Plan { uncovered, fewer_listeners, one_address, bound, taken, .. } = plan::plan(&demand, &[]);
        let asking = accounts.iter().filter(|want| want.unattributed).count();
        let worse = asking > 0 && {
            let named: Vec<Want> =
                accounts.iter().map(|want| Want { unattributed: false, ..*want }).collect();
            let without = plan::plan(&Demand { accounts: &named, ..demand }, &[]);
            without.uncovered.len() < uncovered.len() || without.fewer_listeners.len() < fewer_listeners.len()
        };
        let named = |places: Vec<usize>| {
            places.iter().filter_map(|place| Some(list.get(*place)?.id().to_string())).collect()
        };
        let like = limits.first().copied().unwrap_or_default();
        Self {
            accounts: list.len(),
            too_many_orders: worse.then_some(asking),
            subscriptions: taken.iter().map(|taken| taken.subscriptions).sum(),
            more_addresses: if bound.is_some() { plan::more_addresses(&demand, like) } else { Some(0) },
            uncovered: named(uncovered),
            fewer_listeners: named(fewer_listeners),
            one_address: named(one_address),
            bound,
            groups: groups.into_iter().zip(taken).collect(),
        }
    }

    /// Who has too few listeners, and why; nothing where nobody has.
    pub(super) fn thin(&self) -> Option<String> {
        let (count, names) = (self.fewer_listeners.len(), self.fewer_listeners.join(", "));
        let has = if count == 1 { "account has" } else { "accounts have" };
        (count > 0).then(|| format!("{count} {has} fewer listeners than wanted{}: {names}", self.why()))
    }

    /// Whose listeners would be cut off together with one public address; nothing where nobody's would.
    pub(super) fn shared_exit(&self) -> Option<String> {
        let count = self.one_address.len();
        let have = if count == 1 { "account has all its" } else { "accounts have all their" };
        let names = match count {
            0 => return None,
            _ if count == self.accounts => "everybody".to_owned(),
            _ => self.one_address.join(", "),
        };
        Some(format!("{count} {have} listeners at one public address: {names}"))
    }

    fn why(&self) -> String {
        let bound = self.bound.map_or_else(String::new, |bound| format!(": too few {bound}"));
        match self.more_addresses {
            Some(0) | None => bound,
            Some(1) => format!("{bound}; one more egress address would do"),
            Some(more) => format!("{bound}; {more} more egress addresses would do"),
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
        let are = if count == 1 { "account does" } else { "accounts do" };
        write!(f, "{count} {are} not fit into the venue's limits{}: {names}", self.why())
    }
}

#[cfg(test)]
mod tests {
    use influencer_registry::Address;

    use super::*;
    use crate::config::Sources;

    /// How three accounts fit.
    fn fit(settings: &[(&str, &str)]) -> Fit {
        let sets = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config = Config::load(&Sources { sets: sets.collect(), ..Sources::default() }).unwrap();
        let addresses: Vec<Address> =
            (1..=3).map(|number| format!("0x{number:040x}").parse().unwrap()).collect();
        Fit::of(&InfluencerSet::default().with_followed(&addresses), &config)
    }

    fn said(settings: &[(&str, &str)]) -> String {
        fit(settings).to_string().replace("0x00000000000000000000000000000000000000", "..")
    }

    #[test]
    fn who_does_not_fit_is_named_with_the_bound_and_what_would_help() {
        let (users, subscriptions, connections) = (
            "venue.endpoint.0.limits.users",
            "venue.endpoint.0.limits.subscriptions",
            "venue.endpoint.0.limits.connections",
        );
        assert_eq!((fit(&[]).subscriptions, said(&[])), (18, String::new()));
        let over = "1 account does not fit into the venue's limits: too few users; one more egress address would do: ..03";
        assert_eq!(said(&[(users, "2")]), over);
        // Three channels on one connection each; redundancy is given up before coverage.
        let short = fit(&[(subscriptions, "9")]);
        assert_eq!((short.uncovered.len(), short.fewer_listeners.len()), (0, 3));
        assert_eq!(
            said(&[(subscriptions, "5"), ("listeners.count", "1")]).split(';').next().unwrap(),
            "2 accounts do not fit into the venue's limits: too few subscriptions"
        );
        let one = fit(&[(connections, "1")]);
        assert!(
            one.thin()
                .unwrap()
                .starts_with("3 accounts have fewer listeners than wanted: too few connections; one more")
        );
        // A listener on each of two addresses.
        // Order updates name nobody: five cells of two connections each, and three who ask; then one cell.
        let orders = ("streams.orders", "true");
        assert_eq!((fit(&[orders]).too_many_orders, fit(&[orders]).subscriptions), (None, 24));
        assert_eq!(fit(&[orders, (connections, "4")]).too_many_orders, Some(3));
        assert_eq!(fit(&[(connections, "4")]).too_many_orders, None);
        let two = [(subscriptions, "9"), ("venue.endpoint.0.egress", r#"["127.0.0.1", "127.0.0.2"]"#)];
        assert_eq!(
            (fit(&two).subscriptions, fit(&two).fewer_listeners.len(), said(&two)),
            (18, 0, String::new())
        );
        // Whose listeners share an address is said too; with room at both nobody's do.
        assert_eq!(fit(&two).shared_exit(), None);
        let all = fit(&[]).shared_exit().unwrap();
        assert_eq!(all, "3 accounts have all their listeners at one public address: everybody");
        let tight = [two[1], (users, "2")];
        let (fits, shared) = (fit(&tight), fit(&tight).shared_exit().unwrap());
        assert_eq!((fits.uncovered.len(), fits.fewer_listeners.len(), fits.one_address.len()), (0, 0, 2));
        assert!(
            shared.starts_with("2 accounts have all their listeners at one public address: 0x"),
            "{shared}"
        );
    }
}
