//! One way to the venue, checked before any socket opens: URLs, token, local address, roots, size and time limits.
//!
//! Nothing here prints the token or a proxy's password: `Debug` shows where it came from, URLs are shown without their query.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use super::proxy::Proxy;
use super::target::{Target, TargetError};
use super::tls::{Tls, TlsError};
use super::{Dialer, Dns};
use crate::auth::Auth;

/// The longest any attempt to connect may take; an endpoint with more is refused.
pub const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// The longest an info request may take; an endpoint with more is refused.
pub const INFO_TIMEOUT_MAX: Duration = Duration::from_secs(3_600);

/// What is configured for an endpoint; [`Endpoint::new`] checks it.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// A name for logs, metrics and errors.
    pub name: String,
    /// `wss://…`; `ws://…` only when written out.
    pub ws_url: String,
    /// `https://…`; empty: the WebSocket's host with `/info`.
    pub info_url: String,
    /// The provider's token and where it goes.
    pub auth: Auth,
    /// The local address connections leave from; `None`: the system chooses.
    pub local: Option<IpAddr>,
    /// The proxy they go through, if any.
    pub proxy: Option<Proxy>,
    /// PEM file of authorities trusted besides the known ones.
    pub ca_file: Option<PathBuf>,
    /// The largest message accepted, over all its fragments. Bytes, more than zero.
    pub max_message_bytes: usize,
    /// The largest info answer accepted. Bytes, more than zero.
    pub max_answer_bytes: usize,
    /// For resolving, connecting, the proxy, TLS and upgrade together; more than zero, at most [`CONNECT_TIMEOUT_MAX`] (10 s).
    pub connect_timeout: Duration,
    /// For one info request, connecting included; more than zero, at most [`INFO_TIMEOUT_MAX`] (an hour).
    pub info_timeout: Duration,
}

impl EndpointConfig {
    /// The defaults for a WebSocket URL: no token, system's routing, 32 MiB, 10 s to connect, 15 s for an info request.
    #[must_use]
    pub fn new(name: impl Into<String>, ws_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ws_url: ws_url.into(),
            info_url: String::new(),
            auth: Auth::None,
            local: None,
            proxy: None,
            ca_file: None,
            max_message_bytes: 32 * 1024 * 1024,
            max_answer_bytes: 32 * 1024 * 1024,
            connect_timeout: CONNECT_TIMEOUT_MAX,
            info_timeout: Duration::from_secs(15),
        }
    }
}

/// Why an endpoint is refused: its name and what is wrong. URLs are not quoted, they may hold a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EndpointError {
    /// `ws_url`.
    #[error("ws_url of endpoint {name} is refused")]
    WsUrl {
        /// The endpoint.
        name: String,
        /// Why.
        #[source]
        source: TargetError,
    },
    /// `info_url`.
    #[error("info_url of endpoint {name} is refused")]
    InfoUrl {
        /// The endpoint.
        name: String,
        /// Why.
        #[source]
        source: TargetError,
    },
    /// The token's header.
    #[error(
        "auth header {header:?} of endpoint {name} is no header name, or one the connection itself needs"
    )]
    AuthHeader {
        /// The endpoint.
        name: String,
        /// The header's name as given.
        header: String,
    },
    /// A limit of zero, more than [`CONNECT_TIMEOUT_MAX`] to connect, or more than [`INFO_TIMEOUT_MAX`] for an info request.
    #[error("{key} of endpoint {name} is out of range")]
    OutOfRange {
        /// The endpoint.
        name: String,
        /// Which limit: the name of the field.
        key: &'static str,
    },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Endpoint {
    name: String,
    ws: Target,
    info: Target,
    auth: Auth,
    header: Option<(HeaderName, HeaderValue)>,
    config: Limits,
    local: Option<IpAddr>,
    proxy: Option<Proxy>,
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    max_message_bytes: usize,
    max_answer_bytes: usize,
    connect_timeout: Duration,
    info_timeout: Duration,
}

