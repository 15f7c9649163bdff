//! Outgoing WebSocket frames: encoded and masked at once, written as the socket takes them.
//!
//! Bounded: what does not fit is refused and nothing of it is kept, so a peer that stops reading costs at most
//! [`OUTBOX_BYTES`]. Half-written frames stay here, so a writer may be dropped at any moment.

use bytes::{Buf, BytesMut};
use fastwebsockets::{Frame, Payload};

/// Bytes that may wait for the socket: about five hundred subscriptions.
pub(super) const OUTBOX_BYTES: usize = 64 * 1024;
/// Room kept free for the close frame.
const RESERVE_BYTES: usize = 256;
/// The longest header of a frame, mask included, as fastwebsockets writes it.
const HEADER_BYTES: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: BytesMut,
    closed: bool,
}

impl Outbox {
    /// Queues a text message; `false` when it does not fit now, or a close frame was queued before.
    pub(super) fn text(&mut self, text: &str) -> bool {
        self.push(Frame::text(Payload::Borrowed(text.as_bytes())), RESERVE_BYTES)
    }

    /// Queues an answer to a ping; `false` as above.
    pub(super) fn pong(&mut self, payload: &[u8]) -> bool {
        self.push(Frame::pong(Payload::Borrowed(payload)), RESERVE_BYTES)
    }

    /// Queues the close frame, the last one; a second one is not sent.
    pub(super) fn close(&mut self, code: Option<u16>) {
        let frame = match code {
            Some(code) => Frame::close(code, b""),
            None => Frame::close_raw(Payload::Borrowed(b"")),
        };
        let _ = self.push(frame, 0);
        self.closed = true;
    }

    /// Whether `len` more bytes of text would be taken.
    pub(super) fn fits(&self, len: usize) -> bool {
        !self.closed && self.bytes.len() + len + HEADER_BYTES + RESERVE_BYTES <= OUTBOX_BYTES
    }

    /// What the socket has not taken yet.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes
    }

    /// The socket took `len` bytes of [`unsent`](Self::unsent).
    pub(super) fn sent(&mut self, len: usize) {
        self.bytes.advance(len.min(self.bytes.len()));
    }

    fn push(&mut self, mut frame: Frame<'_>, reserve: usize) -> bool {
        if self.closed || self.bytes.len() + frame.payload.len() + HEADER_BYTES + reserve > OUTBOX_BYTES {
            return false;
        }
        frame.mask();
        let mut header = [0; HEADER_BYTES];
        let size = frame.fmt_head(&mut header);
        self.bytes.extend_from_slice(header.get(..size).unwrap_or_default());
        self.bytes.extend_from_slice(&frame.payload);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_whole_and_the_close_frame_still_fits() {
        let mut outbox = Outbox::default();
        let text = "x".repeat(1_000);
        let mut queued = 0;
        while outbox.text(&text) {
            queued += 1;
        }
        assert_eq!(queued, 64, "64 KiB hold 64 messages of 1,008 bytes beside the reserve");
        let before = outbox.unsent().len();
        assert!(!outbox.fits(1_000));
        assert!(!outbox.text(&text));
        assert_eq!(outbox.unsent().len(), before);
        outbox.close(Some(1000));
        assert_eq!(outbox.unsent().len(), before + 8, "two bytes of header, four of mask, two of code");
        assert!(!outbox.text(""), "nothing follows a close frame");
    }

    #[test]
    fn frames_are_masked_and_read_back_as_written() {
        let mut outbox = Outbox::default();
        assert!(outbox.text("{\"method\":\"ping\"}"));
        let bytes = outbox.unsent();
        let [0x81, length, mask @ ..] = bytes else { panic!("not a final text frame: {bytes:?}") };
        assert_eq!(*length, 0x80 | 17);
        let (mask, masked) = mask.split_at(4);
        let text: Vec<u8> = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(text, b"{\"method\":\"ping\"}");
    }

    #[test]
    fn a_half_written_frame_goes_on_where_it_stopped() {
        let mut outbox = Outbox::default();
        assert!(outbox.text("hello"));
        let whole = outbox.unsent().to_vec();
        outbox.sent(3);
        assert_eq!(outbox.unsent(), &whole[3..]);
        outbox.sent(usize::MAX);
        assert!(outbox.unsent().is_empty());
    }
}
