//! Asking a server for a WebSocket: done by hand over hyper, so that a refusal keeps its status and `Retry-After`, and so
//! that `Sec-WebSocket-Accept` is verified (fastwebsockets' own client does neither).
//!
//! Connecting and asking share the endpoint's one deadline. The token goes into the request and nowhere else: no error here
//! holds a URL, a request header or a byte of an answer's body.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::header::{
    CONNECTION, HOST, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use hyper::{Request, StatusCode};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::WebSocket;
use crate::io::clock::WallClock;
use crate::io::dial::{DialError, Dialer, Stage};
use crate::io::endpoint::Endpoint;
use crate::io::http::{self, ExchangeError, Http};
use crate::io::stream::Stream;

/// RFC 6455, 1.3.
const ACCEPT_GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// What we call ourselves.
pub(in crate::io) const AGENT: &str = concat!("hyperliquid-client/", env!("CARGO_PKG_VERSION"));

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not even a connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// 401 or 403: the token is missing, wrong or not allowed here. Asking again soon is of no use.
    #[error("{host} does not accept our credentials: status {status}")]
    Unauthorised {
        /// Who refused.
        host: String,
        /// 401 or 403.
        status: u16,
        /// A page for people, as a shield in front of the venue sends.
        html: bool,
        /// How long to stay away, if said in seconds; at most an hour.
        retry_after: Option<Duration>,
    },
    /// Any other answer than a switch of protocols: 429, 503, a page of a shield.
    #[error("{host} refuses the websocket: status {status}{}", if *html { ", a page for people" } else { "" })]
    Refused {
        /// Who refused.
        host: String,
        /// The HTTP status.
        status: u16,
        /// A page for people, as a shield in front of the venue sends.
        html: bool,
        /// How long to stay away, if said in seconds; at most an hour.
        retry_after: Option<Duration>,
    },
    /// The switch of protocols was answered against RFC 6455.
    #[error("{host} answered the websocket handshake wrongly: {rule}")]
    Handshake {
        /// Who answered.
        host: String,
        /// What was wrong.
        rule: &'static str,
    },
    /// The connection ended before a complete answer.
    #[error("{host} gave no complete answer to the websocket handshake")]
    Broken {
        /// Whom we asked.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ConnectError {
    /// How long the server asked us to stay away.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unauthorised { retry_after, .. } | Self::Refused { retry_after, .. } => *retry_after,
            Self::Dial(error) => error.retry_after(),
            Self::Handshake { .. } | Self::Broken { .. } => None,
        }
    }
}

/// Connects to an endpoint's WebSocket, within its [`connect_timeout`](Endpoint::connect_timeout).
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(
    endpoint: &Endpoint,
    dialer: &Dialer,
    clock: &WallClock,
) -> Result<WebSocket<Stream>, ConnectError> {
    let deadline = Instant::now() + endpoint.connect_timeout();
    let stream = dialer.dial(endpoint.ws(), deadline).await?;
    let (stream, already_read) = timeout_at(deadline, upgrade(stream, endpoint))
        .await
        .map_err(|_| DialError::Timeout { host: endpoint.ws().host().to_owned(), stage: Stage::Upgrade })??;
    Ok(WebSocket::new(stream, &already_read, endpoint.max_message_bytes(), clock.clone()))
}

/// Asks for the WebSocket on an open stream; returns it and what was read beyond the answer. Has no deadline of its own.
///
/// # Errors
/// Every [`ConnectError`] but `Dial`.
pub async fn upgrade<S>(stream: S, endpoint: &Endpoint) -> Result<(S, Bytes), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let host = || endpoint.ws().host().to_owned();
    let broken =
        |error: ExchangeError| ConnectError::Broken { host: host(), source: io::Error::other(error) };
    let key = fastwebsockets::handshake::generate_key();
    let request = request(endpoint, &key).map_err(|rule| ConnectError::Handshake { host: host(), rule })?;
    let mut http = Http::new(stream).await.map_err(broken)?;
    let answer = http.send(request).await.map_err(broken)?;
    let (status, headers) = (answer.status(), answer.headers());
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let (html, retry_after, code) = (http::is_html(headers), http::retry_after(headers), status.as_u16());
        return Err(if http::is_unauthorised(status) {
            ConnectError::Unauthorised { host: host(), status: code, html, retry_after }
        } else {
            ConnectError::Refused { host: host(), status: code, html, retry_after }
        });
    }
    verify(headers, &key).map_err(|rule| ConnectError::Handshake { host: host(), rule })?;
    drop(answer);
    http.into_stream().await.map_err(broken)
}

fn request(endpoint: &Endpoint, key: &str) -> Result<Request<http::Body>, &'static str> {
    let target = endpoint.ws();
    let mut request = Request::get(endpoint.auth().path_with_token(&target.path_and_query()))
        .header(HOST, target.authority())
        .header(USER_AGENT, AGENT)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_VERSION, "13")
        .body(http::Body::default())
        .map_err(|_| "the request cannot be written")?;
    if let Some((name, value)) = endpoint.auth_header() {
        request.headers_mut().insert(name.clone(), value.clone());
    }
    Ok(request)
}

/// RFC 6455, 4.1: what a client must check.
fn verify(headers: &HeaderMap, key: &str) -> Result<(), &'static str> {
    let has = |name: HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    if !has(UPGRADE, "websocket") {
        return Err("no upgrade to websocket");
    }
    if !has(CONNECTION, "upgrade") {
        return Err("no connection header for the upgrade");
    }
    let accept = BASE64.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize());
    match headers.get(SEC_WEBSOCKET_ACCEPT) {
        None => return Err("sec-websocket-accept is missing"),
        Some(given) if given.as_bytes().trim_ascii() != accept.as_bytes() => {
            return Err("sec-websocket-accept does not fit our key");
        }
        Some(_) => {}
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) || headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Err("an extension or protocol we did not offer");
    }
    Ok(())
}
