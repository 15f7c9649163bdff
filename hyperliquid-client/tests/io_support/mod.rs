//! Scripted servers on loopback: real sockets, answers written by hand.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use hyperliquid_client::auth::{Auth, SecretRef};
use hyperliquid_client::io::{Dns, Endpoint, EndpointConfig, WallClock};
use sha1::Digest as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A token nobody may ever see.
pub(crate) const TOKEN: &str = "hunter2/secret token";

/// A listening socket on a free port of loopback.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// An endpoint with short waits.
pub(crate) fn config(ws_url: String) -> EndpointConfig {
    EndpointConfig {
        connect_timeout: Duration::from_secs(5),
        info_timeout: Duration::from_secs(5),
        ..EndpointConfig::new("test", ws_url)
    }
}

pub(crate) fn endpoint(config: EndpointConfig) -> Endpoint {
    Endpoint::new(config).expect("a sound configuration")
}

/// Any name leads to this port of loopback.
pub(crate) fn names_lead_to(address: SocketAddr) -> Dns {
    Dns::with_lookup(move |_, _| Ok(vec![address]))
}

pub(crate) fn clock() -> WallClock {
    WallClock::new(|| 7)
}

pub(crate) fn header_token() -> Auth {
    Auth::Header { name: "x-api-key".into(), secret: SecretRef::new("env:TOKEN", TOKEN).expect("a secret") }
}

pub(crate) fn query_token() -> Auth {
    Auth::Query { name: "token".into(), secret: SecretRef::new("env:TOKEN", TOKEN).expect("a secret") }
}

/// Everything an error shows, in every form it may reach a log.
pub(crate) fn everything_shown(error: &dyn Error) -> String {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(shown, " {error} {error:?}").expect("a string takes it");
        source = error.source();
    }
    shown
}

pub(crate) fn assert_no_token(shown: &str) {
    for part in ["hunter2", "secret token", "secret%20token"] {
        assert!(!shown.contains(part), "the token shows: {shown}");
    }
}

/// The head of a request, up to and with the empty line.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    String::from_utf8(head).expect("ascii")
}

/// The value of a header in a request's head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// The right answer to a WebSocket request, with more headers if wanted.
pub(crate) fn switching(head: &str, more: &str) -> String {
    let key = header(head, "sec-websocket-key").expect("a key");
    let digest =
        sha1::Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    let accept = base64::engine::general_purpose::STANDARD.encode(digest);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// Accepts one connection.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a connection").0
}

/// Accepts a connection, reads the request's head and answers; the head and the open connection come back.
pub(crate) async fn answer<A: Into<Vec<u8>>>(
    listener: &TcpListener,
    answer: impl FnOnce(&str) -> A,
) -> (String, TcpStream) {
    let mut stream = accept(listener).await;
    let head = answer_on(&mut stream, answer).await;
    (head, stream)
}

/// The same on an open connection.
pub(crate) async fn answer_on<A: Into<Vec<u8>>>(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    answer: impl FnOnce(&str) -> A,
) -> String {
    let head = read_head(stream).await;
    let length = header(&head, "content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("the body");
    stream.write_all(&answer(&head).into()).await.expect("written");
    stream.flush().await.expect("flushed");
    head + std::str::from_utf8(&body).expect("json")
}

/// An authority and a certificate it gave out.
pub(crate) struct Certificates {
    pub(crate) authority_pem: String,
    pub(crate) acceptor: tokio_rustls::TlsAcceptor,
}

/// A certificate for `name`, valid or long expired.
pub(crate) fn certificates(name: &str, expired: bool) -> Certificates {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let authority_cert = authority.self_signed(&authority_key).expect("signed");
    let issuer = rcgen::Issuer::from_params(&authority, &authority_key);

    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    if expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = rcgen::KeyPair::generate().expect("a key");
    let cert = params.signed_by(&key, &issuer).expect("signed");

    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .expect("a certificate");
    Certificates { authority_pem: authority_cert.pem(), acceptor: Arc::new(config).into() }
}
