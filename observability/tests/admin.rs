//! The admin server over real loopback sockets, spoken to in plain HTTP text.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod prometheus;

use std::{net::SocketAddr, pin::Pin, sync::Arc, task, time::Duration};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use observability::{
    Telemetry,
    admin::{
        AdminConfig, AdminError, AdminServer, Answering, CONNECTIONS_MAX, Request, Route, STREAMS_MAX,
        StatusCode, Token, stream_answer, text_answer,
    },
    event::Dropped,
    metrics::{Counter, Definition, Gauge, Histogram, Unit},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

static ODD: Definition<Counter, 1> =
    Definition::counter("ingestion_odd_total", "With \\ and \"quotes\".", ["text"]);
static LAG: Definition<Histogram, 1> =
    Definition::histogram("ingestion_lag_seconds", "Lag.", &[0.005, 0.5, 10.0], ["listener"])
        .unit(Unit::Seconds);
static FULL: Definition<Gauge, 0> = Definition::gauge("ingestion_full_ratio", "Full.", []).unit(Unit::Ratio);

const TOKEN: &str = "0123456789abcdef0123";
const LOOPBACK: &str = "127.0.0.1:0";
const GRACE: Duration = Duration::from_secs(5);

struct Running {
    address: SocketAddr,
    telemetry: Telemetry,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

struct Echo;

impl Route for Echo {
    fn answer<'a>(&'a self, request: &'a Request<()>) -> Answering<'a> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        Box::pin(async move { text_answer(StatusCode::OK, &query) })
    }
}

/// A stream that says hello and then nothing, for ever.
struct Endless;

struct Hello(Option<Bytes>);

impl Body for Hello {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.take().map_or(task::Poll::Pending, |hello| task::Poll::Ready(Some(Ok(Frame::data(hello)))))
    }
}

impl Route for Endless {
    fn answer<'a>(&'a self, _: &'a Request<()>) -> Answering<'a> {
        let hello = Hello(Some(Bytes::from_static(b"data: hello\n\n")));
        Box::pin(async move { stream_answer("text/event-stream", hello) })
    }
}

impl Running {
    async fn start(listen: &str, token: Option<&str>) -> Self {
        let telemetry = Telemetry::new(&[ODD.family(), LAG.family(), FULL.family()]).unwrap();
        let token = token.map(|text| Token::new(text).unwrap());
        let config = AdminConfig { listen: listen.parse().unwrap(), token };
        let status = || json!({ "version": "<1>" });
        let server = AdminServer::bind(&config, &telemetry, Arc::new(status)).await.unwrap();
        let server = server.route("/echo", Arc::new(Echo)).unwrap();
        let server = server.route("/stream", Arc::new(Endless)).unwrap();
        let port = server.local_addr().port();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(async { stopped.await.unwrap_or(()) }, GRACE));
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), telemetry, stop, serving }
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    }

    async fn ask(&self, request: &str) -> Answer {
        let mut socket = self.send(request).await;
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        Answer::parse(&text)
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address)).await
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[tokio::test]
async fn live_and_ready_answer_probes() {
    let server = Running::start(LOOPBACK, None).await;
    assert_eq!(server.get("/live").await.status, 200);
    let latch = server.telemetry.readiness().latch("journal");
    let held = server.get("/ready").await;
    assert_eq!(held.status, 503);
    let reasons = json!([{ "name": "journal", "reason": "starting" }]);
    assert_eq!(held.json(), json!({ "ready": false, "reasons": reasons }));
    latch.release();
    assert_eq!(server.get("/ready").await.status, 200);
    latch.hold("disk full");
    assert_eq!(server.get("/ready").await.json()["reasons"][0]["reason"], "disk full");
    assert_eq!(server.get("/status").await.json()["ready"], false);
}

