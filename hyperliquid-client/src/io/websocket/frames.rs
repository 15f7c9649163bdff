//! Incoming WebSocket frames (RFC 6455) put together from bytes, as a client sees them.
//!
//! Bytes go in at [`FrameReader::read_buffer`], in pieces of any size; [`FrameReader::poll_message`] says what has become
//! complete and [`FrameReader::payload`] lends its bytes until the next call. All state lives in the value, so
//! a reader that is dropped between two pieces loses nothing.
//!
//! Refused, each with the close code it deserves: a message over the limit, counted over all its fragments and
//! by the length a header announces, before a byte of it is kept; reserved bits and opcodes; masked frames;
//! fragments out of turn; control frames that are long or fragmented; text that is not UTF-8, whose bytes stay
//! readable. No extension is offered, so none is understood.
//!
//! Memory: at most twice the message limit and 64 KiB, and only for bytes that really came.
//!
//! Why not fastwebsockets' reader: it drops the bytes of text that is not UTF-8, does not say how large a
//! refused frame was, bounds frames but not messages, passes masked frames on undecoded, and loses header bytes
//! when its future is dropped. Its encoder and its server half are used as they are.

use bytes::{Buf, BytesMut};

/// A buffer larger than this is given back once the message that needed it is gone.
const KEEP_BYTES: usize = 256 * 1024;
/// The least room offered to one read: a few frames of an ordinary burst.
const READ_BYTES: usize = 16 * 1024;
/// The longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_BYTES: u64 = 125;

/// What has arrived completely; its bytes are in [`FrameReader::payload`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Complete {
    /// A whole message of valid UTF-8.
    Text,
    /// A whole message of anything.
    Binary,
    Ping,
    Pong,
    /// A close frame with its code; the payload is the reason.
    Close(Option<u16>),
}

/// Why the connection cannot go on. Nothing may be read after it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// The message so far and the announced frame together.
    TooLarge { bytes: u64 },
    /// Text that is not UTF-8; the message's bytes are the payload.
    InvalidText,
    /// A rule of the protocol was broken.
    Protocol(&'static str),
}

