//! What the tests of this half share: a handler that writes down what it is told, and a venue that is one end of a pipe.

use std::cell::RefCell;
use std::rc::Rc;

use fastwebsockets::{Frame, OpCode, Payload, Role};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::clock::{Received, WallClock};
use super::handler::{Handler, ListenerEvent, Refused};
use super::websocket::WebSocket;
use crate::decode;
use crate::session::SessionEvent;
use crate::wire::{Address, Subscription};

pub(super) const USER: Address = Address::from_bytes([0xaa; 20]);

pub(super) const fn fills() -> Subscription {
    Subscription::UserFills { user: USER }
}

/// Writes one line for everything it is told, and keeps the bytes of refused messages.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) lines: Vec<String>,
    pub(super) refused: Vec<Vec<u8>>,
}

impl Recorder {
    pub(super) fn shared() -> Rc<RefCell<Self>> {
        Rc::default()
    }
}

impl Handler for Recorder {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the tests look for a few kinds only")]
    fn on_frame(&mut self, message: &decode::Decoded<'_>, raw: &[u8], _: Received) {
        let line = match &message.frame {
            decode::Frame::Fills(fills) => format!("fills {}", fills.rows.len()),
            decode::Frame::Pong => "pong".into(),
            decode::Frame::Ack { .. } => "ack".into(),
            _ => format!("other {}", String::from_utf8_lossy(raw)),
        };
        self.lines.push(line);
    }

    fn on_refused(&mut self, refused: &Refused<'_>, _: Received) {
        self.lines.push(format!("refused {}", refused.code()));
        self.refused.push(refused.raw().to_vec());
    }

    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        self.lines.push(match event {
            ListenerEvent::Connecting => return,
            ListenerEvent::WaitingForPlace { wait } => format!("waiting {}", wait.as_secs()),
            ListenerEvent::ConnectFailed { error, retry_in } => {
                format!("failed, retry in {}: {error}", retry_in.as_secs())
            }
            ListenerEvent::Connected { .. } => "connected".into(),
            ListenerEvent::Session(SessionEvent::Subscribed { .. }) => "subscribed".into(),
            ListenerEvent::Session(SessionEvent::Unsubscribed { .. }) => "unsubscribed".into(),
            ListenerEvent::Session(SessionEvent::Closed { .. }) => "closed".into(),
            ListenerEvent::Session(event) => format!("{event:?}"),
            ListenerEvent::PingsUnanswered { count } => format!("{count} pings unanswered"),
            ListenerEvent::Ended { ended, .. } => format!("ended {}", ended.cause()),
        });
    }
}

/// The venue's end of a pipe.
pub(super) struct Venue(pub(super) fastwebsockets::WebSocket<DuplexStream>);

impl Venue {
    /// A connection and the venue at its other end.
    pub(super) fn pair(max_message_bytes: usize) -> (WebSocket<DuplexStream>, Self) {
        let (ours, theirs) = duplex(64 * 1024);
        let mut venue = fastwebsockets::WebSocket::after_handshake(theirs, Role::Server);
        venue.set_auto_close(false);
        venue.set_auto_pong(false);
        (WebSocket::new(ours, b"", max_message_bytes, WallClock::new(|| 7)), Self(venue))
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.write_frame(Frame::text(Payload::Borrowed(text.as_bytes()))).await.expect("sent");
    }

    pub(super) async fn send_bytes(self, bytes: &[u8]) -> Self {
        let mut stream = self.0.into_inner();
        stream.write_all(bytes).await.expect("sent");
        Self(fastwebsockets::WebSocket::after_handshake(stream, Role::Server))
    }

    pub(super) async fn close(&mut self, code: u16, reason: &str) {
        self.0.write_frame(Frame::close(code, reason.as_bytes())).await.expect("sent");
    }

    /// The next text; `None` when the other end closed.
    pub(super) async fn next(&mut self) -> Option<String> {
        let frame = self.0.read_frame().await.ok()?;
        (frame.opcode == OpCode::Text).then(|| String::from_utf8(frame.payload.to_vec()).expect("text"))
    }

    /// Reads a request of `method` and acknowledges it.
    pub(super) async fn acknowledge(&mut self, method: &str) {
        let text = self.next().await.expect("a request");
        let rest = text.strip_prefix(&format!(r#"{{"method":"{method}","subscription":"#)).expect(&text);
        let subscription = rest.strip_suffix('}').expect(&text);
        let data = format!(r#"{{"method":"{method}","subscription":{subscription}}}"#);
        self.send(&format!(r#"{{"channel":"subscriptionResponse","data":{data}}}"#)).await;
    }

    pub(super) async fn fills(&mut self) {
        self.send(&format!(r#"{{"channel":"userFills","data":{{"user":"{USER}","fills":[]}}}}"#)).await;
    }

    /// Answers pings until the other end closes.
    pub(super) async fn answer_pings(&mut self) {
        while let Some(text) = self.next().await {
            assert_eq!(text, r#"{"method":"ping"}"#);
            self.send(r#"{"channel":"pong"}"#).await;
        }
    }
}
