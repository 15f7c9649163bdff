//! Frames and info pages into typed messages.
//!
//! Contract: the caller's bytes are never changed (simd-json spoils its input, so it gets a copy that is reused), every row of a batch
//! carries the exact slice of those bytes it came from, one bad row costs that row only, and no bytes make it panic. Nothing is
//! judged here: a sound fill of an account nobody follows is still a fill.
//!
//! Memory: about six times the largest recent frame; what a frame above 128 KiB took is given back with the next one under 64 KiB.

mod cold;
mod cursor;
mod envelope;
mod error;
mod field;
mod frame;
mod rows;
mod salvage;
mod scan;
mod venue_error;

#[cfg(test)]
mod tests;

pub use error::{FrameError, Row, RowReason, RowRefusal};
pub use frame::{AckMethod, Decoded, Drift, FillsFrame, Frame, TwapFillsFrame, UserEvents};
pub use venue_error::{VenueError, VenueErrorKind};

use crate::wire::{Fill, TwapFill};
use cursor::Cursor;
use error::shown;
use rows::ReadObject;
use simd_json::{Buffers, INPUT_PADDING, Node, Tape};

/// Buffers above this are given back once frames are small again: every connection keeps its own, and nearly all of them begin with
/// snapshots of several hundred KiB.
const KEEP_MAX: usize = 128 * 1024;
const SMALL: usize = 64 * 1024;

/// Decodes one frame at a time into reused buffers. Keep one for each connection.
pub struct Decoder {
    /// A padded copy of the frame; simd-json unescapes strings in it.
    scratch: Vec<u8>,
    /// A second copy, only for frames in which single rows are not JSON.
    spare: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

/// A page of an info answer, rows in the order given.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<'a, T> {
    /// Rows, or why one of them was refused.
    pub rows: Vec<Row<'a, T>>,
    /// What was new to us.
    pub drift: Drift<'a>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("capacity", &self.scratch.capacity()).finish_non_exhaustive()
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder with small buffers; they grow with the frames.
    #[must_use]
    pub fn new() -> Self {
        Self {
            scratch: Vec::with_capacity(4096),
            spare: Vec::new(),
            buffers: Buffers::new(4096),
            tape: Tape(Vec::new()),
        }
    }

    /// Decodes one WebSocket text message. The result borrows from `raw` and from the decoder: use it before the next frame.
    ///
    /// # Errors
    /// [`FrameError`] when nothing of the frame can be used; bad rows inside a sound frame are refused one by one instead.
    pub fn decode<'a>(&'a mut self, raw: &'a [u8]) -> Result<Decoded<'a>, FrameError> {
        if let Some(greeting) = greeting(raw) {
            return Ok(Decoded { frame: Frame::Greeting(greeting), drift: Drift::default() });
        }
        let mut drift = Drift::default();
        let (parsed, spare) = self.parse(raw, |cursor| envelope::frame(cursor, &mut drift));
        match parsed {
            Ok(frame) => frame.map(|frame| Decoded { frame, drift }).map_err(|stop| stop.named(raw)),
            Err(error) => salvage::frame(raw, spare).ok_or(error),
        }
    }

    /// Decodes the answer to `userFills` or `userFillsByTime`, rows in the order given.
    ///
    /// # Errors
    /// [`FrameError`] when the body is not an array.
    pub fn fills_page<'a>(&'a mut self, body: &'a [u8]) -> Result<Page<'a, Fill<'a>>, FrameError> {
        self.page(body)
    }

    /// Decodes the answer to `userTwapSliceFills` or its `ByTime` twin, rows in the order given.
    ///
    /// # Errors
    /// [`FrameError`] when the body is not an array.
    pub fn twap_fills_page<'a>(&'a mut self, body: &'a [u8]) -> Result<Page<'a, TwapFill<'a>>, FrameError> {
        self.page(body)
    }

    fn page<'a, T: ReadObject<'a>>(&'a mut self, body: &'a [u8]) -> Result<Page<'a, T>, FrameError> {
        let mut drift = Drift::default();
        let (parsed, spare) = self.parse(body, |mut cursor| {
            let root = cursor.value().ok_or(envelope::Stop::Lost)?;
            let Node::Array { len, .. } = root.node else {
                return Err(envelope::Stop::shape("page", RowReason::WrongType("page"), "found no array"));
            };
            rows::rows(&mut cursor, len, &mut drift).ok_or(envelope::Stop::Lost)
        });
        match parsed {
            Ok(rows) => rows.map(|rows| Page { rows, drift }).map_err(|stop| stop.named(body)),
            Err(error) => salvage::page(body, spare).ok_or(error),
        }
    }

    /// Parses a copy of `raw` and lets `read` walk it. Answers the parser's refusal, and the spare buffer for a second try.
    fn parse<'a, R>(
        &'a mut self,
        raw: &'a [u8],
        read: impl FnOnce(Cursor<'_, 'a>) -> R,
    ) -> (Result<R, FrameError>, &'a mut Vec<u8>) {
        if raw.len() < SMALL && self.scratch.capacity() > KEEP_MAX {
            *self = Self::new();
        }
        let Self { scratch, spare, buffers, tape: kept } = self;
        scratch.clear();
        scratch.reserve(raw.len() + INPUT_PADDING);
        scratch.extend_from_slice(raw);
        scratch.extend_from_slice(&[b' '; INPUT_PADDING]);
        let mut tape = std::mem::replace(kept, Tape(Vec::new())).reset();
        let parsed = match simd_json::fill_tape_padded(scratch, raw.len(), buffers, &mut tape) {
            Ok(()) => Ok(read(Cursor::new(&tape.0, buffers.structural_indexes(), raw))),
            Err(error) => Err(why_not_json(raw, &error)),
        };
        *kept = tape.reset();
        (parsed, spare)
    }
}

/// Some endpoints greet in plain text before the first JSON frame.
fn greeting(raw: &[u8]) -> Option<&str> {
    if raw.first() != Some(&b'W') {
        return None;
    }
    std::str::from_utf8(raw).ok().filter(|text| text.starts_with("Websocket connection established"))
}

/// Tells bad UTF-8 from cut-off from other text. Off the good path, so it may read the frame again.
#[cold]
fn why_not_json(raw: &[u8], error: &simd_json::Error) -> FrameError {
    if let Err(error) = std::str::from_utf8(raw) {
        return FrameError::BadUtf8 { at: error.valid_up_to() };
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(raw) {
        Err(error) if error.is_eof() => FrameError::Truncated { length: raw.len() },
        Err(error) => FrameError::NotJson { detail: shown(&error.to_string(), 120) },
        Ok(_) => FrameError::NotJson { detail: shown(&error.to_string(), 120) },
    }
}
