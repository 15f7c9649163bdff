//! From the bytes of a message to the session and the handler, on the spot.
//!
//! Decoding is pure, so a panic in it is contained here: the message becomes a refusal with its bytes and the decoder is made
//! anew. Session and handler run outside of that: a panic in state is not survived.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::clock::Received;
use super::control::Control;
use super::handler::{Handler, Refused};
use crate::decode::{Decoded, Decoder, Frame, FrameError};

/// Decodes one message. [`Decoder`] does; another one is for tests of what happens when it fails.
pub trait Decode: Default {
    /// Decodes one text message.
    ///
    /// # Errors
    /// [`FrameError`], when nothing of it can be used.
    fn decode<'a>(&'a mut self, raw: &'a [u8]) -> Result<Decoded<'a>, FrameError>;
}

impl Decode for Decoder {
    fn decode<'a>(&'a mut self, raw: &'a [u8]) -> Result<Decoded<'a>, FrameError> {
        Self::decode(self, raw)
    }
}

/// A decoder and when data came through it.
#[derive(Debug, Default)]
pub(super) struct Intake<D> {
    decoder: D,
    data: Option<(Instant, Instant)>,
}

impl<D: Decode> Intake<D> {
    /// Takes one text message.
    pub(super) fn text(
        &mut self,
        raw: &[u8],
        received: Received,
        control: &Control,
        handler: &mut impl Handler,
    ) {
        let mut panicked = false;
        let decoder = &mut self.decoder;
        match guarded(move || decoder.decode(raw)) {
            Some(Ok(message)) => {
                if is_data(&message.frame) {
                    self.data = Some((self.data.map_or(received.at, |(first, _)| first), received.at));
                }
                // The handler finds the session as the message leaves it.
                control.session().handle_frame(&message.frame, received.at);
                handler.on_frame(&message, raw, received);
            }
            Some(Err(error)) => {
                handler.on_refused(&Refused::Undecodable { error: &error, raw }, received);
                control.session().handle_unreadable_frame(received.at);
            }
            None => panicked = true,
        }
        if panicked {
            self.decoder = D::default();
            handler.on_refused(&Refused::DecodePanic { raw }, received);
            control.session().handle_unreadable_frame(received.at);
        }
    }

    /// When the first and the last message with real data came, since the last call.
    pub(super) fn take_data(&mut self) -> Option<(Instant, Instant)> {
        self.data.take()
    }
}

/// The result of a pure function, `None` when it panicked. What it was working on must be thrown away then.
fn guarded<R>(pure: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(pure)).ok()
}

/// What shows that a connection is worth having; acknowledgements, errors and pongs do not.
const fn is_data(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Fills(_)
        | Frame::TwapFills(_)
        | Frame::UserEvents(_)
        | Frame::OrderUpdates(_)
        | Frame::Trades(_)
        | Frame::State { .. }
        | Frame::AllStates { .. } => true,
        Frame::Ack { .. }
        | Frame::VenueError(_)
        | Frame::Pong
        | Frame::Post { .. }
        | Frame::Greeting(_)
        | Frame::Unknown { .. } => false,
    }
}
