//! From a URL to an open connection: resolve, connect (from a chosen local address), ask the proxy if there is one, TLS. One deadline
//! for all of it. With a proxy only the proxy's own name is resolved here.
//!
//! Every address of a name is tried in turn, each with its share of the time that is left. TLS that fails ends
//! the attempt: there is no way back to plain text. A handshake above this (WebSocket) is given the same deadline.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use super::dns::Dns;
use super::proxy::{Proxy, ProxyError};
use super::stream::Stream;
use super::target::Target;
use super::tls::{self, Tls};

/// What an attempt was doing when its time ran out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stage {
    /// Asking for the name's addresses.
    Resolve,
    /// Opening TCP.
    Connect,
    /// Waiting for the proxy to connect.
    Proxy,
    /// Negotiating TLS.
    Tls,
    /// Asking for the WebSocket.
    Upgrade,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the name",
            Self::Connect => "connecting",
            Self::Proxy => "waiting for the proxy",
            Self::Tls => "negotiating tls",
            Self::Upgrade => "asking for the websocket",
        })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The deadline passed.
    #[error("no answer from {host} while {stage}")]
    Timeout {
        /// Whom we tried to reach.
        host: String,
        /// What was going on.
        stage: Stage,
    },
    /// The name has no address, now or before.
    #[error("name {host} cannot be resolved")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The local address cannot be used (it is not ours, or of the other family than every address of the host).
    #[error("cannot connect to {host} from local address {local}")]
    Bind {
        /// Whom we tried to reach.
        host: String,
        /// From where.
        local: IpAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No address took the connection; the last one's answer.
    #[error("cannot connect to {host} at {address}")]
    Connect {
        /// Whom we tried to reach.
        host: String,
        /// The last address tried.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The proxy gave no connection; there is no way around it.
    #[error("no connection to {host} through {proxy}")]
    Proxy {
        /// Whom we tried to reach.
        host: String,
        /// The proxy, without its password.
        proxy: String,
        /// Why.
        #[source]
        source: ProxyError,
    },
    /// The certificate is for another name, expired or of an unknown authority, or TLS itself failed.
    #[error("tls with {host} failed, and plain text is no alternative")]
    Tls {
        /// Whom we tried to reach.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke during the TLS handshake.
    #[error("connection to {host} broke during the tls handshake")]
    TlsTransport {
        /// Whom we tried to reach.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DialError {
    /// Whether a person must act before it is of use to try again: on a certificate, or on the proxy's login.
    #[must_use]
    pub const fn wants_a_person(&self) -> bool {
        match self {
            Self::Tls { .. } => true,
            Self::Proxy { source, .. } => source.wants_a_person(),
            Self::Timeout { .. }
            | Self::Resolve { .. }
            | Self::Bind { .. }
            | Self::Connect { .. }
            | Self::TlsTransport { .. } => false,
        }
    }

    /// How long a proxy asked us to stay away.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        if let Self::Proxy { source, .. } = self { source.retry_after() } else { None }
    }
}

/// Opens connections from one local address, or through one proxy, with one set of roots. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: Tls,
    dns: Dns,
    local: Option<IpAddr>,
    proxy: Option<Proxy>,
}

/// Whom a connection goes to first.
struct Hop<'a> {
    name: &'a str,
    port: u16,
    /// As errors call it.
    shown: String,
}

impl Dialer {
    /// A dialer; with `local` connections leave from that address.
    #[must_use]
    pub const fn new(tls: Tls, dns: Dns, local: Option<IpAddr>) -> Self {
        Self { tls, dns, local, proxy: None }
    }

