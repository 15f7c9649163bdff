//! Faults in force: seeded draws, windows and moments, and how often each was applied. `now` is the time since the
//! venue started; nothing is sent here, the venue asks and obeys. What a fault text means: [`FaultSpec`].

mod edit;
mod kind;
mod spec;
mod value;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use self::edit::{alter, corrupt, injection, truncate};
pub(super) use self::kind::{Alteration, Injection, Moment};
use self::kind::{FrameFault, InfoFault, Kind};
use self::spec::When;
pub use self::spec::{FaultSpec, FaultSpecError};
use super::rng::Rng;

/// A momentary fault that found nobody to hit is tried again after this.
const RETRY: Duration = Duration::from_millis(50);

/// What happens to one data frame.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FrameFate {
    /// Delay of each copy that is sent; empty when the frame is lost.
    pub(super) copies: Vec<Duration>,
    pub(super) corrupt: bool,
    pub(super) truncate: bool,
    pub(super) fragment: bool,
}

/// What happens to one info answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct InfoFate {
    pub(super) status: Option<u16>,
    pub(super) short: bool,
    pub(super) empty: bool,
    pub(super) half: bool,
    pub(super) stale: Duration,
    pub(super) delay: Duration,
}

/// How an upgrade request fares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HandshakeFate {
    Refuse(u16),
    Hang,
}

#[derive(Debug)]
struct Active {
    spec: FaultSpec,
    base: Duration,
    /// Momentary faults: the next moment.
    next: Option<Duration>,
    /// Alterations and swallowed subscribes still to be done.
    armed: u32,
}

impl Active {
    fn holds(&self, now: Duration, conn: Option<u64>) -> bool {
        let since = now.saturating_sub(self.base);
        let in_time = match &self.spec.when {
            When::Always | When::Every(_) => true,
            When::At(from) => since >= *from,
            When::Window(window) => window.contains(&since),
        };
        in_time && self.reaches(conn)
    }

    fn reaches(&self, conn: Option<u64>) -> bool {
        match (self.spec.conns, conn) {
            (Some((rest, of)), Some(conn)) => conn % of == rest,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }
}

/// A momentary fault whose moment has come.
#[derive(Debug)]
pub(super) struct Due {
    index: usize,
    pub(super) moment: Moment,
    conns: Option<(u64, u64)>,
}

impl Due {
    /// Whether it is meant for this connection.
    pub(super) fn reaches(&self, conn: u64) -> bool {
        self.conns.is_none_or(|(rest, of)| conn % of == rest)
    }
}

/// All faults of a venue.
#[derive(Debug)]
pub(super) struct Faults {
    rng: Rng,
    active: Vec<Active>,
    counts: BTreeMap<&'static str, u64>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed, 2), active: Vec::new(), counts: BTreeMap::new() }
    }

    /// Takes a fault into force; its times count from `now`.
    pub(super) fn add(&mut self, spec: FaultSpec, now: Duration) {
        self.counts.entry(spec.kind.name()).or_insert(0);
        let next = spec.kind.is_momentary().then_some(match spec.when {
            When::At(at) => now + at,
            When::Every(period) => now + period,
            When::Always | When::Window(_) => now,
        });
        self.active.push(Active { spec, base: now, next, armed: 0 });
    }

    /// Lets every fault go; counts stay.
    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    /// How often each fault that was ever given was applied.
    pub(super) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Counts one application.
    pub(super) fn applied(&mut self, name: &'static str) {
        *self.counts.entry(name).or_insert(0) += 1;
    }

    /// Whether `user` is silent on this connection; counted as one frame kept back.
    pub(super) fn muted(&mut self, conn: u64, user: &str, now: Duration) -> bool {
        let muted = self.active.iter().any(|fault| {
            let Kind::Mute(who) = &fault.spec.kind else { return false };
            who.as_deref().is_none_or(|who| who == user) && fault.holds(now, Some(conn))
        });
        if muted {
            self.applied("mute");
        }
        muted
    }

    /// Whether `user`'s states show other positions.
    pub(super) fn wrong_state(&mut self, user: &str, now: Duration) -> bool {
        let wrong = self.active.iter().any(|fault| {
            let Kind::WrongState(who) = &fault.spec.kind else { return false };
            who.as_deref().is_none_or(|who| who == user) && fault.holds(now, None)
        });
        if wrong {
            self.applied("wrong-state");
        }
        wrong
    }

    /// Whether everything is down; not counted (the venue counts when it cuts).
    pub(super) fn outage(&self, now: Duration) -> bool {
        self.active.iter().any(|fault| fault.spec.kind == Kind::Outage && fault.holds(now, None))
    }

    /// The fate of an upgrade request.
    pub(super) fn handshake(&mut self, now: Duration) -> Option<HandshakeFate> {
        let fate = self.active.iter().find_map(|fault| {
            let Kind::Handshake(status) = fault.spec.kind else { return None };
            let fate = status.map_or(HandshakeFate::Hang, HandshakeFate::Refuse);
            fault.holds(now, None).then_some(fate)
        })?;
        self.applied("handshake");
        Some(fate)
    }

