//! A raw, blocking WebSocket and HTTP client of a few lines: RFC 6455 by hand, so that the simulated venue is judged by
//! bytes and not by the library it is made with.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    reason = "test code: a panic is a failed test"
)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// No answer of a loopback venue takes so long; a test that waits it out has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// What the venue sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Got {
    /// A whole message and in how many frames it came.
    Text(Vec<u8>, usize),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// The stream ended without a close frame.
    Eof,
}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
}

fn tcp(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// TLS that trusts only `ca_pem`.
pub(crate) fn tls(addr: SocketAddr, ca_pem: &str, name: &str) -> io::Result<Box<dyn Stream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut tcp = tcp(addr);
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp)?;
    }
    Ok(Box::new(StreamOwned::new(connection, tcp)))
}

/// Reads up to the empty line; gives the status and the headers in lower case.
fn head(stream: &mut dyn Stream) -> Option<(u16, String)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Ok(_) => return None,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    Some((head.split(' ').nth(1)?.parse().unwrap(), head))
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::upgrade(Box::new(tcp(addr)), "/ws", "").unwrap_or_else(|status| panic!("{status:?}"))
    }

    /// The status of a refusal, or nothing where the connection was cut.
    pub(crate) fn upgrade(
        mut stream: Box<dyn Stream>,
        path: &str,
        header: &str,
    ) -> Result<Self, Option<u16>> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{header}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        match head(&mut *stream) {
            Some((101, head)) => {
                assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
                Ok(Self { stream })
            }
            Some((status, _)) => Err(Some(status)),
            None => Err(None),
        }
    }

    pub(crate) fn try_connect(addr: SocketAddr) -> Result<Self, Option<u16>> {
        Self::upgrade(Box::new(tcp(addr)), "/ws", "")
    }

    pub(crate) fn with_header(addr: SocketAddr, path: &str, header: &str) -> Result<Self, Option<u16>> {
        Self::upgrade(Box::new(tcp(addr)), path, header)
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.frame(0x1, text.as_bytes());
    }

    pub(crate) fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            n @ 0..126 => bytes.push(0x80 | n as u8),
            n => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        self.stream.write_all(&bytes).unwrap();
    }

    pub(crate) fn subscribe(&mut self, kind: &str, user: &str) {
        self.send(&format!(r#"{{"method":"subscribe","subscription":{{"type":"{kind}","user":"{user}"}}}}"#));
    }

    /// The next message or control frame.
    pub(crate) fn next(&mut self) -> Got {
        let (mut message, mut frames) = (Vec::new(), 0);
        loop {
            let Some((fin, opcode, payload)) = self.read_frame() else { return Got::Eof };
            match opcode {
                0x8 => {
                    let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    let reason = payload.get(2..).unwrap_or_default();
                    return Got::Close(code, String::from_utf8_lossy(reason).into_owned());
                }
                0x9 => return Got::Ping(payload),
                0xA => return Got::Pong(payload),
                _ => {
                    message.extend_from_slice(&payload);
                    frames += 1;
                    if fin {
                        return Got::Text(message, frames);
                    }
                }
            }
        }
    }

    fn read_frame(&mut self) -> Option<(bool, u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.exact(&mut head)?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => {
                let mut bytes = [0; 2];
                self.exact(&mut bytes)?;
                usize::from(u16::from_be_bytes(bytes))
            }
            127 => {
                let mut bytes = [0; 8];
                self.exact(&mut bytes)?;
                u64::from_be_bytes(bytes) as usize
            }
            n => usize::from(n),
        };
        let mut payload = vec![0; length];
        self.exact(&mut payload)?;
        Some((head[0] & 0x80 != 0, head[0] & 0x0F, payload))
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) =>
            {
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message as JSON.
    pub(crate) fn json(&mut self) -> Value {
        match self.next() {
            Got::Text(text, _) => serde_json::from_slice(&text).unwrap(),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The next message on `channel`; others are passed over.
    pub(crate) fn on(&mut self, channel: &str) -> Value {
        loop {
            let frame = self.json();
            if frame["channel"] == channel {
                return frame;
            }
        }
    }
}

/// One HTTP request over a connection of its own: status, headers, and what could be read of the body.
pub(crate) fn http(mut stream: Box<dyn Stream>, request: &str) -> Option<(u16, String, Vec<u8>)> {
    stream.write_all(request.as_bytes()).unwrap();
    let (status, head) = head(&mut *stream)?;
    let mut body = Vec::new();
    let _ = stream.read_to_end(&mut body); // a broken connection is what some tests want to see
    Some((status, head, body))
}

/// A POST to `/info`.
pub(crate) fn info(addr: SocketAddr, body: &str) -> Option<(u16, String, Vec<u8>)> {
    http(Box::new(tcp(addr)), &post("/info", "", body))
}

pub(crate) fn post(path: &str, header: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\nContent-Type: application/json\r\n{header}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn raw(addr: SocketAddr) -> Box<dyn Stream> {
    Box::new(tcp(addr))
}