impl Endpoint {
    /// Checks a configuration.
    ///
    /// # Errors
    /// [`EndpointError`], naming the endpoint and the key.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        let name = config.name;
        let ws = Target::websocket(&config.ws_url)
            .map_err(|source| EndpointError::WsUrl { name: name.clone(), source })?;
        let info = if config.info_url.is_empty() {
            ws.info_beside()
        } else {
            Target::http(&config.info_url)
                .map_err(|source| EndpointError::InfoUrl { name: name.clone(), source })?
        };
        let header = auth_header(&config.auth)
            .map_err(|header| EndpointError::AuthHeader { name: name.clone(), header })?;
        let limits = Limits {
            max_message_bytes: config.max_message_bytes,
            max_answer_bytes: config.max_answer_bytes,
            connect_timeout: config.connect_timeout,
            info_timeout: config.info_timeout,
        };
        for (key, sound) in [
            ("max_message_bytes", limits.max_message_bytes > 0),
            ("max_answer_bytes", limits.max_answer_bytes > 0),
            (
                "connect_timeout",
                !limits.connect_timeout.is_zero() && limits.connect_timeout <= CONNECT_TIMEOUT_MAX,
            ),
            ("info_timeout", !limits.info_timeout.is_zero() && limits.info_timeout <= INFO_TIMEOUT_MAX),
        ] {
            if !sound {
                return Err(EndpointError::OutOfRange { name, key });
            }
        }
        Ok(Self {
            name,
            ws,
            info,
            auth: config.auth,
            header,
            config: limits,
            local: config.local,
            proxy: config.proxy,
            ca_file: config.ca_file,
        })
    }

    /// The name given to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the WebSocket is.
    #[must_use]
    pub const fn ws(&self) -> &Target {
        &self.ws
    }

    /// Where the info API is.
    #[must_use]
    pub const fn info(&self) -> &Target {
        &self.info
    }

    /// The token and where it goes.
    #[must_use]
    pub const fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The largest message accepted, bytes.
    #[must_use]
    pub const fn max_message_bytes(&self) -> usize {
        self.config.max_message_bytes
    }

    /// The largest info answer accepted, bytes.
    #[must_use]
    pub const fn max_answer_bytes(&self) -> usize {
        self.config.max_answer_bytes
    }

    /// For resolving, connecting, the proxy, TLS and upgrade together.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        self.config.connect_timeout
    }

    /// For one info request, connecting included.
    #[must_use]
    pub const fn info_timeout(&self) -> Duration {
        self.config.info_timeout
    }

    /// A dialer with this endpoint's roots, local address and proxy; reads `ca_file`. Make one per worker and clone it.
    ///
    /// # Errors
    /// [`TlsError`], when `ca_file` is not what it should be.
    pub fn dialer(&self, dns: Dns) -> Result<Dialer, TlsError> {
        Ok(self.dialer_with(self.tls()?, dns))
    }

    /// The same with roots that were read before: many endpoints that differ in their way out only need them once.
    #[must_use]
    pub fn dialer_with(&self, tls: Tls, dns: Dns) -> Dialer {
        Dialer::new(tls, dns, self.local).through(self.proxy.clone())
    }

    /// This endpoint's roots; reads `ca_file` and the system's.
    ///
    /// # Errors
    /// [`TlsError`], when `ca_file` is not what it should be.
    pub fn tls(&self) -> Result<Tls, TlsError> {
        Tls::new(self.ca_file.as_deref())
    }

    /// Name and value of the token's header, the value marked sensitive.
    pub(crate) const fn auth_header(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.header.as_ref()
    }
}

/// Headers a token must not replace: without them there is no upgrade or no request.
const OUR_HEADERS: [&str; 8] = [
    "host",
    "upgrade",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "sec-websocket-key",
    "sec-websocket-version",
];

fn auth_header(auth: &Auth) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let Auth::Header { name, secret } = auth else { return Ok(None) };
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| name.clone())?;
    if OUR_HEADERS.contains(&header.as_str()) {
        return Err(name.clone());
    }
    let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| name.clone())?;
    value.set_sensitive(true);
    Ok(Some((header, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::SecretRef;

    fn config(ws_url: &str) -> EndpointConfig {
        EndpointConfig::new("provider", ws_url)
    }

    #[test]
    fn each_fault_of_a_configuration_is_named_with_its_endpoint() {
        let secret = || SecretRef::new("env:TOKEN", "hunter2").expect("a secret");
        let header = |name: &str| Auth::Header { name: name.into(), secret: secret() };
        for (broken, message) in [
            (config("http://host/ws"), "ws_url of endpoint provider is refused"),
            (
                EndpointConfig { info_url: "ftp://host".into(), ..config("ws://h/ws") },
                "info_url of endpoint provider is refused",
            ),
            (
                EndpointConfig { auth: header("not a header"), ..config("ws://h/ws") },
                "auth header \"not a header\" of endpoint provider is no header name, or one the connection itself needs",
            ),
            (
                EndpointConfig { auth: header("Host"), ..config("ws://h/ws") },
                "auth header \"Host\" of endpoint provider is no header name, or one the connection itself needs",
            ),
            (
                EndpointConfig { connect_timeout: Duration::from_secs(11), ..config("ws://h/ws") },
                "connect_timeout of endpoint provider is out of range",
            ),
            (
                EndpointConfig { info_timeout: Duration::MAX, ..config("ws://h/ws") },
                "info_timeout of endpoint provider is out of range",
            ),
            (
                EndpointConfig { max_message_bytes: 0, ..config("ws://h/ws") },
                "max_message_bytes of endpoint provider is out of range",
            ),
        ] {
            let error = Endpoint::new(broken).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn an_endpoint_never_prints_its_token() {
        for auth in [
            Auth::Header {
                name: "x-api-key".into(),
                secret: SecretRef::new("env:TOKEN", "hunter2").expect("a secret"),
            },
            Auth::Query {
                name: "token".into(),
                secret: SecretRef::new("env:TOKEN", "hunter2").expect("a secret"),
            },
        ] {
            let config = EndpointConfig { auth, ..config("wss://host/ws?also=hunter2") };
            let shown = format!("{:?}", Endpoint::new(config).expect("sound"));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
