//! Limits as the venue shows them: it may allow a public address fewer users or connections than it is configured to, and says so only by
//! refusing one. What is learned makes the plan anew, so that the important are the ones who stay, and is doubted again after a while.

mod connections;
mod doubt;
mod users;

use std::time::Instant;

use hyperliquid_client::limits::VenueLimits;
use serde::Serialize;

use super::limits::Limited;
use super::{Core, Slot};
use crate::runtime::events::LimitLearned;
use doubt::Doubt;
pub(super) use doubt::Hit;

/// What the venue showed of one group of routes.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    users: Doubt,
    connections: Doubt,
}

/// A limit of a public address that is lower than configured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LearnedLimit {
    /// `users` or `connections`.
    pub limit: &'static str,
    /// So many it is planned with.
    pub allowed: u32,
    /// So many it is configured with.
    pub configured: u32,
    /// Whom the venue refused: an influencer, or a listener.
    pub refused: String,
    /// What it said.
    pub said: String,
}

impl Default for Learned {
    fn default() -> Self {
        Self { users: Doubt::new(users::PATIENCE), connections: Doubt::new(connections::PATIENCE) }
    }
}

impl Learned {
    /// What to plan with.
    pub(super) fn limits(&self, configured: VenueLimits) -> VenueLimits {
        VenueLimits {
            users: self.users.allowed(configured.users),
            connections: self.connections.allowed(configured.connections),
            ..configured
        }
    }

    /// For people; nothing while the configured limits hold.
    pub(super) fn shown(&self, configured: VenueLimits) -> Vec<LearnedLimit> {
        let doubts = [
            ("users", &self.users, configured.users),
            ("connections", &self.connections, configured.connections),
        ];
        let shown = |(limit, doubt, configured): (&'static str, &Doubt, u32)| {
            let (allowed, Hit { who, said }) = doubt.learned()?;
            Some(LearnedLimit { limit, allowed, configured, refused: who.clone(), said: said.clone() })
        };
        doubts.into_iter().filter_map(shown).collect()
    }
}

impl Core {
    /// When something learned is due.
    pub(super) fn learned_due(&self) -> Option<Instant> {
        let due = |group: &Limited| {
            let Learned { users, connections } = &group.learned;
            [users.due(), connections.due()].into_iter().flatten().min()
        };
        self.groups.iter().filter_map(due).min()
    }

    /// A connection of this line ended, or a subscription on it: the venue counts it for a while after.
    pub(super) fn note_end(&mut self, line: usize, now: Instant) {
        if let Some(group) = self.lines.get(&line).and_then(|line| self.groups.get_mut(line.group)) {
            group.learned.users.note_end(now);
            group.learned.connections.note_end(now);
        }
    }

    pub(super) fn handle_learned(&mut self, now: Instant) {
        for place in 0..self.groups.len() {
            self.look_at_users(place, now);
            self.look_at_connections(place, now);
        }
    }

    fn tell_learned(&mut self, place: usize, limit: &'static str, of: impl Fn(&Limited) -> (&Doubt, u32)) {
        self.plan_is_old = true;
        let Some(group) = self.groups.get(place) else { return };
        let (doubt, configured) = of(group);
        let Some((allowed, hit)) = doubt.learned() else { return };
        let (address, refused) = (group.name.as_str(), hit.who.as_str());
        self.telemetry.emit(&LimitLearned { limit, address, refused, allowed, configured });
    }
}
