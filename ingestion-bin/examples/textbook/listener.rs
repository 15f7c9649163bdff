//! One connection: subscribes to every account, and takes what comes.

use std::future::Future;
use std::io::Write;
use std::time::Instant;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tracing::warn;

use super::venue::{Envelope, UserFills};
use super::{Failure, Shared};

/// Until the connection ends; `subscribed` is told once every account is acknowledged.
pub(crate) async fn listen(
    address: &str,
    shared: &Shared,
    subscribed: &mpsc::Sender<()>,
) -> Result<(), Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = Request::get("/ws")
        .header(HOST, address)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (socket, _) = handshake::client(&Spawn, request, stream).await?;
    let mut socket = FragmentCollector::new(socket);
    for user in &shared.users {
        let text =
            format!(r#"{{"method":"subscribe","subscription":{{"type":"userFills","user":"{user}"}}}}"#);
        socket.write_frame(Frame::text(Payload::Owned(text.into_bytes()))).await?;
    }
    let mut wanted = shared.users.len();
    loop {
        let frame = socket.read_frame().await?;
        let received = Instant::now();
        match frame.opcode {
            OpCode::Text => {
                if let Ok(mut log) = shared.log.lock() {
                    log.write_all(&frame.payload)?;
                    log.write_all(b"\n")?;
                }
                match take(&frame.payload, received, shared).await {
                    Ok(true) => {
                        wanted -= 1;
                        if wanted == 0 {
                            subscribed.send(()).await?;
                        }
                    }
                    Ok(false) => {}
                    Err(error) => warn!(error, "a frame that cannot be read"),
                }
            }
            OpCode::Close => return Ok(()),
            OpCode::Binary | OpCode::Ping | OpCode::Pong | OpCode::Continuation => {}
        }
    }
}

/// True for the acknowledgement of a subscription.
async fn take(frame: &[u8], received: Instant, shared: &Shared) -> Result<bool, Failure> {
    let envelope: Envelope<'_> = serde_json::from_slice(frame)?;
    match (envelope.channel.as_str(), envelope.data) {
        ("subscriptionResponse", _) => return Ok(true),
        ("userFills", Some(data)) => {
            let push: UserFills = serde_json::from_str(data.get())?;
            let signals = {
                let mut chain = shared.chain.lock().map_err(|error| error.to_string())?;
                chain.take(push)?
            };
            for signal in signals {
                shared.signals.send((signal, received)).await?;
            }
        }
        _ => {}
    }
    Ok(false)
}

/// Ties hyper to tokio.
struct Spawn;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}
