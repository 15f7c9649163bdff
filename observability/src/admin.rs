//! The admin HTTP server: `/live`, `/ready`, `/metrics`, `/status`, `/`, and routes of the caller. Reads only.
//!
//! What it refuses: any method but GET and HEAD (405); on loopback, a `Host` that is not loopback and a foreign
//! `Origin` (403: a web page somebody visits must not read us by DNS rebinding); anywhere else, and wherever a
//! token is configured, everything but `/live`, `/ready` and `/metrics` without the bearer token (401).
//!
//! What it bounds: connections ([`CONNECTIONS_MAX`]), streams among them ([`STREAMS_MAX`]), a request's head (size,
//! number of fields, time) and the life of a connection ([`CONNECTION_TIME_MAX`]; streams are exempt). One request
//! a connection. A client that is slow or says nothing is cut off; it never takes more than its own slot.

mod answer;
mod check;
mod page;
mod server;
mod token;

use std::{io, net::SocketAddr, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use serde_json::Value;

use crate::metrics::{Counter, Definition, Family};

pub use answer::{json_answer, stream_answer, text_answer};
pub use hyper::{Request, Response, StatusCode};
pub use server::AdminServer;
pub use token::{BadToken, Token};

/// The most connections at once; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 64;

/// The most connections among them that are streams, so that `/live` always finds one free.
pub const STREAMS_MAX: usize = 32;

/// The longest a client may take to send the head of its request.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(5);

/// The longest a connection lives, streams excepted.
pub const CONNECTION_TIME_MAX: Duration = Duration::from_secs(15);

/// The most bytes of a request's head.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The most header fields of a request.
pub const HEAD_FIELDS_MAX: usize = 64;

pub(crate) static REQUESTS: Definition<Counter, 2> = Definition::counter(
    "ingestion_admin_requests_total",
    "Requests to the admin server, by route (\"other\" where there is none) and answer.",
    ["route", "code"],
);

pub(crate) static FAMILIES: &[Family] = &[REQUESTS.family()];

/// A body of an answer: bytes, or a stream of them.
pub type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// The answer of a [`Route`], in the making.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// Where the admin server listens, and who may read.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Required when `listen` is not loopback; asked for wherever it is given.
    pub token: Option<Token>,
}

/// What `/status` and `/` show. Called for each request in the server's task, so it must not block.
pub trait StatusSource: Send + Sync {
    /// The state of the service now, an object.
    fn status(&self) -> Value;
}

impl<F: Fn() -> Value + Send + Sync> StatusSource for F {
    fn status(&self) -> Value {
        self()
    }
}

/// A further path of the server. The request was checked already: method, host, origin, token.
pub trait Route: Send + Sync {
    /// The answer. A body that ends late, such as server-sent events, is made with [`stream_answer`].
    fn answer<'a>(&'a self, request: &'a Request<()>) -> Answering<'a>;
}

/// Why the admin server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than this machine could read, and nothing would stop them.
    #[error("{address} is not loopback, so a token is required")]
    TokenRequired {
        /// The address.
        address: SocketAddr,
    },
    /// The path of a route is taken, or does not begin with a slash.
    #[error("route {path:?} is taken, or is no path")]
    BadRoute {
        /// The path.
        path: String,
    },
}

impl AdminError {
    /// Whether another process listens on that address.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse)
    }
}
