//! Fewer users: the venue says so only by refusing an account, mostly with the number it allows.
//!
//! A lower number in its text is believed at once, though nobody who is served is left out for it. A refusal without one is believed when
//! it outlasts what the venue still counts of connections that ended: the public address carries as many accounts as are served there.

use std::time::{Duration, Instant};

use hyperliquid_client::session::Refusal;

use super::doubt::{Hit, Patience};
use super::{Core, Slot};

/// Longer than the venue's ghosts, with time for one more try.
pub(super) const PATIENCE: Patience =
    Patience { settled: Duration::from_secs(30), at_last: Duration::from_secs(120) };

impl Core {
    /// The venue says that a line's public address follows too many users, and mostly how many it may.
    pub(in crate::runtime::core) fn doubt_users(
        &mut self,
        line: usize,
        hit: Option<Hit>,
        stated: Option<u32>,
        now: Instant,
    ) {
        let Some(place) = self.lines.get(&line).map(|line| line.group) else { return };
        let live = self.live(place);
        let Some(group) = self.groups.get_mut(place) else { return };
        group.learned.users.note_refusal(hit, now);
        let in_force = group.learned.users.allowed(group.limits.users);
        if let Some(users) = stated.map(|stated| stated.max(live)).filter(|users| *users < in_force) {
            self.learn_users(place, users, now);
        }
        self.timer.notify_one();
    }

    pub(super) fn look_at_users(&mut self, place: usize, now: Instant) {
        if self.groups.get(place).is_none_or(|group| group.learned.users.is_idle()) {
            return;
        }
        let (served, refused) = self.served_and_refused(place);
        let Some(group) = self.groups.get_mut(place) else { return };
        let doubt = &mut group.learned.users;
        doubt.look(refused > 0, now);
        if doubt.is_believed(now) {
            self.learn_users(place, served, now);
        } else if doubt.try_more(group.limits.users, now) {
            self.plan_is_old = true;
        }
    }

    fn learn_users(&mut self, place: usize, users: u32, now: Instant) {
        let Some(group) = self.groups.get_mut(place) else { return };
        group.learned.users.learn(users, now);
        self.tell_learned(place, "users", |group| (&group.learned.users, group.limits.users));
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

    /// Accounts that the venue shows on any of a group's lines.
    fn live(&self, group: usize) -> u32 {
        let here = |line: &usize| self.lines.get(line).is_some_and(|line| line.group == group);
        let is_live =
            |slot: &&Slot| slot.seats.iter().any(|(seat, line)| here(line) && slot.machine.is_live_on(*seat));
        u32::try_from(self.slots.values().filter(is_live).count()).unwrap_or(u32::MAX)
    }
}
