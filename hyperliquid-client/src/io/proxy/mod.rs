//! Proxies that connections leave through: SOCKS5 ([`socks5`]) and HTTP CONNECT ([`http_connect`]).
//!
//! A proxy is told the venue's name and resolves it itself; nothing is asked of the local resolver but the proxy's own name. TLS runs
//! end to end with the venue behind it, so a proxy sees names and sizes, nothing else. There is no way around it: where the proxy
//! refuses, the attempt ends.
//!
//! Of a login only the user name is ever printed, and not even that where it stands without a password: then it is the secret.
//!
//! No deadline in here: the dialer's covers it. Own code, since the connectors of hyper-util hide why they were refused and read past
//! the proxy's answer.

mod http_connect;
mod socks5;
mod url;

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::http::ExchangeError;
use super::target::in_url;

/// A proxy, as written in a URL.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    login: Option<Login>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    Socks5,
    Http,
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct Login {
    user: String,
    password: String,
}

/// Why a proxy's URL is refused. The URL is not quoted: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProxyUrlError {
    /// Neither `socks5://` nor `http://`.
    #[error("a proxy's url begins with socks5:// or http:// (and either resolves names itself)")]
    Scheme,
    /// No host, or none that could be one.
    #[error("the proxy's url names no host")]
    Host,
    /// No port, or none that could be one.
    #[error("the proxy's url wants a port from 1 to 65535")]
    Port,
    /// Something behind the port.
    #[error("the proxy's url has something behind its port")]
    Path,
    /// A percent sign that begins no byte, a control character, more than 255 bytes, or for CONNECT a colon in the user name.
    #[error("the proxy's user name or password cannot be sent")]
    Login,
}

/// Why a proxy gave no connection.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It wants a user name and a password, and has none of ours.
    #[error("it wants a user name and password")]
    LoginWanted,
    /// It does not accept those it got.
    #[error("it does not accept our user name and password")]
    LoginRefused,
    /// A SOCKS5 reply that is no success.
    #[error("{}", socks5::reply_in_words(*.0))]
    Reply(u8),
    /// An answer to CONNECT that is no success.
    #[error("it answers CONNECT with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long to stay away, if said in seconds; at most an hour.
        retry_after: Option<Duration>,
    },
    /// It does not speak its protocol.
    #[error("its answer is wrong: {rule}")]
    Wrong {
        /// What was wrong.
        rule: &'static str,
    },
    /// The connection ended before a complete answer.
    #[error("it gave no complete answer")]
    Broken(#[source] io::Error),
}

impl ProxyError {
    /// Whether a person must act before it is of use to try again.
    #[must_use]
    pub const fn wants_a_person(&self) -> bool {
        matches!(self, Self::LoginWanted | Self::LoginRefused)
    }

    /// How long the proxy asked us to stay away.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        if let Self::Status { retry_after, .. } = self { *retry_after } else { None }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<ExchangeError> for ProxyError {
    fn from(error: ExchangeError) -> Self {
        Self::Broken(io::Error::other(error))
    }
}

impl Proxy {
    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Asks, over a connection to the proxy, for one to `host` and `port`; what is said on the stream afterwards is said there.
    pub(super) async fn open<S>(&self, stream: S, host: &str, port: u16) -> Result<S, ProxyError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.kind {
            Kind::Socks5 => socks5::open(stream, self.login.as_ref(), host, port).await,
            Kind::Http => http_connect::open(stream, self.login.as_ref(), host, port).await,
        }
    }
}

impl fmt::Display for Proxy {
    /// Without the password, and without a user name that stands alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Socks5 => "socks5",
            Kind::Http => "http",
        };
        let user = self.login.as_ref().filter(|login| !login.password.is_empty()).map(|login| &login.user);
        write!(f, "{kind}://")?;
        if let Some(user) = user {
            write!(f, "{}@", url::encoded(user))?;
        }
        write!(f, "{}:{}", in_url(&self.host), self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}