#[tokio::test]
async fn metrics_are_strict_prometheus_text() {
    let server = Running::start(LOOPBACK, None).await;
    let metrics = server.telemetry.metrics();
    let odd = "a\\b\"c\nd,e}=é";
    metrics.get(&ODD, [odd]).add(7);
    metrics.get(&FULL, []).set(f64::NAN);
    for value in [0.001, 0.3, 99.0] {
        metrics.get(&LAG, ["a"]).observe(value);
    }
    server.telemetry.emit(&Dropped { what: "fill", reason: "test", count: 2, detail: "" });
    assert_eq!(server.get("/live").await.status, 200);
    let answer = server.get("/metrics").await;
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let families = prometheus::parse(&answer.body).unwrap();
    let value = |name: &str, labels: &[(&str, &str)]| {
        prometheus::value(&families, name, labels).unwrap_or_else(|| panic!("{name} {labels:?} is missing"))
    };
    assert_eq!(value("ingestion_odd_total", &[("text", odd)]), 7.0);
    assert_eq!(value("ingestion_lag_seconds_bucket", &[("listener", "a"), ("le", "0.5")]), 2.0);
    assert_eq!(value("ingestion_lag_seconds_count", &[("listener", "a")]), 3.0);
    assert_eq!(value("ingestion_dropped_total", &[("what", "fill"), ("reason", "test")]), 2.0);
    assert_eq!(value("ingestion_ready", &[]), 1.0);
    assert!(value("ingestion_full_ratio", &[]).is_nan());
    assert_eq!(value("ingestion_admin_requests_total", &[("route", "/live"), ("code", "200")]), 1.0);
    assert_eq!(families["ingestion_odd_total"].help, "With \\ and \"quotes\".");
}

#[tokio::test]
async fn status_and_page_show_the_service() {
    let server = Running::start(LOOPBACK, None).await;
    let status = server.get("/status").await;
    assert_eq!(status.json(), json!({ "version": "<1>", "ready": true, "reasons": [] }));
    let page = server.get("/").await;
    assert!(page.head.contains("text/html") && page.body.contains("&lt;1&gt;"), "{}", page.body);
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
    let head = server.ask("HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(server.get("/echo?a=1").await.body, "a=1\n");
    assert_eq!(server.get("/nothing").await.status, 404);
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let server = Running::start(LOOPBACK, None).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let request =
            format!("{method} /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
        let answer = server.ask(&request).await;
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get, head"));
    }
}

#[tokio::test]
async fn a_lured_browser_reads_nothing() {
    let server = Running::start(LOOPBACK, None).await;
    let port = server.address.port();
    let good = format!("Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n");
    let bad = [
        "Host: evil.example\r\n".to_owned(),
        "Host: 127.0.0.1.evil.example\r\n".to_owned(),
        String::new(),
        "Host: localhost\r\nHost: evil.example\r\n".to_owned(),
        "Host: localhost\r\nOrigin: http://evil.example\r\n".to_owned(),
        "Host: localhost\r\nOrigin: null\r\n".to_owned(),
        format!("Host: localhost:{port}\r\nOrigin: http://localhost:1\r\n"),
        format!("Host: localhost:{port}\r\nOrigin: https://localhost:{port}\r\n"),
    ];
    for path in ["/", "/status", "/metrics", "/live", "/ready", "/echo"] {
        let ask = |headers: &str| format!("GET {path} HTTP/1.1\r\n{headers}\r\n");
        assert_eq!(server.ask(&ask(&good)).await.status, 200, "{path}");
        for headers in &bad {
            assert_eq!(server.ask(&ask(headers)).await.status, 403, "{path} with {headers:?}");
        }
    }
}

#[tokio::test]
async fn off_loopback_the_token_is_needed_but_for_probes() {
    let server = Running::start("0.0.0.0:0", Some(TOKEN)).await;
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in ["/", "/status", "/echo", "/nothing"] {
        let ask = |token: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: service.example\r\nAuthorization: Bearer {token}\r\n\r\n")
        };
        let without = server.get(path).await;
        assert_eq!(without.status, 401, "{path}");
        assert!(without.head.contains("www-authenticate: bearer"));
        assert_eq!(server.ask(&ask("0123456789abcdef0124")).await.status, 401, "{path}");
        let with = server.ask(&ask(TOKEN)).await.status;
        assert_eq!(with, if path == "/nothing" { 404 } else { 200 }, "{path}");
    }
}

