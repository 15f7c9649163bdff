//! From a URL to an open connection: resolve, connect (from a chosen local address), TLS. One deadline for all of it.
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

/// Opens connections from one local address with one set of roots. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: Tls,
    dns: Dns,
    local: Option<IpAddr>,
}

impl Dialer {
    /// A dialer; with `local` connections leave from that address.
    #[must_use]
    pub const fn new(tls: Tls, dns: Dns, local: Option<IpAddr>) -> Self {
        Self { tls, dns, local }
    }

    /// Connects, with TLS where the target says so.
    ///
    /// # Errors
    /// [`DialError`]; at the latest at `deadline`.
    pub async fn dial(&self, target: &Target, deadline: Instant) -> Result<Stream, DialError> {
        let tcp = self.connect(target, deadline).await?;
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

    async fn connect(&self, target: &Target, deadline: Instant) -> Result<TcpStream, DialError> {
        let host = || target.host().to_owned();
        // Half of the time at most: a resolver that hangs must leave time for the addresses we remember.
        let resolved_by = share_until(deadline, 2);
        let addresses = match self.dns.resolve(target.host(), target.port(), resolved_by).await {
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
                    self.dns.worked(target.host(), address.ip());
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
        Err(last.unwrap_or_else(|| self.no_address(target)))
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

    fn no_address(&self, target: &Target) -> DialError {
        let source =
            io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of the local address's family");
        let host = target.host().to_owned();
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
