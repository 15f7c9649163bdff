//! Who may read what, decided from the head of a request alone.

use std::net::IpAddr;

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{AUTHORIZATION, HOST, HeaderName, ORIGIN},
};

use super::Token;

/// Paths that need no token: for probes and scrapers.
const OPEN_PATHS: [&str; 3] = ["/live", "/ready", "/metrics"];

/// The rules of one server.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) loopback: bool,
    pub(super) token: Option<Token>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) &'static str);

impl Rules {
    pub(super) fn check(&self, request: &Request<()>) -> Result<(), Refused> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET and HEAD: nothing can be changed here",
            ));
        }
        if self.loopback {
            check_origin(request.headers())?;
        }
        let open = OPEN_PATHS.contains(&request.uri().path());
        match &self.token {
            Some(token) if !open => {
                let given = only(request.headers(), &AUTHORIZATION).unwrap_or_default();
                let opened = token.opens(given.as_bytes());
                if opened {
                    Ok(())
                } else {
                    Err(Refused(StatusCode::UNAUTHORIZED, "a bearer token is needed"))
                }
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A browser that was lured to a foreign name for our address still sends that name as host.
fn check_origin(headers: &HeaderMap) -> Result<(), Refused> {
    let refused = |why| Err(Refused(StatusCode::FORBIDDEN, why));
    let Some(host) = only(headers, &HOST).filter(|host| is_loopback(host)) else {
        return refused("the Host header must name this machine: localhost, 127.0.0.1 or [::1]");
    };
    match only(headers, &ORIGIN) {
        None if headers.contains_key(ORIGIN) => refused("the Origin header cannot be read"),
        Some(origin) if origin.strip_prefix("http://") != Some(host) => {
            refused("pages of another origin may not read this")
        }
        _ => Ok(()),
    }
}

/// The header's text, if it is there once and readable.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    if all.next().is_some() { None } else { Some(first) }
}

/// Whether a `Host`, with or without its port, is this machine.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, port)) => (inner, port),
        None => host.split_at_checked(host.find(':').unwrap_or(host.len())).unwrap_or((host, "")),
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let ip = || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    port_fits && (name.eq_ignore_ascii_case("localhost") || ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for good in ["localhost", "LOCALHOST:9464", "127.0.0.1:9464", "127.1.2.3", "[::1]:9464", "[::1]"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:9464",
            "localhost:",
            "localhost:x",
            "[::2]",
            "[::1]x",
            "::1:9464",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
