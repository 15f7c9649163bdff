//! What the WebSocket handshake and info requests share: one HTTP/1.1 exchange at a time over a stream we own.
//!
//! The connection is driven by whoever waits for its answer, so there is no task beside it and nothing is spawned.
//! Answers' heads are bounded by [`HEAD_BYTES`].

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// The largest head of an answer.
const HEAD_BYTES: usize = 64 * 1024;
/// Nobody is made to wait longer than this by a `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The body of every request of ours.
pub(super) type Body = Full<Bytes>;

/// One HTTP/1.1 connection.
pub(super) struct Http<S: AsyncRead + AsyncWrite + Unpin> {
    sender: SendRequest<Body>,
    connection: Connection<TokioIo<S>, Body>,
    /// The connection has come to its end (an answer may still be on its way through memory).
    done: bool,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The transport failed.
    #[error("connection failed")]
    Io(#[source] io::Error),
    /// The peer closed before a complete answer, or did not speak HTTP/1.1.
    #[error("no complete http answer")]
    Http(#[source] hyper::Error),
}

impl ExchangeError {
    pub(super) fn of(error: hyper::Error) -> Self {
        let is_io = error.source().and_then(|source| source.downcast_ref::<io::Error>()).is_some();
        if is_io { Self::Io(io::Error::other(error)) } else { Self::Http(error) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    /// A connection over a stream on which nothing was said yet.
    pub(super) async fn new(stream: S) -> Result<Self, ExchangeError> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(ExchangeError::of)?;
        Ok(Self { sender, connection, done: false })
    }

    /// Whether a request may be sent: the peer has not closed.
    pub(super) async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            // An error ends the connection as well, and `done` says so.
            let _ = self.poll_connection(cx);
            Poll::Ready(())
        })
        .await;
        !self.done && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, ExchangeError> {
        let answer = self.sender.send_request(request);
        let answer = std::pin::pin!(answer);
        self.drive(answer).await?.map_err(ExchangeError::of)
    }

    /// Waits for `future`, which is fed by this connection.
    pub(super) async fn drive<F: Future>(
        &mut self,
        mut future: Pin<&mut F>,
    ) -> Result<F::Output, ExchangeError> {
        let mut failed = None;
        poll_fn(|cx| {
            if !self.done
                && failed.is_none()
                && let Poll::Ready(Err(error)) = self.poll_connection(cx)
            {
                failed = Some(error);
            }
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Ok(output)),
                Poll::Pending => match failed.take() {
                    Some(error) => Poll::Ready(Err(ExchangeError::of(error))),
                    None => Poll::Pending,
                },
            }
        })
        .await
    }

    /// Waits for the connection to come to its end without closing the stream, and returns the stream and what
    /// was read beyond HTTP. For an answer that switched protocols.
    pub(super) async fn into_stream(mut self) -> Result<(S, Bytes), ExchangeError> {
        if !self.done {
            poll_fn(|cx| self.poll_connection(cx)).await.map_err(ExchangeError::of)?;
        }
        let parts = self.connection.into_parts();
        Ok((parts.io.into_inner(), parts.read_buf))
    }

    fn poll_connection(&mut self, cx: &mut std::task::Context<'_>) -> Poll<hyper::Result<()>> {
        if self.done {
            return Poll::Ready(Ok(()));
        }
        let ended = self.connection.poll_without_shutdown(cx);
        self.done = ended.is_ready();
        ended
    }
}

/// `Retry-After` in seconds, at most an hour. The form with a date is left to our own backoff: it would need the wall clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// Whether a page for people came instead of the venue's answer (a proxy or a shield in front of it).
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// Whether the token was refused.
pub(super) fn is_unauthorised(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}
