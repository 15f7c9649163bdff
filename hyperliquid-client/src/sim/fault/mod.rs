//! Faults in force: seeded draws, windows and moments, and how often each was applied. `now` is the time since the
//! venue started; nothing is sent here, the venue asks and obeys. What a fault text means: [`FaultSpec`].

mod edit;
mod spec;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use self::edit::{alter, corrupt, injection, truncate};
use self::spec::When;
pub(super) use self::spec::{Alteration, Injection, Kind};
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
    pub(super) kind: Kind,
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
        let muted = self.active.iter().any(|fault| match &fault.spec.kind {
            Kind::Mute(who) => who.as_deref().is_none_or(|who| who == user) && fault.holds(now, Some(conn)),
            _ => false,
        });
        if muted {
            self.applied("mute");
        }
        muted
    }

    /// Whether everything is down; not counted (the venue counts when it cuts).
    pub(super) fn outage(&self, now: Duration) -> bool {
        self.active.iter().any(|fault| fault.spec.kind == Kind::Outage && fault.holds(now, None))
    }

    /// The fate of an upgrade request.
    pub(super) fn handshake(&mut self, now: Duration) -> Option<HandshakeFate> {
        let fate = self.active.iter().find_map(|fault| match fault.spec.kind {
            Kind::Handshake(status) if fault.holds(now, None) => {
                Some(status.map_or(HandshakeFate::Hang, HandshakeFate::Refuse))
            }
            _ => None,
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
            if !fault.holds(now, Some(conn)) {
                continue;
            }
            let (p, live_only) = match &fault.spec.kind {
                Kind::Drop(p) | Kind::Dup(p) | Kind::Corrupt(p) | Kind::Truncate(p) | Kind::Fragment(p) => {
                    (*p, true)
                }
                Kind::Delay(_, p) => (*p, false),
                _ => continue,
            };
            if (live_only && !live) || !self.rng.chance(p) {
                continue;
            }
            match &fault.spec.kind {
                Kind::Drop(_) => dropped = true,
                Kind::Dup(_) => doubled = true,
                Kind::Corrupt(_) => fate.corrupt = true,
                Kind::Truncate(_) => fate.truncate = true,
                Kind::Fragment(_) => fate.fragment = true,
                Kind::Delay(range, _) => {
                    fate.copies = vec![Duration::from_millis(self.rng.between(range.start, range.end))];
                }
                _ => {}
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
        let hit = self.rate(Some(conn), now, |kind| if let Kind::Split(p) = kind { Some(*p) } else { None });
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
            if !fault.holds(now, None) {
                continue;
            }
            let (p, rows_only) = match &fault.spec.kind {
                Kind::Info429(p) | Kind::Info500(p) | Kind::InfoHalf(p) => (*p, false),
                Kind::InfoSlow(_, p) => (*p, false),
                Kind::InfoShort(p) | Kind::InfoEmpty(p) => (*p, true),
                Kind::InfoStale(_, p) => (*p, true),
                _ => continue,
            };
            if (rows_only && !rows) || !self.rng.chance(p) {
                continue;
            }
            match &fault.spec.kind {
                Kind::Info429(_) => fate.status = Some(429),
                Kind::Info500(_) => fate.status = Some(500),
                Kind::InfoHalf(_) => fate.half = true,
                Kind::InfoShort(_) => fate.short = true,
                Kind::InfoEmpty(_) => fate.empty = true,
                Kind::InfoStale(age, _) => fate.stale = *age,
                Kind::InfoSlow(range, _) => {
                    fate.delay = Duration::from_millis(self.rng.between(range.start, range.end));
                }
                _ => {}
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
                When::Every(period) => Some(at + period).filter(|next| *next > now).or(Some(now + period)),
                _ => None,
            };
            match &fault.spec.kind {
                Kind::Alter(_) => fault.armed = fault.armed.saturating_add(1),
                Kind::NoAck(n) => fault.armed = fault.armed.saturating_add(*n),
                kind => due.push(Due { index, kind: kind.clone(), conns: fault.spec.conns }),
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

    fn rate(&mut self, conn: Option<u64>, now: Duration, p: impl Fn(&Kind) -> Option<f64>) -> bool {
        let mut hit = false;
        for fault in &self.active {
            if let Some(p) = p(&fault.spec.kind).filter(|_| fault.holds(now, conn)) {
                hit |= self.rng.chance(p);
            }
        }
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(specs: &[&str]) -> Faults {
        let mut faults = Faults::new(7);
        for spec in specs {
            faults.add(spec.parse().unwrap(), Duration::ZERO);
        }
        faults
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn rates_hold_and_every_application_is_counted() {
        let mut faults = faults(&["drop=0.1", "dup=0.2", "delay=5..9@0.5"]);
        let (mut lost, mut doubled, mut late) = (0, 0, 0);
        for _ in 0..10_000 {
            let fate = faults.frame(1, true, s(1));
            lost += u64::from(fate.copies.is_empty());
            doubled += u64::from(fate.copies.len() == 2);
            late += u64::from(fate.copies.first().is_some_and(|delay| !delay.is_zero()));
        }
        assert!(
            (800..1200).contains(&lost) && (1500..2100).contains(&doubled) && (4000..5000).contains(&late)
        );
        assert_eq!(faults.counts(), &BTreeMap::from([("delay", late), ("drop", lost), ("dup", doubled)]));
        assert_eq!(faults.frame(1, false, s(1)).corrupt, false);
    }

    #[test]
    fn windows_moments_and_connections_are_kept() {
        let mut faults =
            faults(&["mute=*@10s..20s#1/2", "malformed@5s", "unfollowed@every:2s", "outage=30s..40s"]);
        assert!(!faults.muted(1, "0x", s(9)) && faults.muted(1, "0x", s(10)));
        assert!(!faults.muted(2, "0x", s(10)) && !faults.muted(1, "0x", s(20)));
        assert_eq!(faults.next_deadline(s(0)), Some(s(2)));
        assert_eq!(faults.due(s(2)).len(), 1);
        assert!(faults.due(s(3)).is_empty());
        assert_eq!(faults.due(s(5)).len(), 2);
        let due = faults.due(s(6)).pop().unwrap();
        faults.retry(&due, s(6));
        assert_eq!(faults.next_deadline(s(6)), Some(s(6) + RETRY));
        assert!(faults.outage(s(30)) && !faults.outage(s(40)));
        assert_eq!(faults.counts().get("outage"), Some(&0), "given but not yet applied is visible as zero");
    }

    #[test]
    fn armed_faults_wait_for_their_frame() {
        let mut faults = faults(&["mismatch@1s", "no-ack=2@1s"]);
        assert!(faults.alterations(1).is_empty() && !faults.swallow_subscribe(1));
        assert!(faults.due(s(1)).is_empty());
        assert_eq!(faults.alterations(1), [Alteration::Mismatch]);
        assert!(faults.alterations(1).is_empty());
        assert!(faults.swallow_subscribe(1) && faults.swallow_subscribe(1) && !faults.swallow_subscribe(1));
    }

    #[test]
    fn one_seed_gives_one_run() {
        let run = || {
            let mut faults = faults(&["drop=0.3", "delay=0..100@0.3", "info-short=0.4"]);
            (0..200).map(|i| (faults.frame(i, true, s(i)), faults.info(true, s(i)))).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}
