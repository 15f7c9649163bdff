//! The server itself: accepts, bounds, answers, stops.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    AdminConfig, AdminError, Body, CONNECTION_TIME_MAX, CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_FIELDS_MAX,
    HEAD_TIME_MAX, REQUESTS, Route, STREAMS_MAX, StatusSource,
    answer::{Stream, answer, json_answer, text_answer},
    check::{Refused, Rules},
    page,
};
use crate::{event::Failed, metrics::PROMETHEUS_TEXT, telemetry::Telemetry};

const OWN_PATHS: [&str; 5] = ["/", "/live", "/ready", "/metrics", "/status"];

/// After a failed accept, which is mostly a lack of file descriptors: time for some to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound server that does not answer yet.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
}

/// What answers need.
struct App {
    rules: Rules,
    telemetry: Telemetry,
    status: Arc<dyn StatusSource>,
    routes: BTreeMap<String, Arc<dyn Route>>,
    streams: Arc<Semaphore>,
}

/// Whether a connection became a stream; then it holds one of the permits for streams.
type Streaming = Arc<OnceLock<OwnedSemaphorePermit>>;

impl AdminServer {
    /// Takes the address. `/status` and `/` show what `status` gives; where it lacks `ready` and `reasons`, those
    /// of `telemetry` are put in.
    ///
    /// # Errors
    /// [`AdminError::TokenRequired`] before anything is opened, [`AdminError::Bind`].
    pub async fn bind(
        config: &AdminConfig,
        telemetry: &Telemetry,
        status: Arc<dyn StatusSource>,
    ) -> Result<Self, AdminError> {
        let address = config.listen;
        let loopback = address.ip().to_canonical().is_loopback();
        if !loopback && config.token.is_none() {
            return Err(AdminError::TokenRequired { address });
        }
        let failed = |source| AdminError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let app = App {
            rules: Rules { loopback, token: config.token.clone() },
            telemetry: telemetry.clone(),
            status,
            routes: BTreeMap::new(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        };
        Ok(Self { listener, address, app })
    }

    /// Answers `path`, exactly, with `route` too.
    ///
    /// # Errors
    /// [`AdminError::BadRoute`].
    pub fn route(mut self, path: &str, route: Arc<dyn Route>) -> Result<Self, AdminError> {
        let taken = OWN_PATHS.contains(&path) || self.app.routes.contains_key(path);
        if taken || !path.starts_with('/') {
            return Err(AdminError::BadRoute { path: path.to_owned() });
        }
        self.app.routes.insert(path.to_owned(), route);
        Ok(self)
    }

    /// Where it listens; the real port where the configured one was 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` resolves; then takes no more connections, ends streams, and lets answers that have
    /// begun finish for at most `grace`.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send, grace: Duration) {
        let Self { listener, app, .. } = self;
        let app = Arc::new(app);
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (stopping, is_stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            // Both are cancel-safe: a slot not taken stays free, a connection not accepted stays in the backlog.
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                biased;
                () = &mut stop => break,
                next = next => next,
            };
            while connections.try_join_next().is_some() {}
            match (slot, accepted) {
                (Ok(slot), Ok((socket, _))) => {
                    let (app, is_stopping) = (Arc::clone(&app), is_stopping.clone());
                    connections.spawn(async move {
                        connection(socket, app, is_stopping).await;
                        drop(slot);
                    });
                }
                (_, Err(error)) => {
                    app.telemetry.emit(&Failed { operation: "admin_accept", error: &error });
                    sleep(ACCEPT_PAUSE).await;
                }
                // The semaphore is never closed.
                (Err(_), Ok(_)) => break,
            }
        }
        drop(listener);
        stopping.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        // What is left after the grace is cut off with the set.
        let _ = timeout(grace, drained).await;
    }
}

async fn connection(socket: TcpStream, app: Arc<App>, mut is_stopping: watch::Receiver<bool>) {
    let streaming = Streaming::default();
    let service = {
        let streaming = Arc::clone(&streaming);
        service_fn(move |request: Request<hyper::body::Incoming>| {
            let (app, streaming) = (Arc::clone(&app), Arc::clone(&streaming));
            // A body is never read: the connection ends with the answer.
            async move { Ok::<_, Infallible>(app.answer(&request.map(drop), &streaming).await) }
        })
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEAD_FIELDS_MAX)
        .keep_alive(false);
    let mut serving = pin!(http.serve_connection(TokioIo::new(socket), service));
    let mut overdue = pin!(sleep(CONNECTION_TIME_MAX));
    let (mut limited, mut stopping) = (true, false);
    loop {
        // All of these live outside the loop, so none is cancelled by another.
        tokio::select! {
            biased;
            // How it ended is the client's affair.
            _ = &mut serving => return,
            () = &mut overdue, if limited => {
                if streaming.get().is_none() {
                    return;
                }
                limited = false;
            }
            // An error means that the server is gone: the same as stopping.
            _ = is_stopping.changed(), if !stopping => {
                if streaming.get().is_some() {
                    return;
                }
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

impl App {
    async fn answer(&self, request: &Request<()>, streaming: &Streaming) -> Response<Body> {
        let path = request.uri().path();
        let response = match self.rules.check(request) {
            Ok(()) => self.stream_bounded(self.routed(request).await, streaming),
            Err(Refused(status, why)) => text_answer(status, why),
        };
        let known = OWN_PATHS.contains(&path) || self.routes.contains_key(path);
        let route = if known { path } else { "other" };
        self.telemetry.metrics().get(&REQUESTS, [route, response.status().as_str()]).inc();
        response
    }

    async fn routed(&self, request: &Request<()>) -> Response<Body> {
        match request.uri().path() {
            "/live" => text_answer(StatusCode::OK, "live"),
            "/ready" => self.ready(),
            "/metrics" => answer(StatusCode::OK, PROMETHEUS_TEXT, self.telemetry.metrics().render()),
            "/status" => json_answer(StatusCode::OK, &self.status()),
            "/" => {
                let page = page::render(&self.status(), &self.telemetry.readiness().held());
                answer(StatusCode::OK, "text/html; charset=utf-8", page)
            }
            path => match self.routes.get(path) {
                Some(route) => route.answer(request).await,
                None => text_answer(StatusCode::NOT_FOUND, "there is nothing here"),
            },
        }
    }

    fn ready(&self) -> Response<Body> {
        let reasons = self.telemetry.readiness().held();
        let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json_answer(status, &json!({ "ready": reasons.is_empty(), "reasons": reasons }))
    }

    fn status(&self) -> Value {
        let mut status = self.status.status();
        if let Value::Object(fields) = &mut status {
            let reasons = self.telemetry.readiness().held();
            fields.entry("ready").or_insert_with(|| reasons.is_empty().into());
            fields.entry("reasons").or_insert_with(|| json!(reasons));
        }
        status
    }

    /// Lets a stream through while there is room for one.
    fn stream_bounded(&self, response: Response<Body>, streaming: &Streaming) -> Response<Body> {
        if response.extensions().get::<Stream>().is_none() {
            return response;
        }
        match Arc::clone(&self.streams).try_acquire_owned() {
            Ok(permit) => {
                // One request a connection, so it is set once.
                let _ = streaming.set(permit);
                response
            }
            Err(_) => text_answer(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open"),
        }
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("rules", &self.rules).field("routes", &self.routes.keys()).finish()
    }
}
