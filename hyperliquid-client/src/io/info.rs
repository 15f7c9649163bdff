//! The info API over HTTP: one question at a time on one kept connection.
//!
//! A question is asked once: nothing here repeats it, because each one costs weight that the caller has charged before. (A kept
//! connection that the server has closed meanwhile is noticed before the question is sent, and replaced.)
//! Each question has one deadline, connecting included; an answer is bounded in bytes. Clients may share turns for large answers
//! ([`InfoClient::with_turns`]); a turn waited for does not count. Dropping the future gives the connection up. The bytes come back as they are; [`crate::info`] and [`crate::decode`] read them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::clock::{Received, WallClock};
use super::dial::{DialError, Dialer};
use super::endpoint::Endpoint;
use super::http::{self, Body, ExchangeError, Http};
use super::stream::Stream;
use super::websocket::AGENT;
use crate::info::InfoRequest;

/// A kept connection older than this is not used again; servers close idle ones after about a minute.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A page of history is smaller.
const PAGE_BYTES: usize = 1 << 20;

/// An answer said to be larger waits for its turn, and one that does not say.
const SMALL_BYTES: u64 = 64 << 10;

/// An answer with status 200.
#[derive(Clone, Debug)]
pub struct InfoAnswer {
    /// The venue's bytes, untouched.
    pub body: Vec<u8>,
    /// When the question was sent; every row up to the venue's index lag before it can be in the answer.
    pub asked_at: Received,
    /// When the answer was complete.
    pub received: Received,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum InfoError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// No complete answer in time.
    #[error("no answer from {host} to {kind} within {within:?}")]
    Timeout {
        /// Whom we asked.
        host: String,
        /// What we asked.
        kind: &'static str,
        /// The time it had.
        within: Duration,
    },
    /// 401 or 403.
    #[error("{host} does not accept our credentials for {kind}: status {status}")]
    Unauthorised {
        /// Whom we asked.
        host: String,
        /// What we asked.
        kind: &'static str,
        /// 401 or 403.
        status: u16,
        /// How long to stay away, if said in seconds; at most an hour.
        retry_after: Option<Duration>,
    },
    /// Any other status than 200: 429 (over weight), 422 (the body cannot be read), 5xx; or a page for people.
    #[error("{host} answers {kind} with status {status}{}", if *html { ", a page for people" } else { "" })]
    Status {
        /// Whom we asked.
        host: String,
        /// What we asked.
        kind: &'static str,
        /// The HTTP status.
        status: u16,
        /// A page for people, as a shield in front of the venue sends.
        html: bool,
        /// How long to stay away, if said in seconds; at most an hour.
        retry_after: Option<Duration>,
    },
    /// More bytes than the endpoint's `max_answer_bytes`.
    #[error("answer of {host} to {kind} is larger than {max_bytes} bytes")]
    TooLarge {
        /// Whom we asked.
        host: String,
        /// What we asked.
        kind: &'static str,
        /// The bound.
        max_bytes: usize,
    },
    /// The connection ended before a complete answer, or the answer was not HTTP.
    #[error("{host} gave no complete answer to {kind}")]
    Broken {
        /// Whom we asked.
        host: String,
        /// What we asked.
        kind: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What to do after an [`InfoError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AskAgain {
    /// With backoff.
    Later,
    /// Not before this time has passed (an answer with `Retry-After`).
    After(Duration),
    /// Rarely (a minute apart): a person must act, on the token or a certificate.
    Rarely,
    /// The same question will never be answered.
    Never,
}

impl InfoError {
    /// Whether and when the same question may be asked again.
    #[must_use]
    pub const fn ask_again(&self) -> AskAgain {
        match self {
            Self::Unauthorised { .. } => AskAgain::Rarely,
            Self::Dial(error) if error.wants_a_person() => AskAgain::Rarely,
            Self::Status { retry_after: Some(wait), .. } => AskAgain::After(*wait),
            Self::Status { status: 400 | 404 | 405 | 413 | 415 | 422, html: false, .. }
            | Self::TooLarge { .. } => AskAgain::Never,
            Self::Dial(error) => match error.retry_after() {
                Some(wait) => AskAgain::After(wait),
                None => AskAgain::Later,
            },
            Self::Timeout { .. } | Self::Status { .. } | Self::Broken { .. } => AskAgain::Later,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct InfoClient {
    endpoint: Endpoint,
    dialer: Dialer,
    clock: WallClock,
    idle: Option<Idle>,
    turns: Option<Arc<Semaphore>>,
}

struct Idle {
    http: Http<Stream>,
    since: Instant,
}

impl InfoClient {
    /// A client; it connects when first asked.
    #[must_use]
    pub const fn new(endpoint: Endpoint, dialer: Dialer, clock: WallClock) -> Self {
        Self { endpoint, dialer, clock, idle: None, turns: None }
    }

    /// Large answers are read in turn with all other clients that share these: as many at once as there are permits. A turn ends
    /// with its answer's deadline at the latest, so one that trickles in holds up the others no longer.
    #[must_use]
    pub fn with_turns(self, turns: Arc<Semaphore>) -> Self {
        Self { turns: Some(turns), ..self }
    }

    /// The endpoint it asks.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks once. The caller has charged [`InfoRequest::cost`] before.
    ///
    /// # Errors
    /// [`InfoError`], at the latest after the endpoint's [`info_timeout`](Endpoint::info_timeout) and the wait for a turn.
    pub async fn ask(&mut self, request: &InfoRequest) -> Result<InfoAnswer, InfoError> {
        let within = self.endpoint.info_timeout();
        let deadline = Instant::now() + within;
        let (host, kind) = (self.endpoint.info().host().to_owned(), request.kind());
        let late = |_| InfoError::Timeout { host: host.clone(), kind, within };
        let (http, answer, asked_at) =
            timeout_at(deadline, self.send(request, deadline)).await.map_err(late)??;
        let left = deadline.saturating_duration_since(Instant::now());
        let is_large = answer.body().size_hint().exact().is_none_or(|bytes| bytes > SMALL_BYTES);
        let turns = self.turns.clone().filter(|_| is_large);
        let _turn = match turns {
            Some(turns) => turns.acquire_owned().await.ok(),
            None => None,
        };
        let body = timeout(left, self.read(http, answer, kind)).await.map_err(late)??;
        Ok(InfoAnswer { body, asked_at, received: self.clock.received() })
    }

    /// Up to the head of the answer.
    async fn send(
        &mut self,
        request: &InfoRequest,
        deadline: Instant,
    ) -> Result<(Http<Stream>, Response<Incoming>, Received), InfoError> {
        let kind = request.kind();
        let mut http = match self.take_idle().await {
            Some(http) => http,
            None => {
                let by = deadline.min(Instant::now() + self.endpoint.connect_timeout());
                let stream = self.dialer.dial(self.endpoint.info(), by).await?;
                Http::new(stream).await.map_err(|error| self.broken(kind, error))?
            }
        };
        let post = self.post(request).map_err(|error| InfoError::Broken {
            host: self.endpoint.info().host().to_owned(),
            kind,
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        })?;
        let asked_at = self.clock.received();
        let answer = http.send(post).await.map_err(|error| self.broken(kind, error))?;
        self.check(&answer, kind)?;
        Ok((http, answer, asked_at))
    }

    /// The rest of the answer.
    async fn read(
        &mut self,
        mut http: Http<Stream>,
        answer: Response<Incoming>,
        kind: &'static str,
    ) -> Result<Vec<u8>, InfoError> {
        let max_bytes = self.endpoint.max_answer_bytes();
        match read_body(&mut http, answer.into_body(), max_bytes).await {
            Ok(Some(body)) => {
                self.idle = Some(Idle { http, since: Instant::now() });
                Ok(body)
            }
            Ok(None) => {
                Err(InfoError::TooLarge { host: self.endpoint.info().host().to_owned(), kind, max_bytes })
            }
            Err(error) => Err(self.broken(kind, error)),
        }
    }

    fn broken(&self, kind: &'static str, error: ExchangeError) -> InfoError {
        let host = self.endpoint.info().host().to_owned();
        InfoError::Broken { host, kind, source: io::Error::other(error) }
    }

    async fn take_idle(&mut self) -> Option<Http<Stream>> {
        let Idle { mut http, since } = self.idle.take()?;
        // Lets the runtime look at its sockets: a close that came meanwhile must be seen before the question is sent.
        tokio::task::yield_now().await;
        (since.elapsed() < IDLE_MAX && http.is_open().await).then_some(http)
    }

    fn post(&self, request: &InfoRequest) -> hyper::http::Result<Request<Body>> {
        let target = self.endpoint.info();
        let mut post = Request::post(self.endpoint.auth().path_with_token(&target.path_and_query()))
            .header(HOST, target.authority())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(request.body()))?;
        if let Some((name, value)) = self.endpoint.auth_header() {
            post.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(post)
    }

    fn check(&self, answer: &Response<Incoming>, kind: &'static str) -> Result<(), InfoError> {
        let (status, headers) = (answer.status(), answer.headers());
        let (html, retry_after) = (http::is_html(headers), http::retry_after(headers));
        let host = || self.endpoint.info().host().to_owned();
        if http::is_unauthorised(status) {
            return Err(InfoError::Unauthorised { host: host(), kind, status: status.as_u16(), retry_after });
        }
        if status != StatusCode::OK || html {
            return Err(InfoError::Status { host: host(), kind, status: status.as_u16(), html, retry_after });
        }
        Ok(())
    }
}

/// The whole body; `None` when it is, or says it will be, larger than `max_bytes`.
async fn read_body(
    http: &mut Http<Stream>,
    mut body: Incoming,
    max_bytes: usize,
) -> Result<Option<Vec<u8>>, ExchangeError> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > max_bytes) {
        return Ok(None);
    }
    // Not more at once than most pages are: what is announced need not come.
    let mut bytes =
        Vec::with_capacity(usize::try_from(announced).map_or(0, |announced| announced.min(PAGE_BYTES)));
    loop {
        let frame = std::pin::pin!(body.frame());
        match http.drive(frame).await? {
            None => return Ok(Some(bytes)),
            Some(Err(error)) => return Err(ExchangeError::of(error)),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() + data.len() > max_bytes {
                    return Ok(None);
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").field("since", &self.since).finish_non_exhaustive()
    }
}