    /// The fate of a data frame. `live` frames can be lost, doubled and damaged; snapshots and states only delayed.
    pub(super) fn frame(&mut self, conn: u64, live: bool, now: Duration) -> FrameFate {
        let mut fate = FrameFate { copies: vec![Duration::ZERO], ..FrameFate::default() };
        let (mut dropped, mut doubled) = (false, false);
        let mut hit = Vec::new();
        for fault in &self.active {
            let Kind::Frame(what, p) = &fault.spec.kind else { continue };
            let fits = match what {
                FrameFault::Delay(_) => true,
                FrameFault::Split => false, // asked for before the frame is made
                FrameFault::Drop
                | FrameFault::Dup
                | FrameFault::Corrupt
                | FrameFault::Truncate
                | FrameFault::Fragment => live,
            };
            if !fits || !fault.holds(now, Some(conn)) || !self.rng.chance(*p) {
                continue;
            }
            match what {
                FrameFault::Drop => dropped = true,
                FrameFault::Dup => doubled = true,
                FrameFault::Corrupt => fate.corrupt = true,
                FrameFault::Truncate => fate.truncate = true,
                FrameFault::Fragment => fate.fragment = true,
                FrameFault::Delay(range) => {
                    fate.copies = vec![Duration::from_millis(self.rng.between(range.start, range.end))];
                }
                FrameFault::Split => {}
            }
            hit.push(fault.spec.kind.name());
        }
        if dropped {
            hit.retain(|name| *name == "drop"); // a lost frame has no other fate
            fate = FrameFate::default();
        } else if doubled {
            fate.copies.push(fate.copies.first().copied().unwrap_or_default());
        }
        for name in hit {
            self.applied(name);
        }
        fate
    }

    /// Whether a frame of several rows comes as two.
    pub(super) fn split(&mut self, conn: u64, now: Duration) -> bool {
        let mut hit = false;
        for fault in &self.active {
            if let Kind::Frame(FrameFault::Split, p) = fault.spec.kind {
                hit |= fault.holds(now, Some(conn)) && self.rng.chance(p);
            }
        }
        if hit {
            self.applied("split");
        }
        hit
    }

    /// The fate of an info answer; `rows` when it answers with rows of history.
    pub(super) fn info(&mut self, rows: bool, now: Duration) -> InfoFate {
        let mut fate = InfoFate::default();
        let mut hit = Vec::new();
        for fault in &self.active {
            let Kind::Info(what, p) = &fault.spec.kind else { continue };
            if (what.needs_rows() && !rows) || !fault.holds(now, None) || !self.rng.chance(*p) {
                continue;
            }
            match what {
                InfoFault::TooMany => fate.status = Some(429),
                InfoFault::Broken => fate.status = Some(500),
                InfoFault::Half => fate.half = true,
                InfoFault::Short => fate.short = true,
                InfoFault::Empty => fate.empty = true,
                InfoFault::Stale(age) => fate.stale = *age,
                InfoFault::Slow(range) => {
                    fate.delay = Duration::from_millis(self.rng.between(range.start, range.end));
                }
            }
            hit.push(fault.spec.kind.name());
        }
        for name in hit {
            self.applied(name);
        }
        fate
    }

    /// Whether this subscribe is to be swallowed.
    pub(super) fn swallow_subscribe(&mut self, conn: u64) -> bool {
        let armed = self.active.iter_mut().find(|fault| {
            matches!(fault.spec.kind, Kind::NoAck(_)) && fault.armed > 0 && fault.reaches(Some(conn))
        });
        let Some(fault) = armed else { return false };
        fault.armed -= 1;
        self.applied("no-ack");
        true
    }

    /// The alterations the next live `userFills` frame of this connection carries.
    pub(super) fn alterations(&mut self, conn: u64) -> Vec<Alteration> {
        let mut found = Vec::new();
        let mut names = Vec::new();
        for fault in self.active.iter_mut().filter(|fault| fault.armed > 0 && fault.reaches(Some(conn))) {
            if let Kind::Alter(alteration) = fault.spec.kind {
                fault.armed -= 1;
                found.push(alteration);
                names.push(fault.spec.kind.name());
            }
        }
        for name in names {
            self.applied(name);
        }
        found
    }

    /// Arms what waits for a frame or a subscribe, and returns what the venue must do now.
    pub(super) fn due(&mut self, now: Duration) -> Vec<Due> {
        let mut due = Vec::new();
        for (index, fault) in self.active.iter_mut().enumerate() {
            let Some(at) = fault.next.filter(|at| *at <= now) else { continue };
            fault.next = match fault.spec.when {
                When::Every(period) => Some(if at + period > now { at + period } else { now + period }),
                When::At(_) | When::Always | When::Window(_) => None,
            };
            match &fault.spec.kind {
                Kind::Alter(_) => fault.armed = fault.armed.saturating_add(1),
                Kind::NoAck(n) => fault.armed = fault.armed.saturating_add(*n),
                Kind::Moment(moment) => {
                    due.push(Due { index, moment: moment.clone(), conns: fault.spec.conns });
                }
                Kind::Frame(..)
                | Kind::Info(..)
                | Kind::Mute(_)
                | Kind::WrongState(_)
                | Kind::Outage
                | Kind::Handshake(_) => {}
            }
        }
        due
    }

    /// Nobody was there to be hit: try again soon.
    pub(super) fn retry(&mut self, due: &Due, now: Duration) {
        if let Some(fault) = self.active.get_mut(due.index) {
            fault.next = Some(now + RETRY);
        }
    }

    /// When [`due`](Self::due) has something to say, or an outage begins.
    pub(super) fn next_deadline(&self, now: Duration) -> Option<Duration> {
        let moments = self.active.iter().filter_map(|fault| fault.next);
        let outages = self.active.iter().filter_map(|fault| match (&fault.spec.kind, &fault.spec.when) {
            (Kind::Outage, When::Window(window)) => Some(fault.base + window.start).filter(|at| *at > now),
            _ => None,
        });
        moments.chain(outages).min()
    }

    /// Draws from the faults' own sequence, for what the venue edits.
    pub(super) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

#[cfg(test)]
mod tests;
