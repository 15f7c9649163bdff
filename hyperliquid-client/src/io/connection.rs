//! One connection from its first frame to its last: session, socket, timer and commands in one closed loop.
//!
//! Every branch of the loop's `select!` may be dropped at any moment: [`WebSocket::next`] keeps what is half read, `Control::changed`
//! keeps its permit, the timer is absolute. Messages already in memory are taken without awaiting, [`BURST`] at a time, so that
//! a flood starves neither the timer nor the commands.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant as TokioInstant, sleep_until};

use super::clock::{self, Received};
use super::control::{Control, Wish};
use super::egress::Egress;
use super::handler::{Ended, Handler, ListenerEvent, Refused};
use super::intake::{Decode, Intake};
use super::websocket::{Message, SocketError, WebSocket};
use crate::session::CloseReason;

/// How long the orderly end of a connection may take.
pub const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// Messages handled before timers and commands are looked at again.
const BURST: usize = 64;
/// A deadline that has passed and cannot be met yet (no message left this minute) is looked at again this much later.
const TICK: Duration = Duration::from_millis(20);
/// Room that must be free before a message is taken from the session: the longest one, many times over.
const TEXT_BYTES: usize = 4096;
/// What a close frame without a code stands for (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;

/// What a connection came to.
#[derive(Debug)]
pub struct Driven {
    /// How it ended.
    pub ended: Ended,
    /// When the first and the last message with real data came.
    pub data: Option<(Instant, Instant)>,
}

/// Drives one connection until it ends; says everything to `handler` on the way. Subscribes what `control` wants.
///
/// May be dropped: the connection is then cut without a close frame and `control`'s session believes itself connected until the next
/// connection is driven.
pub async fn drive<S, D, H>(
    mut socket: WebSocket<S>,
    control: &Control,
    egress: &Egress,
    write_timeout: Duration,
    handler: &mut H,
) -> Driven
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Decode,
    H: Handler,
{
    // What was wished of the connection before.
    control.take_wish();
    control.session().handle_connected(clock::now());
    let mut intake = Intake::<D>::default();
    let mut pings = PingsTold(0);
    let ended = turn(&mut socket, control, egress, write_timeout, &mut intake, &mut pings, handler).await;
    pings.tell(&socket, handler);
    let (close_code, reason) = farewell(&ended);
    control.session().handle_closed(reason, clock::now());
    let _ = tell_session_events(control, handler);
    socket.close(close_code, CLOSE_WITHIN).await;
    Driven { ended, data: intake.take_data() }
}

/// How many unanswered pings the handler knows of.
struct PingsTold(u64);

impl PingsTold {
    fn tell<S: AsyncRead + AsyncWrite + Unpin>(&mut self, socket: &WebSocket<S>, handler: &mut impl Handler) {
        let count = socket.unanswered_pings().saturating_sub(self.0);
        if count > 0 {
            self.0 += count;
            handler.on_event(&ListenerEvent::PingsUnanswered { count });
        }
    }
}

