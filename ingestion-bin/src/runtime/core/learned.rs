//! Limits as the venue shows them: it may allow fewer users than it is configured to, and says so only by refusing one.
//!
//! A lower number in its text is believed at once, though nobody who is served is left out for it. A refusal without one is believed
//! when it outlasts what the venue still counts of connections that ended: the public address carries as many accounts as are served
//! there. Either way the plan is made anew, so that the important are the ones who stay.
//!
//! What was learned is doubted again after a while, one user at a time.

use std::time::{Duration, Instant};

use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::session::Refusal;
use serde::Serialize;
use signal_domain::InfluencerId;

use super::{Core, Slot};
use crate::runtime::events::LimitLearned;

/// A refusal is believed after the venue's ghosts are gone, with time for one more try.
const BELIEVED_AFTER: Duration = Duration::from_secs(30);

/// At the latest after this, however often connections end meanwhile.
const BELIEVED_AT_LAST: Duration = Duration::from_secs(120);

/// Until one more user is tried.
const LEARNED_FOR: Duration = Duration::from_secs(600);

/// Until the next one, as long as nobody is refused.
const NEXT_PROBE: Duration = Duration::from_secs(60);

/// What the venue showed of one group of routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// Since when an account is refused there.
    refused_since: Option<Instant>,
    /// When a connection or a subscription there last ended: the venue counts its accounts for a while after.
    ended_at: Option<Instant>,
    /// So many users and no more, until one more is tried then.
    users: Option<(u32, Instant)>,
    /// Whom it refused last, and what it said.
    hit: Option<Hit>,
    /// The one from which that number of users was learned.
    by: Option<Hit>,
}

/// Whom the venue refused, and what it said.
type Hit = (InfluencerId, String);

/// A public address that is allowed fewer users than configured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LearnedLimit {
    /// So many it is planned with.
    pub users: u32,
    /// So many it is configured with.
    pub configured: u32,
    /// Whom the venue refused.
    pub influencer_id: String,
    /// What it said.
    pub said: String,
}

impl Learned {
    /// What to plan with.
    pub(super) fn limits(&self, configured: VenueLimits) -> VenueLimits {
        let users = self.users.map_or(configured.users, |(users, _)| users.min(configured.users));
        VenueLimits { users, ..configured }
    }

    /// For people; nothing while the configured limit holds.
    pub(super) fn shown(&self, configured: u32) -> Option<LearnedLimit> {
        let ((users, _), (influencer, said)) = self.users.zip(self.by.as_ref())?;
        let (influencer_id, said) = (influencer.to_string(), said.clone());
        Some(LearnedLimit { users, configured, influencer_id, said })
    }

    /// When a refusal that goes on is believed.
    fn believed_at(&self) -> Option<Instant> {
        let since = self.refused_since?;
        let settled = self.ended_at.map_or(since, |ended| ended.max(since)) + BELIEVED_AFTER;
        Some(settled.min(since + BELIEVED_AT_LAST))
    }

    /// Nothing is doubted and nothing was learned: a refusal begins it.
    const fn is_idle(&self) -> bool {
        self.refused_since.is_none() && self.users.is_none()
    }

    /// While an account is refused nobody is tried.
    fn probe_at(&self) -> Option<Instant> {
        self.users.map(|(_, at)| at).filter(|_| self.refused_since.is_none())
    }
}

impl Core {
    /// When something learned is due.
    pub(super) fn learned_due(&self) -> Option<Instant> {
        let due = |learned: &Learned| [learned.believed_at(), learned.probe_at()].into_iter().flatten().min();
        self.groups.iter().filter_map(|group| due(&group.learned)).min()
    }

    /// A connection of this line ended.
    pub(super) fn note_end(&mut self, line: usize, now: Instant) {
        if let Some(group) = self.lines.get(&line).and_then(|line| self.groups.get_mut(line.group)) {
            group.learned.ended_at = Some(now);
        }
    }

    /// The venue says that a line's public address follows too many users, and mostly how many it may.
    pub(super) fn doubt_limit(&mut self, line: usize, hit: Option<Hit>, stated: Option<u32>, now: Instant) {
        let Some(place) = self.lines.get(&line).map(|line| line.group) else { return };
        let live = self.live(place);
        let Some(group) = self.groups.get_mut(place) else { return };
        group.learned.refused_since.get_or_insert(now);
        group.learned.hit = hit.or(group.learned.hit.take());
        let in_force = group.learned.limits(group.limits).users;
        if let Some(users) = stated.map(|stated| stated.max(live)).filter(|users| *users < in_force) {
            self.learn(place, users, now);
        }
        self.timer.notify_one();
    }

    pub(super) fn handle_learned(&mut self, now: Instant) {
        for place in 0..self.groups.len() {
            if self.groups.get(place).is_none_or(|group| group.learned.is_idle()) {
                continue;
            }
            let (served, refused) = self.served_and_refused(place);
            let Some(group) = self.groups.get_mut(place) else { continue };
            let learned = &mut group.learned;
            if refused == 0 {
                learned.refused_since = None;
            } else {
                learned.refused_since.get_or_insert(now);
            }
            if learned.believed_at().is_some_and(|at| at <= now) {
                self.learn(place, served, now);
            } else if learned.probe_at().is_some_and(|at| at <= now) {
                let more = learned.users.map(|(users, _)| (users.saturating_add(1), now + NEXT_PROBE));
                learned.users = more.filter(|(users, _)| *users < group.limits.users);
                self.plan_is_old = true;
            }
        }
    }

    fn learn(&mut self, place: usize, users: u32, now: Instant) {
        let Some(group) = self.groups.get_mut(place) else { return };
        let learned = &mut group.learned;
        // Whoever is left out now is counted for a while, as after a connection that ended.
        (learned.refused_since, learned.ended_at) = (None, Some(now));
        learned.users = Some((users, now + LEARNED_FOR));
        learned.by.clone_from(&learned.hit);
        self.plan_is_old = true;
        let account = learned.by.as_ref().map_or("", |(influencer, _)| influencer.as_str());
        let (address, configured) = (group.name.as_str(), group.limits.users);
        self.telemetry.emit(&LimitLearned { address, account, users, configured });
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
