//! One WebSocket: its reader feeds the venue, its writer empties the queue. Neither decides anything.
//! The reader is never dropped inside a frame except when the socket ends.

use std::sync::Arc;
use std::time::Duration;

use fastwebsockets::{
    FragmentCollectorRead, Frame, OpCode, Payload, WebSocket, WebSocketError, WebSocketWrite,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::venue::{ConnId, Out};
use super::shared::{NewLine, Shared};

/// The longest message a client may send.
const MESSAGE_MAX: usize = 1 << 20;
/// After a close frame the other side has this long to answer.
const LINGER: Duration = Duration::from_secs(1);

/// Serves one socket until it ends.
pub(super) async fn serve(shared: Arc<Shared>, line: NewLine, mut socket: WebSocket<TokioIo<Upgraded>>) {
    let NewLine { id, mut frames, kill } = line;
    socket.set_auto_close(false);
    socket.set_auto_pong(false);
    socket.set_max_message_size(MESSAGE_MAX);
    let (read, write) = socket.split(tokio::io::split);
    {
        let reader = read_all(&shared, id, FragmentCollectorRead::new(read));
        let writer = write_all(&shared, &mut frames, write);
        tokio::pin!(reader, writer);
        tokio::select! {
            biased;
            () = kill.notified() => {}
            sent_close = &mut writer => {
                if sent_close {
                    let _ = timeout(LINGER, &mut reader).await; // whatever still comes is of no interest
                }
            }
            peer_closed = &mut reader => {
                if peer_closed {
                    let _ = timeout(LINGER, &mut writer).await; // our close frame is on its way
                }
            }
        }
    }
    shared.close_line(id);
}

/// True when the peer sent a close frame, which is answered.
async fn read_all<R>(shared: &Shared, id: ConnId, mut read: FragmentCollectorRead<R>) -> bool
where
    R: AsyncRead + Unpin,
{
    loop {
        let mut no_replies = |_: Frame<'_>| async { Ok::<(), WebSocketError>(()) };
        let Ok(frame) = read.read_frame(&mut no_replies).await else { return false };
        match frame.opcode {
            OpCode::Text => {
                let text = String::from_utf8_lossy(&frame.payload);
                shared.with(|venue, now| venue.receive(id, &text, now));
                shared.count_subscriptions();
            }
            OpCode::Ping => shared.with(|venue, now| venue.pinged(id, frame.payload.to_vec(), now)),
            OpCode::Close => {
                shared.with(|venue, now| venue.close(id, Out::Close(1000, ""), now));
                return true;
            }
            OpCode::Binary | OpCode::Pong | OpCode::Continuation => {}
        }
    }
}

/// True when it ended with a close frame.
async fn write_all<W>(shared: &Shared, frames: &mut mpsc::Receiver<Out>, mut write: WebSocketWrite<W>) -> bool
where
    W: AsyncWrite + Unpin,
{
    while let Some(out) = frames.recv().await {
        shared.room.notify_one();
        let closes = matches!(out, Out::Close(..));
        let written = send(&mut write, out).await;
        let flushed = if frames.is_empty() || closes { write.flush().await } else { Ok(()) };
        if written.is_err() || flushed.is_err() {
            return false;
        }
        if closes {
            return true;
        }
    }
    false
}

async fn send<W: AsyncWrite + Unpin>(write: &mut WebSocketWrite<W>, out: Out) -> Result<(), WebSocketError> {
    match out {
        Out::Text(text) => write.write_frame(Frame::text(Payload::Borrowed(text.as_bytes()))).await,
        Out::Bytes(bytes) => write.write_frame(Frame::text(Payload::Borrowed(&bytes))).await,
        Out::Fragments(text) => {
            let last = text.len().saturating_sub(1);
            for (at, byte) in text.bytes().enumerate() {
                let opcode = if at == 0 { OpCode::Text } else { OpCode::Continuation };
                write.write_frame(Frame::new(at == last, opcode, None, Payload::Owned(vec![byte]))).await?;
            }
            Ok(())
        }
        Out::Pings(n) => {
            for _ in 0..n {
                write.write_frame(Frame::new(true, OpCode::Ping, None, Payload::Borrowed(b"flood"))).await?;
            }
            Ok(())
        }
        Out::Pong(payload) => write.write_frame(Frame::pong(Payload::Owned(payload))).await,
        Out::Close(code, reason) => write.write_frame(Frame::close(code, reason.as_bytes())).await,
        Out::Abort => Ok(()), // comes by `kill`, never through the queue
    }
}
