//! Signs of life of one connection: pings, pongs, the last frame, its age. Each is told once.

use super::after;
use super::config::SessionConfig;
use super::event::{SessionEvent, TimeoutReason};
use std::collections::VecDeque;
use std::time::Instant;

#[derive(Debug)]
pub(super) struct Heartbeat {
    pub(super) connected_at: Instant,
    last_frame: Instant,
    last_ping: Instant,
    /// A ping that was not answered.
    awaiting_pong: Option<Instant>,
    told_pong: bool,
    told_stale: bool,
    told_replace: bool,
}

impl Heartbeat {
    pub(super) const fn started(now: Instant) -> Self {
        Self {
            connected_at: now,
            last_frame: now,
            last_ping: now,
            awaiting_pong: None,
            told_pong: false,
            told_stale: false,
            told_replace: false,
        }
    }

    pub(super) const fn on_frame(&mut self, now: Instant) {
        self.last_frame = now;
        self.told_stale = false;
    }

    pub(super) const fn on_pong(&mut self) {
        self.awaiting_pong = None;
        self.told_pong = false;
    }

    /// The ping may have been refused for being one message too many: its pong is not waited for.
    pub(super) const fn on_messages_refused(&mut self) {
        self.on_pong();
    }

    /// No second ping while one is unanswered: it would hide how late the first is.
    pub(super) fn ping_due(&self, config: &SessionConfig, now: Instant) -> bool {
        self.awaiting_pong.is_none() && now >= after(self.last_ping, config.ping_interval)
    }

    pub(super) const fn on_ping(&mut self, now: Instant) {
        self.last_ping = now;
        self.awaiting_pong = Some(now);
    }

    pub(super) fn deadlines(&self, config: &SessionConfig) -> impl Iterator<Item = (Instant, TimeoutReason)> {
        let ping = match self.awaiting_pong {
            None => Some((after(self.last_ping, config.ping_interval), TimeoutReason::Ping)),
            Some(sent) if !self.told_pong => Some((after(sent, config.pong_timeout), TimeoutReason::Pong)),
            Some(_) => None,
        };
        let stale =
            (!self.told_stale).then_some((after(self.last_frame, config.stale_after), TimeoutReason::Stale));
        let replace = (!self.told_replace)
            .then_some((after(self.connected_at, config.replace_after), TimeoutReason::Replace));
        [ping, stale, replace].into_iter().flatten()
    }

    pub(super) fn on_timeout(
        &mut self,
        config: &SessionConfig,
        now: Instant,
        events: &mut VecDeque<SessionEvent>,
    ) {
        if let Some(sent) = self.awaiting_pong
            && !self.told_pong
            && now >= after(sent, config.pong_timeout)
        {
            self.told_pong = true;
            events.push_back(SessionEvent::PongLate { waited: now.saturating_duration_since(sent) });
        }
        if !self.told_stale && now >= after(self.last_frame, config.stale_after) {
            self.told_stale = true;
            let silent_for = now.saturating_duration_since(self.last_frame);
            events.push_back(SessionEvent::ConnectionStale { silent_for });
        }
        if !self.told_replace && now >= after(self.connected_at, config.replace_after) {
            self.told_replace = true;
            let age = now.saturating_duration_since(self.connected_at);
            events.push_back(SessionEvent::ReplaceDue { age });
        }
    }
}
