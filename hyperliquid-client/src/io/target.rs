//! Where a URL points: host, port, path, and whether TLS is spoken there.
//!
//! Refused: other schemes than the asked ones, user names and passwords in the URL, an empty host. A URL may hold
//! a token in its query, so `Debug` and `Display` show everything but the query, and no error quotes it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

/// Where to connect and what to ask for there.
#[derive(Clone, Eq, PartialEq)]
pub struct Target {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
    /// Without the question mark; may hold a secret.
    query: Option<String>,
}

/// What is spoken at a [`Target`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `ws`
    Ws,
    /// `wss`
    Wss,
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether TLS is spoken; if so, never anything else.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Wss | Self::Https)
    }

    const fn default_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }

    /// The scheme of the info API beside a WebSocket of this one.
    const fn http(self) -> Self {
        if self.is_tls() { Self::Https } else { Self::Http }
    }
}

/// Why a URL is refused. The URL itself is not quoted: it may hold a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error("not a url")]
    Malformed,
    /// No scheme, or not one of these.
    #[error("the url must begin with {expected}")]
    Scheme {
        /// The schemes that are allowed.
        expected: &'static str,
    },
    /// No host.
    #[error("the url names no host")]
    Host,
    /// A user name or password before the host.
    #[error("the url holds a user name or password; give a token by reference instead")]
    UserInfo,
    /// A port that is none.
    #[error("the url's port is not a number from 1 to 65535")]
    Port,
}

impl Target {
    /// A WebSocket URL: `wss://…`, or `ws://…` when written out.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn websocket(url: &str) -> Result<Self, TargetError> {
        Self::parse(url, &[("wss", Scheme::Wss), ("ws", Scheme::Ws)], "wss:// or ws://")
    }

    /// An HTTP URL: `https://…`, or `http://…` when written out.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn http(url: &str) -> Result<Self, TargetError> {
        Self::parse(url, &[("https", Scheme::Https), ("http", Scheme::Http)], "https:// or http://")
    }

    /// The info API that belongs to a WebSocket when nothing else is said: same host, port and encryption, `/info`.
    #[must_use]
    pub fn info_beside(&self) -> Self {
        Self { scheme: self.scheme.http(), path: "/info".into(), query: None, ..self.clone() }
    }

    /// What is spoken there.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, by default the scheme's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || IpAddr::from_str(&self.host).is_ok_and(|ip| ip.is_loopback())
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let host = in_url(&self.host);
        if self.port == self.scheme.default_port() {
            host.into_owned()
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Path and query as they go into a request. May hold a secret.
    pub(crate) fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    fn parse(url: &str, schemes: &[(&str, Scheme)], expected: &'static str) -> Result<Self, TargetError> {
        let uri = Uri::from_str(url.trim()).map_err(|_| TargetError::Malformed)?;
        let given = uri.scheme_str().ok_or(TargetError::Scheme { expected })?;
        let scheme = schemes
            .iter()
            .find_map(|(name, scheme)| given.eq_ignore_ascii_case(name).then_some(*scheme))
            .ok_or(TargetError::Scheme { expected })?;
        let authority = uri.authority().ok_or(TargetError::Host)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() {
            return Err(TargetError::Host);
        }
        // `Authority::port` answers `None` for a port that is too large as well.
        let port = match (authority.port_u16(), authority.as_str().strip_prefix(authority.host())) {
            (Some(port), _) => port,
            (None, Some("")) => scheme.default_port(),
            (None, _) => 0,
        };
        if port == 0 {
            return Err(TargetError::Port);
        }
        Ok(Self { scheme, host, port, path: uri.path().to_owned(), query: uri.query().map(str::to_owned) })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.query.is_some() { "?…" } else { "" };
        write!(f, "{}://{}{}{query}", self.scheme.as_str(), self.authority(), self.path)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// A host as it stands in URLs and `Host` headers: an IPv6 address in brackets.
pub(super) fn in_url(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_host_port_and_path() {
        for (url, tls, host, port, shown) in [
            (
                "wss://api.hyperliquid.xyz/ws",
                true,
                "api.hyperliquid.xyz",
                443,
                "wss://api.hyperliquid.xyz/ws",
            ),
            ("WSS://API.example/ws", true, "api.example", 443, "wss://api.example/ws"),
            ("ws://127.0.0.1:3801/ws", false, "127.0.0.1", 3801, "ws://127.0.0.1:3801/ws"),
            ("ws://[::1]:3801/ws", false, "::1", 3801, "ws://[::1]:3801/ws"),
            ("wss://host:8443", true, "host", 8443, "wss://host:8443/"),
        ] {
            let target = Target::websocket(url).expect(url);
            assert_eq!((target.scheme().is_tls(), target.host(), target.port()), (tls, host, port), "{url}");
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn the_info_api_is_on_the_same_host() {
        for (ws, info) in [
            ("wss://api.hyperliquid.xyz/ws?token=K", "https://api.hyperliquid.xyz/info"),
            ("ws://127.0.0.1:3801/ws", "http://127.0.0.1:3801/info"),
        ] {
            let target = Target::websocket(ws).expect(ws).info_beside();
            assert_eq!(target, Target::http(info).expect(info));
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for (url, error) in [
            ("", TargetError::Malformed),
            ("wss://host:99999/ws", TargetError::Port),
            ("wss://host:/ws", TargetError::Port),
            ("https://host/ws", TargetError::Scheme { expected: "wss:// or ws://" }),
            ("host/ws", TargetError::Malformed),
            ("/ws", TargetError::Scheme { expected: "wss:// or ws://" }),
            ("wss://user:pass@host/ws", TargetError::UserInfo),
            ("wss://host:0/ws", TargetError::Port),
        ] {
            assert_eq!(Target::websocket(url), Err(error), "{url}");
        }
        assert!(Target::http("ws://host/info").is_err());
    }

    #[test]
    fn a_query_is_sent_but_not_shown() {
        let target = Target::websocket("wss://host/ws?token=hunter2").expect("a url");
        assert_eq!(target.path_and_query(), "/ws?token=hunter2");
        assert_eq!(target.info_beside().path_and_query(), "/info");
        assert!(!format!("{target} {target:?}").contains("hunter2"));
    }
}
