//! Where a listener gets its connections: an endpoint, or a script in tests.

use tokio::io::{AsyncRead, AsyncWrite};

use super::clock::WallClock;
use super::dial::Dialer;
use super::endpoint::Endpoint;
use super::stream::Stream;
use super::websocket::{self, ConnectError, WebSocket};

/// Opens connections for a [`Listener`](super::Listener).
pub trait Connect {
    /// What the WebSocket runs over.
    type Stream: AsyncRead + AsyncWrite + Unpin;

    /// Opens one; must give up by itself after a while.
    ///
    /// # Errors
    /// [`ConnectError`].
    fn connect(&self) -> impl Future<Output = Result<WebSocket<Self::Stream>, ConnectError>>;
}

/// Connections to one endpoint.
#[derive(Clone, Debug)]
pub struct VenueConnector {
    endpoint: Endpoint,
    dialer: Dialer,
    clock: WallClock,
}

impl VenueConnector {
    /// A connector; `dialer` is the endpoint's own ([`Endpoint::dialer`]), `clock` stamps what is received.
    #[must_use]
    pub const fn new(endpoint: Endpoint, dialer: Dialer, clock: WallClock) -> Self {
        Self { endpoint, dialer, clock }
    }
}

impl Connect for VenueConnector {
    type Stream = Stream;

    fn connect(&self) -> impl Future<Output = Result<WebSocket<Stream>, ConnectError>> {
        websocket::connect(&self.endpoint, &self.dialer, &self.clock)
    }
}
