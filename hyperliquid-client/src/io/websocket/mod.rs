//! One WebSocket after its handshake, as a client: whole messages in, text out, in one value.
//!
//! [`WebSocket::next`] is the only thing to await. While it is awaited queued text is written as well, so neither direction
//! waits for the other. It may be dropped at any moment (beside a timer in a `select!`): what was half read or half
//! written stays in the value. Pings are answered here, at a bounded rate; pongs are skipped.
//!
//! Bounds: a message by the endpoint's `max_message_bytes` over all its fragments, what waits to be written by
//! 64 KiB. There are no timers inside: watch [`WebSocket::write_deadline`].

mod frames;
mod handshake;
mod outbox;
mod pings;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use self::frames::{Complete, FrameReader, Refusal};
pub(in crate::io) use self::handshake::AGENT;
pub use self::handshake::{ConnectError, connect, upgrade};
use self::outbox::Outbox;
use self::pings::PingBudget;
use super::clock::{self, Received, WallClock};

/// Bytes thrown away at most while a closed connection is let end in order.
const DRAIN_BYTES: usize = 1024 * 1024;

/// What the peer sent. After any but `Text` and `Binary` the connection is over and a close frame is queued:
/// [`WebSocket::close`] sends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// A whole text message, valid UTF-8.
    Text(&'a [u8]),
    /// A whole binary message; the venue sends none.
    Binary(&'a [u8]),
    /// A whole text message that is not UTF-8, as it came; closed with 1007.
    InvalidText(&'a [u8]),
    /// A message of at least this many bytes, refused by the length its header announced; closed with 1009.
    TooLarge {
        /// Bytes that had come before plus the announced ones.
        bytes: u64,
    },
    /// The peer closed.
    Closed {
        /// The code of its close frame, if it gave one.
        code: Option<u16>,
        /// Its reason, lossily as text; at most 123 bytes came.
        reason: String,
    },
}

/// Why a connection ended without the peer saying so.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A rule of RFC 6455 was broken; closed with 1002.
    #[error("peer broke the websocket protocol: {rule}")]
    Protocol {
        /// What was wrong.
        rule: &'static str,
    },
    /// The bytes stopped without a close frame.
    #[error("connection ended without a close frame")]
    Ended,
    /// The transport failed.
    #[error("connection failed")]
    Io(#[source] io::Error),
}

/// See the module.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    frames: FrameReader,
    outbox: Outbox,
    pings: PingBudget,
    clock: WallClock,
    received: Received,
    /// Since when the peer has taken nothing although something waits.
    waiting_since: Option<Instant>,
    unflushed: bool,
    /// Kept until everything readable was read: a close frame may explain it.
    write_error: Option<io::Error>,
}

#[derive(Clone, Copy)]
enum Event {
    Text,
    Binary,
    InvalidText,
    TooLarge { bytes: u64 },
    Closed { code: Option<u16> },
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A connection after its handshake; `already_read` came behind the handshake's answer.
    pub fn new(stream: S, already_read: &[u8], max_message_bytes: usize, clock: WallClock) -> Self {
        Self {
            stream,
            frames: FrameReader::new(max_message_bytes, already_read),
            outbox: Outbox::default(),
            pings: PingBudget::default(),
            received: clock.received(),
            clock,
            waiting_since: None,
            unflushed: false,
            write_error: None,
        }
    }

    /// Queues a text message. `false`: it does not fit now and nothing of it was kept.
    #[must_use = "what does not fit was not queued"]
    pub fn send_text(&mut self, text: &str) -> bool {
        let queued = self.outbox.text(text);
        self.note_waiting();
        queued
    }

    /// Whether [`send_text`](Self::send_text) would take `len` bytes now.
    #[must_use]
    pub fn fits(&self, len: usize) -> bool {
        self.outbox.fits(len)
    }

    /// When the connection is to be given up because the peer has taken no byte for `timeout` although some wait.
    #[must_use]
    pub fn write_deadline(&self, timeout: Duration) -> Option<Instant> {
        self.waiting_since.and_then(|since| since.checked_add(timeout))
    }

    /// Pings left unanswered because they came faster than ten a second.
    #[must_use]
    pub const fn unanswered_pings(&self) -> u64 {
        self.pings.unanswered()
    }

    /// The next message, and when the bytes that completed it were read. Cancel-safe.
    ///
    /// # Errors
    /// [`SocketError`]; the connection is over.
    pub async fn next(&mut self) -> Result<(Message<'_>, Received), SocketError> {
        let event = poll_fn(|cx| self.poll_event(cx)).await?;
        Ok(self.message(event))
    }

    /// A message that is in memory already, without awaiting and without reading or writing.
    pub fn buffered(&mut self) -> Option<Result<(Message<'_>, Received), SocketError>> {
        match self.take_event() {
            Ok(None) => None,
            Ok(Some(event)) => Some(Ok(self.message(event))),
            Err(error) => Some(Err(error)),
        }
    }

    fn message(&self, event: Event) -> (Message<'_>, Received) {
        let payload = self.frames.payload();
        let message = match event {
            Event::Text => Message::Text(payload),
            Event::Binary => Message::Binary(payload),
            Event::InvalidText => Message::InvalidText(payload),
            Event::TooLarge { bytes } => Message::TooLarge { bytes },
            Event::Closed { code } => {
                Message::Closed { code, reason: String::from_utf8_lossy(payload).into_owned() }
            }
        };
        (message, self.received)
    }

    /// Ends the connection: sends what is queued and a close frame with `code` (none if one was queued before), then
    /// lets the peer see it, all within `within`. Nothing can fail that matters any more.
    pub async fn close(mut self, code: u16, within: Duration) {
        self.outbox.close(Some(code));
        let orderly = async {
            poll_fn(|cx| self.poll_send(cx)).await?;
            self.stream.shutdown().await?;
            // Unread bytes would turn our close into a reset, and the peer would never see the code.
            let mut scratch = [0; 4096];
            let mut left = DRAIN_BYTES;
            while left > 0 {
                match self.stream.read(&mut scratch).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(within, orderly).await;
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, SocketError>> {
        loop {
            if let Some(event) = self.take_event()? {
                return Poll::Ready(Ok(event));
            }
            if self.write_error.is_none()
                && let Poll::Ready(Err(error)) = self.poll_send(cx)
            {
                self.write_error = Some(error);
            }
            let read = pin!(self.stream.read_buf(self.frames.read_buffer())).poll(cx);
            if read.is_pending()
                && let Some(error) = self.write_error.take()
            {
                return Poll::Ready(Err(SocketError::Io(error)));
            }
            match ready!(read) {
                Ok(0) => return Poll::Ready(Err(SocketError::Ended)),
                Ok(_) => self.received = self.clock.received(),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Err(SocketError::Ended));
                }
                Err(error) => return Poll::Ready(Err(SocketError::Io(error))),
            }
        }
    }

    /// The next event among the bytes already here; answers pings on the way.
    fn take_event(&mut self) -> Result<Option<Event>, SocketError> {
        loop {
            let complete = match self.frames.poll_message() {
                Ok(Some(complete)) => complete,
                Ok(None) => return Ok(None),
                Err(refusal) => return self.refuse(refusal).map(Some),
            };
            match complete {
                Complete::Text => return Ok(Some(Event::Text)),
                Complete::Binary => return Ok(Some(Event::Binary)),
                Complete::Close(code) => {
                    self.outbox.close(code);
                    return Ok(Some(Event::Closed { code }));
                }
                Complete::Pong => {}
                Complete::Ping => {
                    if self.pings.answer(self.received.at) && !self.outbox.pong(self.frames.payload()) {
                        self.pings.no_room();
                    }
                    self.note_waiting();
                }
            }
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Result<Event, SocketError> {
        self.outbox.close(Some(refusal.close_code()));
        match refusal {
            Refusal::TooLarge { bytes } => Ok(Event::TooLarge { bytes }),
            Refusal::InvalidText => Ok(Event::InvalidText),
            Refusal::Protocol(rule) => Err(SocketError::Protocol { rule }),
        }
    }

    /// Writes and flushes what is queued; ready when nothing waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.unsent().is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.outbox.unsent()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.sent(written);
            self.unflushed = true;
            self.waiting_since = Some(clock::now());
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        self.waiting_since = None;
        Poll::Ready(Ok(()))
    }

    fn note_waiting(&mut self) {
        if self.waiting_since.is_none() && !self.outbox.unsent().is_empty() {
            self.waiting_since = Some(clock::now());
        }
    }
}

#[cfg(test)]
mod tests;
