//! Sockets, TLS and the info client: the half that does I/O.
//!
//! Everything here lives on one thread: a current-thread tokio runtime with a `LocalSet`, many connections on it. There is
//! no lock, no channel per message and no task of our own: whoever awaits drives. Each frame is decoded where its bytes
//! arrive and handed to a [`Handler`] synchronously, on the same thread, as borrowed data.
//!
//! | module's main type | what it is |
//! |---|---|
//! | [`Endpoint`] | one way to the venue, checked: URLs, token, local address, roots, bounds |
//! | [`Dialer`] | resolve, connect, TLS under one deadline |
//! | [`Proxy`] | SOCKS5 or HTTP CONNECT, between connect and TLS |
//! | [`InfoClient`] | questions over HTTP, one at a time, each asked once |
//! | [`HistoryReader`] | an account's history page by page, within the weight the venue allows |
//! | [`Listener`] | one connection kept alive: connect, drive, wait, again; frames go to a [`Handler`] |
//! | [`WebSocket`] | whole messages in, text out, bounded, cancel-safe |
//!
//! Clocks: timers and decisions use tokio's monotonic clock (paused in tests); receive stamps use the [`WallClock`] given in.
//! Secrets: the token and a proxy's password are in requests only; no error, log line or `Debug` holds them, nor a URL's query, nor an
//! answer's body.

mod clock;
mod connection;
mod connector;
mod control;
mod dial;
mod dns;
mod egress;
mod endpoint;
mod handler;
mod history;
mod http;
mod info;
mod intake;
mod listener;
mod proxy;
mod stream;
mod target;
#[cfg(test)]
mod testing;
mod tls;
mod websocket;

pub use self::clock::{Received, WallClock};
pub use self::connection::{CLOSE_WITHIN, Driven, drive};
pub use self::connector::{Connect, VenueConnector};
pub use self::control::{Control, Urgency};
pub use self::dial::{DialError, Dialer, Stage};
pub use self::dns::Dns;
pub use self::egress::Egress;
pub use self::endpoint::{CONNECT_TIMEOUT_MAX, Endpoint, EndpointConfig, EndpointError, INFO_TIMEOUT_MAX};
pub use self::handler::{Ended, Handler, ListenerEvent, Refused};
pub use self::history::{HistoryError, HistoryOf, HistoryPage, HistoryReader, HistoryRows};
pub use self::info::{AskAgain, InfoAnswer, InfoClient, InfoError};
pub use self::intake::Decode;
pub use self::listener::{Listener, ListenerConfig};
pub use self::proxy::{Proxy, ProxyError, ProxyUrlError};
pub use self::stream::Stream;
pub use self::target::{Scheme, Target, TargetError};
pub use self::tls::{Tls, TlsError};
pub use self::websocket::{ConnectError, Message, SocketError, WebSocket, connect, upgrade};
