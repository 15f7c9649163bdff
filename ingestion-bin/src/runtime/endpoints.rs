//! The configured endpoints as ones that can be dialled: secrets read, URLs and certificates checked, all problems at once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hyperliquid_client::auth::{Auth, SecretRef};
use hyperliquid_client::io::{Endpoint, EndpointConfig, Proxy, Tls};
use observability::causes;

use super::worker::Dialled;
use crate::config::{self, AuthPlace, Config, EgressEntry, Problem, Problems, Routes};

/// Checks every endpoint without contacting any.
///
/// # Errors
///
/// All problems: secrets that cannot be read, URLs, headers, certificate files.
pub fn endpoints(config: &Config) -> Result<Vec<Endpoint>, Problems> {
    Ok(dialled(config)?.into_iter().map(|dialled| dialled.endpoint).collect())
}

pub(super) fn dialled(config: &Config) -> Result<Vec<Dialled>, Problems> {
    let mut problems = Problems::default();
    let mut ready = Vec::new();
    // One set of roots for all ways to an endpoint.
    let mut roots: BTreeMap<usize, Tls> = BTreeMap::new();
    for route in Routes::of(&config.venue).routes {
        let Some(endpoint) = config.venue.endpoints.get(route.endpoint) else { continue };
        let mut problem = |key: &str, problem: String| {
            let key = format!("venue.endpoint.{}.{key}", route.endpoint);
            let origin = config.places.of(&key);
            let problem = Problem { key, value: String::new(), origin, problem };
            // One local address after another meets the same.
            if !problems.0.contains(&problem) {
                problems.0.push(problem);
            }
        };
        // The rest is looked at too.
        let auth = auth(endpoint).unwrap_or_else(|why| {
            problem("auth.value_from", why);
            Auth::None
        });
        let (local, proxy) = way_out(&route.egress).unwrap_or_else(|why| {
            problem("egress", why);
            (None, None)
        });
        let config = EndpointConfig {
            info_url: endpoint.info_url.clone(),
            auth,
            local,
            proxy,
            ca_file: endpoint.ca_file.clone(),
            max_message_bytes: endpoint.max_message_bytes,
            ..EndpointConfig::new(&route.name, &endpoint.ws_url)
        };
        let checked =
            Endpoint::new(config).map_err(|error| ("ws_url", causes(&error))).and_then(|endpoint| {
                let tls = match roots.get(&route.endpoint) {
                    Some(tls) => tls.clone(),
                    None => endpoint.tls().map_err(|error| ("ca_file", causes(&error)))?,
                };
                roots.insert(route.endpoint, tls.clone());
                Ok(Dialled { endpoint, tls, group: route.group })
            });
        match checked {
            Ok(dialled) => ready.push(dialled),
            Err((key, why)) => problem(key, why),
        }
    }
    if problems.0.is_empty() { Ok(ready) } else { Err(problems) }
}

/// The local address and the proxy of an entry.
fn way_out(egress: &EgressEntry) -> Result<(Option<IpAddr>, Option<Proxy>), String> {
    Ok(match egress {
        EgressEntry::System => (None, None),
        EgressEntry::Local(address) => (Some(*address), None),
        EgressEntry::Proxy(proxy) => (None, Some(proxy.clone())),
        EgressEntry::ProxyFrom(source) => {
            let url = source.read().map_err(|error| error.to_string())?;
            let proxy = url.parse::<Proxy>().map_err(|error| format!("{source}: {error}"))?;
            (None, Some(proxy))
        }
    })
}

fn auth(endpoint: &config::Endpoint) -> Result<Auth, String> {
    let Some(auth) = &endpoint.auth else { return Ok(Auth::None) };
    let value = auth.value_from.read().map_err(|error| error.to_string())?;
    let secret = SecretRef::new(auth.value_from.to_string(), &value).map_err(|error| error.to_string())?;
    Ok(match &auth.place {
        AuthPlace::Header(name) => Auth::Header { name: name.clone(), secret },
        AuthPlace::Query(name) => Auth::Query { name: name.clone(), secret },
    })
}
