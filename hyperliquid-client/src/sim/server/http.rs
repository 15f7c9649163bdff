//! HTTP side: `/ws` upgrades, `/info` takes POSTs, everything else is 404. The token, where one is required, is checked
//! first and never appears in an answer.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};

use super::super::venue::{Admission, InfoOutcome};
use super::shared::Shared;
use super::socket;

/// The longest body of an info request.
const BODY_MAX: usize = 64 << 10;
/// A hanging handshake is given up after this.
const HANG: Duration = Duration::from_secs(120);

/// The connection is to be cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the venue is down")]
pub(super) struct Cut;

/// One peer's view of the server.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    pub(super) token: Option<Arc<str>>,
    pub(super) peer: IpAddr,
}

impl Service {
    /// Answers one request, or cuts the connection.
    pub(super) async fn call(self, request: Request<Incoming>) -> Result<Response<Answer>, Cut> {
        if !self.allowed(&request) {
            return Ok(plain(StatusCode::UNAUTHORIZED, "unauthorized"));
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/ws") => self.upgrade(request).await,
            (&Method::POST, "/info") => self.info(request).await,
            (_, "/ws" | "/info") => Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")),
            _ => Ok(plain(StatusCode::NOT_FOUND, "not found")),
        }
    }

    fn allowed(&self, request: &Request<Incoming>) -> bool {
        let Some(token) = self.token.as_deref() else { return true };
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let query = request.uri().query().unwrap_or_default();
        header.and_then(|value| value.strip_prefix("Bearer ")) == Some(token)
            || query
                .split('&')
                .filter_map(|pair| pair.strip_prefix("token="))
                .any(|given| unescape(given) == token.as_bytes())
    }

    async fn upgrade(self, mut request: Request<Incoming>) -> Result<Response<Answer>, Cut> {
        if !fastwebsockets::upgrade::is_upgrade_request(&request) {
            return Ok(plain(StatusCode::UPGRADE_REQUIRED, "a websocket is expected here"));
        }
        let line = match self.shared.connect(self.peer) {
            Ok(line) => line,
            Err(Admission::Refuse(status)) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                return Ok(plain(status, "refused"));
            }
            Err(Admission::Hang) => {
                tokio::time::sleep(HANG).await;
                return Err(Cut);
            }
            Err(Admission::Cut | Admission::Accept(_)) => return Err(Cut),
        };
        let Ok((response, upgraded)) = fastwebsockets::upgrade::upgrade(&mut request) else {
            self.shared.close_line(line.id);
            return Ok(plain(StatusCode::BAD_REQUEST, "not a websocket handshake"));
        };
        let shared = self.shared;
        tokio::spawn(async move {
            match upgraded.await {
                Ok(ws) => socket::serve(shared, line, ws).await,
                Err(_) => shared.close_line(line.id),
            }
        });
        Ok(response.map(|_| Answer::Whole(Bytes::new())))
    }

    async fn info(self, request: Request<Incoming>) -> Result<Response<Answer>, Cut> {
        let json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !json.is_some_and(|kind| kind.starts_with("application/json")) {
            let text = "Expected request with `Content-Type: application/json`";
            return Ok(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let Ok(body) = Limited::new(request.into_body(), BODY_MAX).collect().await else {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "length limit exceeded"));
        };
        let body = body.to_bytes();
        let answer = match self.shared.with(|venue, now| venue.info(self.peer, &body, now)) {
            InfoOutcome::Cut => return Err(Cut),
            InfoOutcome::Answer(answer) => answer,
        };
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = plain(status, answer.body);
        if status == StatusCode::OK {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(seconds) = answer.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        Ok(if answer.half { response.map(Answer::half) } else { response })
    }
}

/// Undoes `%XX`; anything else stays as it is.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(text.into()));
    *response.status_mut() = status;
    response
}

/// A body: all of it, or its first half and then a broken connection.
pub(super) enum Answer {
    Whole(Bytes),
    Half(Bytes),
    /// The half is on its way; the break waits one turn so that it is flushed first.
    Flushing,
    Broken,
}

impl Answer {
    fn half(self) -> Self {
        match self {
            Self::Whole(bytes) | Self::Half(bytes) => Self::Half(bytes.slice(..bytes.len() / 2)),
            Self::Flushing | Self::Broken => Self::Broken,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let (next, frame) = match std::mem::replace(&mut *self, Self::Broken) {
            Self::Whole(bytes) if bytes.is_empty() => (Self::Whole(bytes), None),
            Self::Whole(bytes) => (Self::Whole(Bytes::new()), Some(Ok(Frame::data(bytes)))),
            Self::Half(bytes) => (Self::Flushing, Some(Ok(Frame::data(bytes)))),
            Self::Flushing => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Broken => (Self::Broken, Some(Err(io::Error::from(io::ErrorKind::BrokenPipe)))),
        };
        *self = next;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Half(_) | Self::Flushing | Self::Broken => SizeHint::default(),
        }
    }
}
