//! Limits as the venue shows them: it may allow fewer users than it is configured to, and says so only by refusing one.
//!
//! A refusal that lasts longer than the venue counts connections that ended is believed: the public address carries as many accounts as
//! are served there, and the plan is made anew. After a while the configured limit is tried again.

use std::time::{Duration, Instant};

use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::session::Refusal;

use super::{Core, Slot};
use crate::runtime::events::LimitLearned;

/// A refusal is believed after the venue's ghosts are gone, with time for one more try.
const BELIEVED_AFTER: Duration = Duration::from_secs(30);

/// For how long it is.
const LEARNED_FOR: Duration = Duration::from_secs(600);

/// What the venue showed of one group of routes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Learned {
    /// Since when an account is refused there.
    refused_since: Option<Instant>,
    /// So many users and no more, until then.
    users: Option<(u32, Instant)>,
}

impl Learned {
    /// What to plan with.
    pub(super) fn limits(&self, configured: VenueLimits) -> VenueLimits {
        let users = self.users.map_or(configured.users, |(users, _)| users.min(configured.users));
        VenueLimits { users, ..configured }
    }

    fn due(&self) -> Option<Instant> {
        let believed = self.refused_since.map(|since| since + BELIEVED_AFTER);
        believed.into_iter().chain(self.users.map(|(_, until)| until)).min()
    }
}

impl Core {
    /// When something learned is due.
    pub(super) fn learned_due(&self) -> Option<Instant> {
        self.groups.iter().filter_map(|group| group.learned.due()).min()
    }

    /// The venue says that a line's public address follows too many users.
    pub(super) fn doubt_limit(&mut self, line: usize, now: Instant) {
        let Some(group) = self.lines.get(&line).and_then(|line| self.groups.get_mut(line.group)) else {
            return;
        };
        group.learned.refused_since.get_or_insert(now);
        self.timer.notify_one();
    }

    pub(super) fn handle_learned(&mut self, now: Instant) {
        for place in 0..self.groups.len() {
            let (served, refused) = self.served_and_refused(place);
            let Some(group) = self.groups.get_mut(place) else { continue };
            if group.learned.users.is_some_and(|(_, until)| until <= now) {
                group.learned.users = None;
                self.plan_is_old = true;
            }
            if refused == 0 {
                group.learned.refused_since = None;
            }
            if group.learned.refused_since.is_some_and(|since| since + BELIEVED_AFTER <= now) {
                group.learned = Learned { refused_since: None, users: Some((served, now + LEARNED_FOR)) };
                self.plan_is_old = true;
                let limit = LimitLearned {
                    address: group.name.clone(),
                    users: served,
                    configured: group.limits.users,
                };
                self.telemetry.emit(&limit);
            }
        }
    }

    /// Accounts on a group's lines: those served there, and those that the venue refuses on any of them.
    fn served_and_refused(&self, group: usize) -> (u32, usize) {
        let here = |line: &usize| self.lines.get(line).is_some_and(|line| line.group == group);
        let too_many = |refusal: &Refusal| matches!(refusal, Refusal::TooManyUsers { .. });
        let is_refused = |slot: &Slot| {
            slot.refused.iter().any(|((line, _), (refusal, _))| here(line) && too_many(refusal))
        };
        let seated = || self.slots.values().filter(|slot| slot.seats.values().any(here));
        let refused = seated().filter(|slot| is_refused(slot)).count();
        (u32::try_from(seated().count() - refused).unwrap_or(u32::MAX), refused)
    }
}
