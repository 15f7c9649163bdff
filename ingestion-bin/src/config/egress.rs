//! `egress`: the ways out of this machine. Local addresses, ranges of them, proxies.
//!
//! A proxy's URL may hold a password. So what is no address is never quoted: the entry is named by its place. A URL kept elsewhere is
//! an entry too, `env:NAME` or `file:PATH`; it is read with the other secrets.

use std::fmt;
use std::net::IpAddr;

use hyperliquid_client::io::Proxy;

use super::reader::Section;
use super::secret::SecretSource;

/// One way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EgressEntry {
    /// The system chooses.
    System,
    /// From this local address.
    Local(IpAddr),
    /// Through this proxy.
    Proxy(Proxy),
    /// Through the proxy whose URL is there.
    ProxyFrom(SecretSource),
}

impl fmt::Display for EgressEntry {
    /// Without any password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Local(address) => address.fmt(f),
            Self::Proxy(proxy) => proxy.fmt(f),
            Self::ProxyFrom(source) => source.fmt(f),
        }
    }
}

/// Local addresses of one range at most.
const RANGE_MAX: u128 = 1_024;

const WANTS: &str = "wants \"system\", a local IP address, a range of such (\"10.0.1.10-10.0.1.59\"), a proxy \
                     (\"socks5://user:password@host:port\", \"http://…\"), or where its URL is (\"env:NAME\", \"file:PATH\")";

pub(super) fn egress(table: &Section<'_>) -> Vec<EgressEntry> {
    let mut ways: Vec<EgressEntry> = Vec::new();
    let entries = table.texts("egress", &["system"]);
    if entries.is_empty() {
        table.complain("egress", "[]", WANTS);
    }
    for (place, entry) in entries.iter().enumerate() {
        let complain = |problem: &str| table.complain(&format!("egress.{place}"), "", problem);
        let meant = match entry.parse::<Proxy>() {
            Ok(proxy) => vec![EgressEntry::Proxy(proxy)],
            Err(error) if entry.contains("://") => {
                complain(&error.to_string());
                continue;
            }
            Err(_) => no_url(entry),
        };
        if meant.is_empty() {
            complain(WANTS);
        } else if meant.iter().any(|way| ways.contains(way)) {
            complain("names a way out a second time");
        }
        ways.extend(meant);
    }
    ways
}

/// What an entry that is no URL stands for; nothing where it is nothing of this kind.
fn no_url(entry: &str) -> Vec<EgressEntry> {
    if entry == "system" {
        return vec![EgressEntry::System];
    }
    if let Ok(address) = entry.parse::<IpAddr>() {
        return vec![EgressEntry::Local(address)];
    }
    if let Ok(source) = entry.parse::<SecretSource>() {
        return vec![EgressEntry::ProxyFrom(source)];
    }
    let range = entry.split_once('-').map(|(first, last)| range(first, last)).unwrap_or_default();
    range.into_iter().map(EgressEntry::Local).collect()
}

/// From the first to the last address of a range; nothing where it is none.
fn range(first: &str, last: &str) -> Vec<IpAddr> {
    let (Ok(first), Ok(last)) = (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>()) else {
        return Vec::new();
    };
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last))
            if u128::from(u32::from(last).saturating_sub(u32::from(first))) < RANGE_MAX =>
        {
            (u32::from(first)..=u32::from(last)).map(|address| IpAddr::V4(address.into())).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last))
            if u128::from(last).saturating_sub(u128::from(first)) < RANGE_MAX =>
        {
            (u128::from(first)..=u128::from(last)).map(|address| IpAddr::V6(address.into())).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Sources};

    const KEY: &str = "venue.endpoint.0.egress";

    fn load(entries: &str) -> Result<Vec<String>, String> {
        let sets = vec![(KEY.to_owned(), entries.to_owned())];
        let config = Config::load(&Sources { sets, ..Sources::default() });
        let all = format!("{config:?} {config:#?}");
        assert!(!all.contains("hunter2"), "{all}");
        let ways = config.map(|config| config.venue.endpoints[0].egress.clone());
        ways.map(|ways| ways.iter().map(ToString::to_string).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_entry_is_a_way_out() {
        let entries = r#"["127.0.0.2-127.0.0.3", "system", "socks5://me:hunter2@p:1", "http://hunter2@p:2",
                          "env:PROXY", "file:/run/proxy"]"#;
        let ways = ["127.0.0.2", "127.0.0.3", "system", "socks5://me@p:1", "http://p:2", "env:PROXY"];
        let ways: Vec<String> = ways.into_iter().chain(["file:/run/proxy"]).map(str::to_owned).collect();
        assert_eq!(load(entries), Ok(ways));
        let twice = r#"["socks5://me:hunter2@p:1", "socks5://me:hunter2@p:1"]"#;
        assert_eq!(load(twice), Err(format!("{KEY}.1: names a way out a second time (command line)")));
        // Another login is another exit of the same provider.
        assert!(load(r#"["socks5://me:hunter2@p:1", "socks5://you:hunter2@p:1"]"#).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_and_not_quoted() {
        for (entries, told) in [
            (r#"["socks5://me:hunter2@p"]"#, "egress.0: the proxy's url wants a port"),
            (r#"["system", "https://me:hunter2@p:1"]"#, "egress.1: a proxy's url begins with"),
            (r#"["me:hunter2@p:1"]"#, "egress.0: wants \"system\""),
            (r#"["127.0.0.9-127.0.0.1"]"#, "egress.0: wants \"system\""),
            (r#"["socks5://me:hunter2@p:1", 7]"#, "egress: wants an array of texts"),
            (r#"["socks5://me:hunter2@p:1""#, "egress: wants an array of texts"),
            (r#""socks5://me:hunter2@p:1""#, "egress: wants an array of texts"),
            ("[]", "egress = []: wants"),
        ] {
            let error = load(entries).expect_err(entries);
            assert!(error.contains(told), "{entries}: {error}");
        }
        // Where it is put at a place that is not there, and where the file is no TOML.
        let entries = r#"["socks5://me:hunter2@p:1"]"#;
        let sets = vec![("venue.endpoint.7.egress".to_owned(), entries.to_owned())];
        let nowhere = Sources { sets, ..Sources::default() };
        let text = format!("[[venue.endpoint]]\negress = {entries} oh");
        let broken = Sources { file: Some(("test.toml".into(), text)), ..Sources::default() };
        for (sources, told) in [(nowhere, "no such place"), (broken, "line 2, column 38")] {
            let error = Config::load(&sources).expect_err(told);
            assert!(error.to_string().contains(told), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
