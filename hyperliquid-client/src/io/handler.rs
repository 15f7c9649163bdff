//! What a listener tells, and to whom: synchronously, on its own thread, as borrowed data.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::clock::Received;
use super::websocket::{ConnectError, SocketError};
use crate::decode::{Decoded, FrameError};
use crate::session::SessionEvent;

/// Takes what a listener has to say. Called between two awaits of the listener, so it must neither block nor wait; it may
/// call [`Control`](super::Control). A panic in it is not caught: state that panicked is not to be trusted.
///
/// Many listeners can share one: `Rc<RefCell<H>>` is a handler as well (borrowed for the length of a call only).
pub trait Handler {
    /// A message that was decoded; single rows in it may still have been refused. `raw` is the message as it came.
    fn on_frame(&mut self, message: &Decoded<'_>, raw: &[u8], received: Received);

    /// A message of which nothing could be used.
    fn on_refused(&mut self, refused: &Refused<'_>, received: Received);

    /// Something about the connection or its subscriptions.
    fn on_event(&mut self, event: &ListenerEvent<'_>);
}

impl<H: Handler + ?Sized> Handler for Rc<RefCell<H>> {
    fn on_frame(&mut self, message: &Decoded<'_>, raw: &[u8], received: Received) {
        self.borrow_mut().on_frame(message, raw, received);
    }

    fn on_refused(&mut self, refused: &Refused<'_>, received: Received) {
        self.borrow_mut().on_refused(refused, received);
    }

    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        self.borrow_mut().on_event(event);
    }
}

impl<H: Handler + ?Sized> Handler for Box<H> {
    fn on_frame(&mut self, message: &Decoded<'_>, raw: &[u8], received: Received) {
        (**self).on_frame(message, raw, received);
    }

    fn on_refused(&mut self, refused: &Refused<'_>, received: Received) {
        (**self).on_refused(refused, received);
    }

    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        (**self).on_event(event);
    }
}

/// A message that is refused as a whole. [`code`](Self::code) is the dead letter's reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused<'a> {
    /// Text we cannot decode; the connection stays.
    Undecodable {
        /// Why.
        error: &'a FrameError,
        /// The message as it came.
        raw: &'a [u8],
    },
    /// Text that is not UTF-8; the connection is closed with 1007.
    InvalidText {
        /// The message as it came.
        raw: &'a [u8],
    },
    /// A binary message, which the venue never sends; the connection stays.
    Binary {
        /// The message as it came.
        raw: &'a [u8],
    },
    /// A message over the endpoint's limit, refused by its header; the connection is closed with 1009.
    TooLarge {
        /// What had come of it, and what the header announced. Bytes.
        bytes: u64,
    },
    /// Our decoder panicked over it: our bug, not theirs. The connection stays, the decoder is a new one.
    DecodePanic {
        /// The message as it came.
        raw: &'a [u8],
    },
}

impl<'a> Refused<'a> {
    /// The reason of the dead letter.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Undecodable { error, .. } => error.code(),
            Self::InvalidText { .. } | Self::Binary { .. } => "malformed_frame",
            Self::TooLarge { .. } => "frame_too_large",
            Self::DecodePanic { .. } => "decode_panic",
        }
    }

    /// The message as it came; empty where it was refused before it was read.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        match self {
            Self::Undecodable { raw, .. }
            | Self::InvalidText { raw }
            | Self::Binary { raw }
            | Self::DecodePanic { raw } => raw,
            Self::TooLarge { .. } => &[],
        }
    }
}

/// What happens to a connection and its subscriptions, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListenerEvent<'a> {
    /// No place for a new connection this minute.
    WaitingForPlace {
        /// How long at least.
        wait: Duration,
    },
    /// It has a place among the minute's new connections, and tries to connect.
    Connecting,
    /// An attempt to connect failed.
    ConnectFailed {
        /// Why; never holds the token.
        error: &'a ConnectError,
        /// When the next attempt follows.
        retry_in: Duration,
    },
    /// Connected; the subscriptions follow one by one.
    Connected {
        /// From the start of the attempt.
        took: Duration,
    },
    /// What the session has to say.
    Session(&'a SessionEvent),
    /// The venue pings faster than it is answered.
    PingsUnanswered {
        /// Pings left unanswered since this was last said.
        count: u64,
    },
    /// The connection is over.
    Ended {
        /// How.
        ended: &'a Ended,
        /// When the next attempt follows; `None`: the listener stops.
        retry_in: Option<Duration>,
    },
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// [`Control::stop`](super::Control::stop).
    Stopped,
    /// [`Control::recycle`](super::Control::recycle).
    Recycled,
    /// [`Control::replace`](super::Control::replace): it was old, and good.
    Replaced,
    /// The venue closed it.
    ByVenue {
        /// Its code, if it gave one (1000 `Expired` and `Inactive` are ordinary).
        code: Option<u16>,
        /// Its reason.
        reason: String,
    },
    /// The session found it useless: stale, a pong late, a subscription silent.
    Useless(SessionEvent),
    /// A message that must not be answered by going on; it was handed to [`Handler::on_refused`].
    BadMessage {
        /// What we closed with: 1007 or 1009.
        code: u16,
    },
    /// The venue took no byte for the listener's write timeout although some waited.
    WriteStalled,
    /// The transport failed or the protocol was broken.
    Failed(SocketError),
}

impl Ended {
    /// One word for metrics: `stopped`, `recycled`, `replaced`, `venue`, `stale`, `message`, `write`, `protocol`, `eof` or `io`.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Recycled => "recycled",
            Self::Replaced => "replaced",
            Self::ByVenue { .. } => "venue",
            Self::Useless(_) => "stale",
            Self::BadMessage { .. } => "message",
            Self::WriteStalled => "write",
            Self::Failed(SocketError::Protocol { .. }) => "protocol",
            Self::Failed(SocketError::Ended) => "eof",
            Self::Failed(SocketError::Io(_)) => "io",
        }
    }
}