impl Refusal {
    pub(super) const fn close_code(self) -> u16 {
        match self {
            Self::TooLarge { .. } => 1009,
            Self::InvalidText => 1007,
            Self::Protocol(_) => 1002,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Opcode {
    Continuation,
    Data(Kind),
    Close,
    Ping,
    Pong,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    fin: bool,
    opcode: Opcode,
    /// Bytes of the header itself.
    size: usize,
    /// Bytes of the payload.
    len: u64,
}

/// Where the payload lent out lies.
#[derive(Clone, Copy, Debug)]
enum Payload {
    None,
    /// At the front of the read buffer, this long; dropped from it at the next call.
    Buffered(usize),
    /// The whole of `assembled`.
    Assembled,
    /// Behind the two bytes of a close code at the front of the read buffer, this long.
    Reason(usize),
}

/// See the module.
#[derive(Debug)]
pub(super) struct FrameReader {
    max_message_bytes: u64,
    buffer: BytesMut,
    /// The fragments of a message not yet complete, or just completed.
    assembled: Vec<u8>,
    assembling: Option<Kind>,
    payload: Payload,
    failed: Option<Refusal>,
}

impl FrameReader {
    /// A reader for a connection from which `already_read` came with the handshake.
    pub(super) fn new(max_message_bytes: usize, already_read: &[u8]) -> Self {
        Self {
            max_message_bytes: u64::try_from(max_message_bytes).unwrap_or(u64::MAX),
            buffer: BytesMut::from(already_read),
            assembled: Vec::new(),
            assembling: None,
            payload: Payload::None,
            failed: None,
        }
    }

    /// Where to append what the socket delivers; at least 8 KiB are free. What was lent by
    /// [`payload`](Self::payload) is given up.
    pub(super) fn read_buffer(&mut self) -> &mut BytesMut {
        self.release();
        if self.buffer.capacity() - self.buffer.len() < READ_BYTES / 2 {
            self.buffer.reserve(READ_BYTES);
        }
        &mut self.buffer
    }

    /// The next complete message or control frame, `None` when more bytes are needed.
    ///
    /// # Errors
    /// A [`Refusal`], the same one for ever after.
    pub(super) fn poll_message(&mut self) -> Result<Option<Complete>, Refusal> {
        if let Some(refusal) = self.failed {
            return Err(refusal);
        }
        self.release();
        match self.advance() {
            Ok(complete) => Ok(complete),
            Err(refusal) => {
                self.failed = Some(refusal);
                Err(refusal)
            }
        }
    }

    /// The bytes of what [`poll_message`](Self::poll_message) returned last.
    pub(super) fn payload(&self) -> &[u8] {
        let lent = match self.payload {
            Payload::None => None,
            Payload::Buffered(len) => self.buffer.get(..len),
            Payload::Assembled => Some(self.assembled.as_slice()),
            Payload::Reason(len) => self.buffer.get(2..len),
        };
        lent.unwrap_or_default()
    }

    fn advance(&mut self) -> Result<Option<Complete>, Refusal> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            self.check(&header)?;
            let len = usize::try_from(header.len).map_err(|_| Refusal::TooLarge { bytes: header.len })?;
            if self.buffer.len() - header.size < len {
                return Ok(None);
            }
            self.buffer.advance(header.size);
            match header.opcode {
                Opcode::Ping => return self.lend(Complete::Ping, Payload::Buffered(len)),
                Opcode::Pong => return self.lend(Complete::Pong, Payload::Buffered(len)),
                Opcode::Close => return self.close(len),
                Opcode::Data(kind) if header.fin => return self.message(kind, Payload::Buffered(len)),
                Opcode::Data(kind) => {
                    self.assembling = Some(kind);
                    self.collect(len);
                }
                Opcode::Continuation => {
                    self.collect(len);
                    if header.fin
                        && let Some(kind) = self.assembling.take()
                    {
                        return self.message(kind, Payload::Assembled);
                    }
                }
            }
        }
    }

    /// The header at the front of the buffer, once all of it is there.
    fn header(&self) -> Result<Option<Header>, Refusal> {
        let [first, second, rest @ ..] = self.buffer.as_ref() else { return Ok(None) };
        if first & 0b0111_0000 != 0 {
            return Err(Refusal::Protocol("reserved bits are set"));
        }
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Data(Kind::Text),
            0x2 => Opcode::Data(Kind::Binary),
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(Refusal::Protocol("opcode is reserved")),
        };
        if second & 0x80 != 0 {
            return Err(Refusal::Protocol("server frame is masked"));
        }
        let (size, len) = match second & 0x7f {
            126 => match rest.first_chunk() {
                Some(len) => (4, u64::from(u16::from_be_bytes(*len))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(len) => (10, u64::from_be_bytes(*len)),
                None => return Ok(None),
            },
            len => (2, u64::from(len)),
        };
        Ok(Some(Header { fin: first & 0x80 != 0, opcode, size, len }))
    }

    /// What a header may say at this point of the stream.
    fn check(&self, header: &Header) -> Result<(), Refusal> {
        match header.opcode {
            Opcode::Close | Opcode::Ping | Opcode::Pong => {
                if !header.fin {
                    return Err(Refusal::Protocol("control frame is fragmented"));
                }
                if header.len > CONTROL_BYTES {
                    return Err(Refusal::Protocol("control frame is longer than 125 bytes"));
                }
                return Ok(());
            }
            Opcode::Data(_) if self.assembling.is_some() => {
                return Err(Refusal::Protocol("message begins inside another one"));
            }
            Opcode::Continuation if self.assembling.is_none() => {
                return Err(Refusal::Protocol("continuation of no message"));
            }
            Opcode::Data(_) | Opcode::Continuation => {}
        }
        let before = u64::try_from(self.assembled.len()).unwrap_or(u64::MAX);
        let bytes = header.len.saturating_add(before);
        if bytes > self.max_message_bytes {
            return Err(Refusal::TooLarge { bytes });
        }
        Ok(())
    }

    /// Moves a fragment's payload from the front of the buffer behind those before it.
    fn collect(&mut self, len: usize) {
        let fragment = self.buffer.get(..len).unwrap_or_default();
        self.assembled.extend_from_slice(fragment);
        self.buffer.advance(len);
    }

    fn message(&mut self, kind: Kind, payload: Payload) -> Result<Option<Complete>, Refusal> {
        self.payload = payload;
        match kind {
            Kind::Binary => Ok(Some(Complete::Binary)),
            Kind::Text if std::str::from_utf8(self.payload()).is_ok() => Ok(Some(Complete::Text)),
            Kind::Text => Err(Refusal::InvalidText),
        }
    }

    fn close(&mut self, len: usize) -> Result<Option<Complete>, Refusal> {
        let code = match self.buffer.get(..len) {
            None | Some([]) => return self.lend(Complete::Close(None), Payload::Buffered(0)),
            Some([_]) => return Err(Refusal::Protocol("close frame of one byte")),
            Some([high, low, ..]) => u16::from_be_bytes([*high, *low]),
        };
        self.lend(Complete::Close(Some(code)), Payload::Reason(len))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the callers return it as it is")]
    const fn lend(&mut self, complete: Complete, payload: Payload) -> Result<Option<Complete>, Refusal> {
        self.payload = payload;
        Ok(Some(complete))
    }

    /// Drops what was lent, and room that only one large message needed.
    fn release(&mut self) {
        if self.failed.is_some() {
            return;
        }
        match std::mem::replace(&mut self.payload, Payload::None) {
            Payload::None => return,
            Payload::Buffered(len) | Payload::Reason(len) => self.buffer.advance(len),
            Payload::Assembled => self.assembled.clear(),
        }
        if self.assembled.capacity() > KEEP_BYTES {
            self.assembled = Vec::from(self.assembled.as_slice());
        }
        if self.buffer.capacity() > KEEP_BYTES && self.buffer.len() < READ_BYTES {
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
    }
}

#[cfg(test)]
mod tests;