async fn turn<S, D, H>(
    socket: &mut WebSocket<S>,
    control: &Control,
    egress: &Egress,
    write_timeout: Duration,
    intake: &mut Intake<D>,
    pings: &mut PingsTold,
    handler: &mut H,
) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Decode,
    H: Handler,
{
    let timer = sleep_until(TokioInstant::now());
    tokio::pin!(timer);
    loop {
        if !transmit(socket, control, egress) {
            return Ended::WriteStalled;
        }
        if let Some(ended) = tell_session_events(control, handler) {
            return ended;
        }
        pings.tell(socket, handler);
        match (control.take_wish(), control.is_stopped()) {
            (Some(Wish::Replace), _) => return Ended::Replaced,
            (_, true) => return Ended::Stopped,
            (Some(Wish::Recycle), false) => return Ended::Recycled,
            (None, false) => {}
        }
        let now = clock::now();
        let write_deadline = socket.write_deadline(write_timeout);
        if write_deadline.is_some_and(|deadline| deadline <= now) {
            return Ended::WriteStalled;
        }
        let session_deadline = control.session().poll_timeout().map(|(at, _)| at.max(now + TICK));
        let wake_at = [write_deadline, session_deadline].into_iter().flatten().min();
        // Re-armed only when it must come sooner: each frame moves the deadlines back, and coming early does no harm.
        if let Some(wake_at) = wake_at.map(TokioInstant::from_std)
            && (wake_at < timer.deadline() || timer.is_elapsed())
        {
            timer.as_mut().reset(wake_at);
        }
        tokio::select! {
            biased;
            () = control.changed() => {}
            () = &mut timer, if wake_at.is_some() => control.session().handle_timeout(clock::now()),
            next = socket.next() => {
                if let Some(ended) = take(next, control, intake, handler) {
                    return ended;
                }
                for _ in 1..BURST {
                    let Some(next) = socket.buffered() else { break };
                    if let Some(ended) = take(next, control, intake, handler) {
                        return ended;
                    }
                }
            }
        }
    }
}

/// Queues what the session wants to send. `false` when it cannot be queued although there was room: never with real texts.
fn transmit<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<S>,
    control: &Control,
    egress: &Egress,
) -> bool {
    while socket.fits(TEXT_BYTES) {
        let now = clock::now();
        let text = egress.with_messages(|budget| control.session().poll_transmit(budget, now));
        let Some(text) = text else { break };
        if !socket.send_text(&text) {
            return false;
        }
    }
    true
}

/// Hands the session's events on; the first that makes the connection useless ends it.
fn tell_session_events(control: &Control, handler: &mut impl Handler) -> Option<Ended> {
    let mut ended = None;
    loop {
        // In two statements: the session must not be borrowed while the handler runs.
        let event = control.session().poll_event();
        let Some(event) = event else { return ended };
        handler.on_event(&ListenerEvent::Session(&event));
        if ended.is_none() && event.asks_recycle() {
            ended = Some(Ended::Useless(event));
        }
    }
}

fn take<D: Decode>(
    next: Result<(Message<'_>, Received), SocketError>,
    control: &Control,
    intake: &mut Intake<D>,
    handler: &mut impl Handler,
) -> Option<Ended> {
    let (message, received) = match next {
        Ok(next) => next,
        Err(error) => return Some(Ended::Failed(error)),
    };
    match message {
        Message::Text(raw) => {
            intake.text(raw, received, control, handler);
            None
        }
        Message::Binary(raw) => {
            handler.on_refused(&Refused::Binary { raw }, received);
            control.session().handle_unreadable_frame(received.at);
            None
        }
        Message::InvalidText(raw) => {
            handler.on_refused(&Refused::InvalidText { raw }, received);
            Some(Ended::BadMessage { code: 1007 })
        }
        Message::TooLarge { bytes } => {
            handler.on_refused(&Refused::TooLarge { bytes }, received);
            Some(Ended::BadMessage { code: 1009 })
        }
        Message::Closed { code, reason } => Some(Ended::ByVenue { code, reason }),
    }
}

/// The code we close with (unless the socket has queued its own), and what the session is told.
fn farewell(ended: &Ended) -> (u16, CloseReason) {
    let lost = |detail: &dyn std::fmt::Display| CloseReason::Lost { detail: detail.to_string() };
    match ended {
        Ended::Stopped | Ended::Recycled | Ended::Replaced | Ended::Useless(_) => (1000, CloseReason::ByUs),
        Ended::BadMessage { code } => (*code, CloseReason::ByUs),
        Ended::ByVenue { code, reason } => {
            let code = code.unwrap_or(NO_CODE);
            (code, CloseReason::ByVenue { code, text: reason.clone() })
        }
        Ended::WriteStalled => (1000, lost(&"the peer takes no bytes")),
        Ended::Failed(error) => (1002, lost(error)),
    }
}

#[cfg(test)]
mod tests;