    /// The same through a proxy; then `local` is where connections to the proxy leave from.
    #[must_use]
    pub fn through(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// Connects, with TLS where the target says so.
    ///
    /// # Errors
    /// [`DialError`]; at the latest at `deadline`.
    pub async fn dial(&self, target: &Target, deadline: Instant) -> Result<Stream, DialError> {
        let tcp = self.reach(target, deadline).await?;
        if !target.scheme().is_tls() {
            return Ok(Stream::Plain(tcp));
        }
        let host = || target.host().to_owned();
        let name = ServerName::try_from(host()).map_err(|error| DialError::Tls {
            host: host(),
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        })?;
        match timeout_at(deadline, self.tls.connector().connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
            Ok(Err(source)) if tls::is_tls_error(&source) => Err(DialError::Tls { host: host(), source }),
            Ok(Err(source)) => Err(DialError::TlsTransport { host: host(), source }),
            Err(_) => Err(DialError::Timeout { host: host(), stage: Stage::Tls }),
        }
    }

    /// TCP to the target, straight or through the proxy.
    async fn reach(&self, target: &Target, deadline: Instant) -> Result<TcpStream, DialError> {
        let Some(proxy) = &self.proxy else {
            let straight = Hop { name: target.host(), port: target.port(), shown: target.host().to_owned() };
            return self.connect(straight, deadline).await;
        };
        let first = Hop { name: proxy.host(), port: proxy.port(), shown: proxy.to_string() };
        let tcp = self.connect(first, deadline).await?;
        let (host, proxied) = (target.host().to_owned(), proxy.to_string());
        match timeout_at(deadline, proxy.open(tcp, target.host(), target.port())).await {
            Ok(Ok(tcp)) => Ok(tcp),
            Ok(Err(source)) => Err(DialError::Proxy { host, proxy: proxied, source }),
            Err(_) => Err(DialError::Timeout { host: proxied, stage: Stage::Proxy }),
        }
    }

    async fn connect(&self, hop: Hop<'_>, deadline: Instant) -> Result<TcpStream, DialError> {
        let host = || hop.shown.clone();
        // Half of the time at most: a resolver that hangs must leave time for the addresses we remember.
        let resolved_by = share_until(deadline, 2);
        let addresses = match self.dns.resolve(hop.name, hop.port, resolved_by).await {
            Ok(addresses) => addresses,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(DialError::Timeout { host: host(), stage: Stage::Resolve });
            }
            Err(source) => return Err(DialError::Resolve { host: host(), source }),
        };
        let usable: Vec<SocketAddr> = addresses
            .into_iter()
            .filter(|address| self.local.is_none_or(|local| local.is_ipv4() == address.is_ipv4()))
            .collect();
        let mut last = None;
        for (tried, address) in usable.iter().enumerate() {
            let share = share_until(deadline, usable.len() - tried);
            match timeout_at(share, self.connect_to(*address)).await {
                Ok(Ok(stream)) => {
                    self.dns.worked(hop.name, address.ip());
                    return Ok(stream);
                }
                Ok(Err(Attempt::Bind(local, source))) => {
                    return Err(DialError::Bind { host: host(), local, source });
                }
                Ok(Err(Attempt::Connect(source))) => {
                    last = Some(DialError::Connect { host: host(), address: *address, source });
                }
                Err(_) => last = Some(DialError::Timeout { host: host(), stage: Stage::Connect }),
            }
        }
        Err(last.unwrap_or_else(|| self.no_address(hop.shown)))
    }

    async fn connect_to(&self, address: SocketAddr) -> Result<TcpStream, Attempt> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
            .map_err(Attempt::Connect)?;
        if let Some(local) = self.local {
            socket.bind(SocketAddr::new(local, 0)).map_err(|source| Attempt::Bind(local, source))?;
        }
        // Small frames both ways: waiting to fill a packet would cost a round trip.
        socket.set_nodelay(true).map_err(Attempt::Connect)?;
        socket.connect(address).await.map_err(Attempt::Connect)
    }

    fn no_address(&self, host: String) -> DialError {
        let source =
            io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of the local address's family");
        match self.local {
            Some(local) => DialError::Bind { host, local, source },
            None => DialError::Resolve { host, source },
        }
    }
}

enum Attempt {
    Bind(IpAddr, io::Error),
    Connect(io::Error),
}

/// One of `parts` equal shares of the time until `deadline`.
fn share_until(deadline: Instant, parts: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
    let share: Duration = deadline.saturating_duration_since(now) / parts;
    now + share
}