#[tokio::test]
async fn a_start_that_cannot_be_safe_is_refused() {
    let telemetry = Telemetry::new(&[]).unwrap();
    let status = || json!({});
    let open = AdminConfig { listen: "0.0.0.0:0".parse().unwrap(), token: None };
    let refused = AdminServer::bind(&open, &telemetry, Arc::new(status)).await.unwrap_err();
    assert!(matches!(refused, AdminError::TokenRequired { .. }));
    let taken = TcpListener::bind(LOOPBACK).await.unwrap().local_addr().unwrap();
    let holder = TcpListener::bind(taken).await.unwrap();
    let config = AdminConfig { listen: holder.local_addr().unwrap(), token: None };
    let refused = AdminServer::bind(&config, &telemetry, Arc::new(status)).await.unwrap_err();
    assert!(refused.is_in_use());
    assert_eq!(refused.to_string(), format!("cannot listen on {taken}"));
    let free = AdminConfig { listen: LOOPBACK.parse().unwrap(), token: None };
    let server = AdminServer::bind(&free, &telemetry, Arc::new(status)).await.unwrap();
    let refused = server.route("/status", Arc::new(Echo)).unwrap_err();
    assert!(matches!(refused, AdminError::BadRoute { .. }));
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let server = Running::start(LOOPBACK, None).await;
    let fields = "X-Filler: 1\r\n".repeat(65);
    assert_eq!(server.ask(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")).await.status, 431);
    let mut socket = server.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Filler: ").await;
    let filler = vec![b'a'; 64 * 1024];
    // The server may hang up before it has taken all of it.
    let _ = socket.write_all(&filler).await;
    let mut text = Vec::new();
    let _ = socket.read_to_end(&mut text).await;
    assert!(!text.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&text));
    assert_eq!(server.get("/live").await.status, 200);
}

/// Once paused, the clock jumps to the next timer whenever everybody waits, so silence costs no time here.
#[tokio::test]
async fn silent_clients_are_cut_off_and_block_nobody_for_long() {
    let server = Running::start(LOOPBACK, None).await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(server.send("GET / HTTP/1.1\r\nHost: loc").await);
    }
    // Waits for a slot, which the first of them gives up when its time is over.
    let mut patient = server.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    tokio::time::pause();
    let mut text = String::new();
    patient.read_to_string(&mut text).await.unwrap();
    assert_eq!(Answer::parse(&text).status, 200);
    for mut socket in silent {
        let mut text = Vec::new();
        // Closed or reset; a hang would end the test run.
        let _ = socket.read_to_end(&mut text).await;
        assert!(!text.starts_with(b"HTTP/1.1 200"));
    }
}

async fn hello(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.contains("hello") && !text.contains("too many") {
        let n = socket.read(&mut buffer).await.unwrap();
        assert!(n > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    text
}

const STREAM: &str = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn streams_are_bounded_and_leave_room_for_probes() {
    let server = Running::start(LOOPBACK, None).await;
    let mut open = Vec::new();
    for _ in 0..STREAMS_MAX {
        let mut socket = server.send(STREAM).await;
        assert!(hello(&mut socket).await.starts_with("HTTP/1.1 200"));
        open.push(socket);
    }
    assert!(hello(&mut server.send(STREAM).await).await.starts_with("HTTP/1.1 503"));
    assert_eq!(server.get("/live").await.status, 200);
}

#[tokio::test]
async fn a_stream_outlives_the_limit_of_other_connections() {
    let server = Running::start(LOOPBACK, None).await;
    let mut socket = server.send(STREAM).await;
    hello(&mut socket).await;
    tokio::time::pause();
    let mut byte = [0; 1];
    let quiet = tokio::time::timeout(Duration::from_secs(3_600), socket.read(&mut byte)).await;
    assert!(quiet.is_err(), "an hour passed and the stream is open: {quiet:?}");
}

#[tokio::test]
async fn stopping_ends_streams_and_frees_the_port() {
    let server = Running::start(LOOPBACK, None).await;
    let mut socket = server.send(STREAM).await;
    hello(&mut socket).await;
    server.stop.send(()).unwrap();
    server.serving.await.unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    assert!(TcpStream::connect(server.address).await.is_err());
    TcpListener::bind(server.address).await.unwrap();
}
