//! The ways to the venue that a configuration names, and which of them share the venue's limits.
//!
//! An endpoint is reached over each of its egress entries: one route each. The venue counts by public address, so routes to one host
//! over one entry, or over entries of one `egress_group`, are one group with one set of limits (the lowest that any of them states).

use hyperliquid_client::io::Proxy;
use hyperliquid_client::limits::VenueLimits;

use super::egress::EgressEntry;
use super::venue::{Endpoint, Venue};

/// Every way there is.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// In the order of the configuration.
    pub routes: Vec<Route>,
    /// What they share.
    pub groups: Vec<Group>,
}

/// One endpoint over one of its egress entries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// Place of the endpoint in the configuration.
    pub endpoint: usize,
    /// The way out of this machine.
    pub egress: EgressEntry,
    /// Place in [`Routes::groups`].
    pub group: usize,
    /// The endpoint's name, with the egress where it has several: `mainnet@10.0.0.2`.
    pub name: String,
}

/// Routes that the venue counts as one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// The name of its first route.
    pub name: String,
    /// What the venue allows all of them together.
    pub limits: VenueLimits,
}

impl Routes {
    /// The routes of a configuration.
    #[must_use]
    pub fn of(venue: &Venue) -> Self {
        let mut all = Self::default();
        let mut keys: Vec<(&str, Way<'_>)> = Vec::new();
        for (index, endpoint) in venue.endpoints.iter().enumerate() {
            for egress in &endpoint.egress {
                let entry = egress.to_string();
                let name = match endpoint.egress.len() {
                    1 => endpoint.name.clone(),
                    _ => format!("{}@{entry}", endpoint.name),
                };
                let shared = Some(endpoint.egress_group.clone()).filter(|group| !group.is_empty());
                let own = || match egress {
                    // Another login may be another exit of the same proxy, even where it is not shown.
                    EgressEntry::Proxy(proxy) => Way::Proxy(proxy),
                    EgressEntry::System | EgressEntry::Local(_) | EgressEntry::ProxyFrom(_) => {
                        Way::Named(entry)
                    }
                };
                let key = (host(&endpoint.ws_url), shared.map_or_else(own, Way::Named));
                let limits = limits(endpoint);
                let group = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                    keys.push(key);
                    all.groups.push(Group { name: name.clone(), limits });
                    all.groups.len() - 1
                });
                if let Some(group) = all.groups.get_mut(group) {
                    group.limits = lowest(group.limits, limits);
                }
                all.routes.push(Route { endpoint: index, egress: egress.clone(), group, name });
            }
        }
        all
    }
}

/// What the venue may tell apart by its public address.
#[derive(PartialEq)]
enum Way<'a> {
    Named(String),
    Proxy(&'a Proxy),
}

/// Host and port of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn limits(endpoint: &Endpoint) -> VenueLimits {
    VenueLimits {
        users: endpoint.users,
        connections: endpoint.connections,
        new_connections_per_minute: endpoint.new_connections_per_minute,
        subscriptions: endpoint.subscriptions,
        messages_per_minute: endpoint.messages_per_minute,
        info_weight_per_minute: endpoint.info_weight_per_minute,
        ..VenueLimits::default()
    }
}

fn lowest(a: VenueLimits, b: VenueLimits) -> VenueLimits {
    VenueLimits {
        users: a.users.min(b.users),
        connections: a.connections.min(b.connections),
        new_connections_per_minute: a.new_connections_per_minute.min(b.new_connections_per_minute),
        subscriptions: a.subscriptions.min(b.subscriptions),
        messages_per_minute: a.messages_per_minute.min(b.messages_per_minute),
        info_weight_per_minute: a.info_weight_per_minute.min(b.info_weight_per_minute),
        ..a
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    /// Routes with their groups, and groups with their users.
    type Named<T> = Vec<(String, T)>;

    fn routes(toml: &[(&str, &str)]) -> (Named<usize>, Named<u32>) {
        let sets = toml.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config = Config::load(&Sources { sets: sets.collect(), ..Sources::default() }).unwrap();
        let Routes { routes, groups } = Routes::of(&config.venue);
        (
            routes.into_iter().map(|route| (route.name, route.group)).collect(),
            groups.into_iter().map(|group| (group.name, group.limits.users)).collect(),
        )
    }

    #[test]
    fn what_the_venue_counts_as_one_shares_the_lowest_limits() {
        let one = ("mainnet".to_owned(), 0);
        assert_eq!(routes(&[]), (vec![one], vec![("mainnet".to_owned(), 10)]));

        let (egress, group) = ("venue.endpoint.0.egress", "venue.endpoint.0.egress_group");
        let range = (egress, r#"["127.0.0.2-127.0.0.4"]"#);
        let (ways, groups) = routes(&[range]);
        let names: Vec<&str> = ways.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["mainnet@127.0.0.2", "mainnet@127.0.0.3", "mainnet@127.0.0.4"]);
        assert_eq!(groups.len(), 3);
        assert_eq!(routes(&[range, (group, "office")]).1, [("mainnet@127.0.0.2".to_owned(), 10)]);

        // A proxy is its own public address, and so is another login at it.
        let proxies =
            (egress, r#"["system", "http://p:1", "socks5://x:1@p:1", "socks5://x:2@p:1", "env:P"]"#);
        let (ways, groups) = routes(&[proxies]);
        let names = ["system", "http://p:1", "socks5://x@p:1", "socks5://x@p:1", "env:P"];
        let expected: Named<usize> =
            names.iter().enumerate().map(|(group, name)| (format!("mainnet@{name}"), group)).collect();
        assert_eq!((ways, groups.len()), (expected, 5));
        assert_eq!(routes(&[proxies, (group, "office")]).1.len(), 1);

        // A second endpoint at the same host is counted with the first one; at another host it is not.
        let second = |url| {
            [
                ("venue.endpoint.0.ws_url", "wss://api.hyperliquid.xyz/ws"),
                ("venue.endpoint.1.name", "second"),
                ("venue.endpoint.1.ws_url", url),
                ("venue.endpoint.1.limits.users", "4"),
            ]
        };
        let (ways, groups) = routes(&second("wss://api.hyperliquid.xyz/ws?other"));
        assert_eq!(ways, [("mainnet".to_owned(), 0), ("second".to_owned(), 0)]);
        assert_eq!(groups, [("mainnet".to_owned(), 4)]);
        let (_, groups) = routes(&second("wss://node.example.com/ws"));
        assert_eq!(groups, [("mainnet".to_owned(), 10), ("second".to_owned(), 4)]);
    }
}
