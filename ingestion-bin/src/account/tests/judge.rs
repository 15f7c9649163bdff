//! What was promised, checked against the truth: the journal of a finished run beside the venue's fills.

use std::collections::{BTreeMap, HashMap, HashSet};

use dedup::FillKey;

use super::super::{Event, Fate, Gap, GapId, GapKind, GapState, Origin, Position, Record, Stream};
use super::venue::Fill;
use super::world::{Fault, PHANTOM, World};

/// What trading without an end may hold back, venue milliseconds.
const SLOW_READS: i64 = 660_000;

/// One promise that was not kept.
pub(super) type Violation = (&'static str, String);

/// One span of being followed.
#[derive(Clone, Debug, Default)]
struct Life {
    baselines: [Option<i64>; 2],
    /// From when on every row of a stream is known, baseline ones included.
    since: [Option<i64>; 2],
    /// Venue time of the first signal in its turn.
    first: Option<i64>,
    /// When slices were followed: their baseline, and when they were switched off.
    slices: Vec<(i64, Option<i64>)>,
    switched: bool,
    /// Venue time of its removal.
    end: Option<i64>,
}

impl Life {
    /// Whether this fill must be a signal, or declared.
    fn requires(&self, fill: &Fill) -> bool {
        // B8: whatever is baseline, what happened since the first signal is not.
        let begins = |at: i64| self.first.map_or(at, |first| at.min(first));
        let in_time = |end: Option<i64>| end.is_none_or(|end| fill.time() < end - 8_000);
        let followed = match fill.stream {
            Stream::Fills => self.baselines[0].is_some_and(|at| fill.time() > begins(at)),
            Stream::Twap => self.slices.iter().any(|&(at, end)| {
                let at = if self.switched { at } else { begins(at) };
                fill.time() > at && in_time(end)
            }),
        };
        followed && in_time(self.end)
    }
}

#[derive(Default)]
struct Judge {
    violations: Vec<Violation>,
    counts: BTreeMap<String, u64>,
    /// Fill -> index of its record, and whether it was late.
    signals: HashMap<u32, (usize, bool)>,
    baselines: HashSet<u32>,
    content: HashMap<FillKey, dedup::Digest>,
    gaps: BTreeMap<GapId, (usize, Gap)>,
    lives: Vec<Life>,
    certified: Vec<(Stream, i64, usize)>,
    phantoms: Vec<FillKey>,
    superseded: HashSet<FillKey>,
    /// When the copy of a fill went out.
    copied: HashMap<u32, i64>,
    refused: HashSet<FillKey>,
    /// What was declared because a stream was switched off before it was certified.
    at_switch: HashSet<GapId>,
    /// Where the signals of a market stand.
    said: HashMap<String, Option<Position>>,
    /// Newest row of a market that a listener brought and that went out in its turn.
    shown: HashMap<String, (u32, i64)>,
}

/// All violations of a run, and how often each kind of record occurred.
pub(super) fn judge(world: &mut World) -> (Vec<Violation>, BTreeMap<String, u64>) {
    let mut judge = Judge { violations: std::mem::take(&mut world.problems), ..Judge::default() };
    judge.read(world);
    judge.fills(world);
    judge.certified(world);
    judge.gaps(world);
    judge.liveness(world);
    (judge.violations, judge.counts)
}

impl Judge {
    fn violated(&mut self, what: &'static str, detail: String) {
        self.violations.push((what, detail));
    }

    fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// The journal in order: order, chain, lateness, numbers.
    fn read(&mut self, world: &World) {
        let mut seqs: HashMap<String, u64> = HashMap::new();
        let mut heads: HashMap<String, (u32, i64, Option<Position>)> = HashMap::new();
        let mut epoch = 0;
        let mut removals = 0;
        let mut removed = false;
        for (at, record) in world.journal.iter().enumerate() {
            if removed && !matches!(record, Record::Epoch { .. }) {
                self.violated("after-removal", format!("{record:?}"));
            }
            match record {
                Record::Epoch { epoch: next, fresh, twap, .. } => {
                    if *next <= epoch {
                        self.violated("epoch", format!("{next} after {epoch}"));
                    }
                    epoch = *next;
                    seqs.clear();
                    removed = false;
                    if *fresh || self.lives.is_empty() {
                        self.lives.push(Life::default());
                        heads.clear();
                    }
                    if !twap {
                        let gaps = world.journal[at + 1..].iter().map_while(|record| match record {
                            Record::Gap(gap) => Some(gap),
                            _ => None,
                        });
                        let new = gaps.filter(|gap| {
                            gap.id.kind == GapKind::History
                                && self.gaps.get(&gap.id).is_none_or(|(_, known)| known.to < gap.to)
                        });
                        self.at_switch.extend(new.map(|gap| gap.id.clone()));
                    }
                    if let Some(life) = self.lives.last_mut().filter(|_| !twap) {
                        life.switched = true;
                        if let Some((_, end @ None)) = life.slices.last_mut() {
                            *end = world
                                .kills
                                .iter()
                                .rfind(|&&kill| kill < world.appended[at])
                                .map(|at| world.began + at);
                        }
                    }
                }
                Record::Baseline { stream, at, .. } => {
                    if let Some(life) = self.lives.last_mut() {
                        life.baselines[*stream as usize] = Some(*at);
                        life.since[*stream as usize] = Some(*at);
                        if *stream == Stream::Twap {
                            life.slices.push((*at, None));
                        }
                    }
                }
                Record::Event(event) => {
                    if self.lives.last().is_none_or(|life| life.baselines[event.stream as usize].is_none()) {
                        self.violated("before-baseline", format!("{event:?}"));
                    }
                    if let Some(seq) = event.seq {
                        let last = seqs.entry(event.market.as_str().into()).or_default();
                        *last += 1;
                        if *last != seq {
                            let expected = *last;
                            self.violated("seq", format!("{seq} instead of {expected}"));
                        }
                    }
                    self.event(world, at, event, &mut heads);
                }
                Record::Gap(gap) => {
                    if !self.gaps.contains_key(&gap.id) {
                        self.count(format!("gap {:?}", gap.id.kind));
                    }
                    self.count(format!("gap {:?} {:?}", gap.id.kind, gap.state));
                    self.gaps.insert(gap.id.clone(), (at, gap.clone()));
                }
                Record::Absorbed { gap } => {
                    self.count("gap absorbed".into());
                    self.gaps.remove(gap);
                }
                Record::Certified { stream, to, .. } => self.certified.push((*stream, *to, at)),
                Record::Refused { key, reason, .. } => {
                    self.count(format!("refused {reason:?}"));
                    self.refused.insert(*key);
                }
                Record::Removed => {
                    removed = true;
                    if let Some(life) = self.lives.last_mut() {
                        life.end = world.removed_at.get(removals).copied();
                    }
                    removals += 1;
                }
            }
        }
    }

    fn event(
        &mut self,
        world: &World,
        at: usize,
        event: &Event<u32>,
        heads: &mut HashMap<String, (u32, i64, Option<Position>)>,
    ) {
        self.content.insert(event.key, event.digest);
        let after = event.link.map(|link| link.after);
        let market = event.market.as_str();
        if event.revision > 0 {
            self.count("event correction".into());
            if !event.late
                && let Some(head) = heads.get_mut(market)
            {
                head.2 = after;
                self.said.insert(market.into(), after);
            }
            return;
        }
        if let Some(other) = event.supersedes {
            self.count("event superseding".into());
            self.superseded.insert(other);
        }
        let wrong =
            event.payload != PHANTOM && world.venue.all[event.payload as usize].row.digest != event.digest;
        if event.payload == PHANTOM {
            self.phantoms.push(event.key);
            if let Some(&copied) = world.phantoms.get(&event.key) {
                self.copied.insert(copied, world.appended[at]);
            }
            if !event.late
                && let Some(head) = heads.get_mut(market)
            {
                head.2 = after;
                self.said.insert(market.into(), after);
            }
            return;
        }
        let index = event.payload;
        // H3: the true row behind a phantom that went out waits for history (as long as history takes to decide).
        let plain = event.supersedes.is_none() && event.origin == Origin::Live && !wrong;
        let waits = plain && self.copied.get(&index).is_some_and(|since| world.appended[at] - since < 2_000);
        // A listener that shows both ids itself vouches for both: they may be two fills.
        if waits && world.vouched.contains(&index) {
            self.count("phantom and its fill by one listener".into());
        } else if waits {
            self.violated("phantom-doubled", format!("#{index}"));
        }
        self.count(format!(
            "event {:?} {:?}{}",
            event.fate,
            event.origin,
            if event.late { " late" } else { "" }
        ));
        if event.fate == Fate::Baseline {
            self.baselines.insert(index);
            if let Some(since) =
                self.lives.last_mut().and_then(|life| life.since[event.stream as usize].as_mut())
            {
                *since = event.time.min(*since);
            }
            if !event.late {
                heads.insert(market.into(), (index, event.time, after));
            }
            return;
        }
        if let Some((first, _)) = self.signals.insert(index, (at, event.late)) {
            self.violated("twice", format!("#{index} records {first} and {at}"));
        }
        if self.baselines.contains(&index) {
            self.violated("baseline-and-signal", format!("#{index}"));
        }
        if let Some(id) = &event.gap
            && !self.gaps.contains_key(id)
        {
            self.violated("gap-after-its-event", format!("#{index} {id:?}"));
        }
        if !event.late {
            let before = event.link.map(|link| link.before);
            if self.said.insert(market.into(), after).is_some_and(|said| said != before)
                && event.gap.is_none()
                && !wrong
            {
                self.violated("signals-chain", format!("#{index} begins at {before:?}"));
            }
            let own = self.lives.last().and_then(|life| life.baselines[event.stream as usize]);
            if let Some(life) = self.lives.last_mut().filter(|_| Some(event.time) > own) {
                life.first = Some(life.first.map_or(event.time, |first| first.min(event.time)));
            }
        }
        let Some(&(newest, time, position)) = heads.get(market) else {
            heads.insert(market.into(), (index, event.time, after));
            return;
        };
        let before = event.link.map(|link| link.before);
        if event.late {
            // R: nothing a listener showed goes out before what happened while nobody listened, unless a gap told so.
            let told = self.gaps.values().any(|(_, gap)| gap.covers(event.time));
            let overtaken = self.shown.get(market).is_some_and(|&(_, shown)| shown > event.time);
            if world.venue.all[index as usize].unheard && !told && overtaken {
                // What only a bad answer could have told apart is not promised (limits, §6).
                let bad =
                    [Fault::Holey, Fault::Short, Fault::Stale, Fault::Disorder, Fault::Lag, Fault::Start];
                if bad.iter().any(|&fault| world.has(fault)) {
                    self.count("late from a blind time, unsaid".into());
                } else {
                    self.violated("late-unsaid", format!("#{index} after #{newest}"));
                }
            }
            let ended = self.gaps.values().find(|(_, gap)| {
                gap.state == GapState::Repaired
                    && gap.id.market.as_ref() == Some(&event.market)
                    && gap.id.from < event.time
                    && event.time < gap.to
            });
            if let Some((_, gap)) = ended {
                let detail = format!("#{index} {gap:?}");
                self.violated("late-in-repaired", detail);
            }
            if index > newest {
                if event.time == time {
                    // Inside one millisecond frames that share no row cannot always be told apart (limits, §6).
                    self.count("ambiguous ms".into());
                } else if !world.has(Fault::Phantom) {
                    self.violated("late-but-newest", format!("#{index} after #{newest}"));
                }
            }
            return;
        }
        if event.time < time {
            self.violated("order", format!("#{index} after #{newest}"));
        } else if index < newest {
            if before == position {
                self.count("ambiguous ms".into());
            } else if event.gap.is_some() {
                self.count("unknown order in ms, declared".into());
            } else {
                self.violated("order-in-ms", format!("#{index} after #{newest}"));
            }
        }
        if before != position && event.gap.is_none() && !wrong {
            // O5: nobody can tell whether a row is missing there, or was of a stream that is known only since later.
            let since = self.lives.last().map(|life| life.since).unwrap_or_default();
            let unknown = since.into_iter().flatten().any(|since| since > time);
            if self.baselines.contains(&newest) && unknown {
                self.count("break before what is followed, unsaid".into());
            } else {
                self.violated("chain", format!("#{index} begins at {before:?}, head {position:?}"));
            }
        }
        heads.insert(market.into(), (index, event.time, after));
        if event.origin != Origin::Backfill {
            self.shown.insert(market.into(), (index, event.time));
        }
    }

    /// I1: each fill that had to be followed is a signal, or declared; what history still shows is a signal.
    fn fills(&mut self, world: &World) {
        for fill in &world.venue.all {
            if fill.time() > world.settled_to || !self.required(fill) {
                continue;
            }
            let said = self.signals.contains_key(&fill.index);
            if said {
                let right = self.content.get(&fill.row.key) == Some(&fill.row.digest);
                if !right && !self.in_conflict(fill.row.key) && !self.covered(fill) {
                    self.violated("wrong-content", format!("#{}", fill.index));
                }
                continue;
            }
            if self.baselines.contains(&fill.index) {
                if !self.covered(fill) {
                    self.violated("required-as-baseline", format!("#{}", fill.index));
                }
                continue;
            }
            let gone = !world.venue.kept(fill.stream).contains(&fill.index);
            if !self.covered(fill) {
                let what = if gone { "lost-undeclared-forgotten-by-venue" } else { "lost-undeclared" };
                self.violated(
                    what,
                    format!("#{} at {} {:?}", fill.index, fill.time() - world.began, fill.stream),
                );
            } else if !gone
                && !world.has(Fault::Dense)
                && world.removed_at.is_empty()
                && !self.switched_off(fill)
            {
                self.violated("lost-declared-but-in-history", format!("#{}", fill.index));
            } else {
                self.count("declared loss".into());
            }
        }
        for &key in &self.phantoms.clone() {
            let excused =
                self.in_conflict(key) || self.superseded.contains(&key) || !world.removed_at.is_empty();
            let time = world.journal.iter().find_map(|record| match record {
                Record::Event(event) if event.key == key => Some(event.time),
                _ => None,
            });
            // What history has forgotten it cannot contradict: that span is declared.
            let unreadable = self
                .gaps
                .values()
                .any(|(_, gap)| gap.id.kind == GapKind::History && time.is_some_and(|time| gap.covers(time)));
            let recent = unreadable || time > Some(world.settled_to);
            self.count("phantom signal".into());
            if !excused && !recent {
                self.violated("phantom-undeclared", format!("{key:?}"));
            }
        }
    }

    fn required(&self, fill: &Fill) -> bool {
        self.lives.iter().any(|life| life.requires(fill))
    }

    /// A slice of an account whose TWAP stream was off at times.
    fn switched_off(&self, fill: &Fill) -> bool {
        fill.stream == Stream::Twap && self.lives.iter().any(|life| life.switched)
    }

    fn in_conflict(&self, key: FillKey) -> bool {
        self.gaps.values().any(|(_, gap)| gap.keys.contains(&key))
    }

    fn covered(&self, fill: &Fill) -> bool {
        self.gaps.values().any(|(_, gap)| {
            gap.state != GapState::Repaired
                && gap.id.market.as_ref().is_none_or(|market| *market == fill.row.market)
                && gap.id.kind != GapKind::Conflict
                && gap.covers(fill.time())
        })
    }

    /// C: at the moment it is recorded, everything at or before is published or declared.
    fn certified(&mut self, world: &World) {
        let mut past = HashSet::new();
        let mut lowest = HashMap::new();
        for &(stream, to, at) in &self.certified {
            let last = lowest.insert(stream, to).unwrap_or(i64::MIN);
            let rows = &world.venue.streams[stream as usize];
            let first = rows.partition_point(|&index| world.venue.all[index as usize].time() <= last.min(to));
            for &index in &rows[first..] {
                let fill = &world.venue.all[index as usize];
                if fill.time() > to {
                    break;
                }
                let published = self.signals.get(&index).is_some_and(|&(when, _)| when < at);
                if self.required(fill)
                    && !published
                    && !self.baselines.contains(&index)
                    && !self.covered(fill)
                {
                    past.insert(index);
                }
            }
        }
        for index in past {
            self.violated("certified-past-unpublished", format!("#{index}"));
        }
    }

    fn gaps(&mut self, world: &World) {
        let said = |judge: &Self, fill: &Fill| {
            judge.signals.contains_key(&fill.index) || judge.baselines.contains(&fill.index)
        };
        let last = self.lives.last().cloned().unwrap_or_default();
        for (id, (_, gap)) in self.gaps.clone() {
            let inside = |fill: &&Fill| {
                gap.covers(fill.time()) && id.market.as_ref().is_none_or(|market| *market == fill.row.market)
            };
            let missing = world.venue.all.iter().filter(inside).any(|fill| {
                // A slice from while the stream was off may be baseline: it breaks the signals' chain all the same.
                let unsaid = self.switched_off(fill) && !self.signals.contains_key(&fill.index);
                unsaid || (self.required(fill) && !said(self, fill))
            });
            match (id.kind, gap.state) {
                (GapKind::History, _) => {
                    // The first fill ever begins from somewhere: older history is taken to be forgotten.
                    let oldest = world.venue.all.first().is_some_and(|fill| fill.time() >= gap.to);
                    let declared = oldest
                        || world.has(Fault::Retention)
                        || world.has(Fault::Dense)
                        || self.at_switch.contains(&id)
                        || !world.removed_at.is_empty();
                    if !declared {
                        self.violated("false-history-gap", format!("{gap:?}"));
                    }
                }
                (GapKind::Conflict, GapState::Opened | GapState::Unfillable) => {
                    let settled =
                        |fill: &&Fill| gap.keys.contains(&fill.row.key) && fill.time() < world.settled_to;
                    let real: Vec<&Fill> = world.venue.all.iter().filter(settled).collect();
                    let asked = |fill: &Fill| fill.stream == Stream::Fills || world.settings.twap;
                    let decidable = real.iter().any(|fill| asked(fill) && world.venue.can_show(fill));
                    if decidable && world.removed_at.is_empty() && !world.has(Fault::Retention) {
                        self.violated("false-conflict", format!("{gap:?}"));
                    } else if !real.is_empty() && !decidable {
                        // Only history decides (K1, C2): it never shows these, or their endpoint is asked no more.
                        self.count("conflict over what history cannot show".into());
                    }
                }
                (_, GapState::Opened) if gap.to < self.healed_to(world) && last.end.is_none() => {
                    self.violated("gap-open-for-ever", format!("{gap:?}"));
                }
                (_, GapState::Unfillable) => {
                    // A phantom breaks the chain by itself (limits, §6): its conflict stands beside the gap.
                    let phantom = self.gaps.values().any(|(_, other)| {
                        other.id.kind == GapKind::Conflict
                            && other.id.market == id.market
                            && (gap.covers(other.id.from) || gap.covers(other.to))
                    });
                    let started = world.has(Fault::Start) && id.kind == GapKind::Outage;
                    let switched = self.gaps.iter().any(|(other, (_, span))| {
                        self.at_switch.contains(other) && id.from <= span.to && other.from <= gap.to
                    });
                    let forgotten = world.has(Fault::Retention) || world.has(Fault::Dense) || switched;
                    if !(missing || phantom || started || forgotten) && world.removed_at.is_empty() {
                        self.violated("false-unfillable", format!("{gap:?}"));
                    }
                }
                (_, GapState::Repaired) => {
                    let unsaid: Vec<u32> = world
                        .venue
                        .all
                        .iter()
                        .filter(inside)
                        .filter(|fill| fill.time() > id.from && fill.time() < gap.to)
                        .filter(|fill| self.required(fill) && !said(self, fill) && !self.covered(fill))
                        .map(|fill| fill.index)
                        .collect();
                    if !unsaid.is_empty() {
                        self.violated("repaired-but-missing", format!("{unsaid:?} {gap:?}"));
                    }
                }
                _ => {}
            }
        }
    }

    /// Up to where every gap must have ended. Slices nobody wants break chains without an end, and each break is read for.
    fn healed_to(&self, world: &World) -> i64 {
        let breaking = self.lives.last().is_some_and(|life| life.switched);
        let slack = if breaking { SLOW_READS.min(i64::MAX - world.settled_to) } else { 0 };
        world.settled_to - slack
    }

    /// After healing nothing waits any more.
    fn liveness(&mut self, world: &World) {
        let Some(machine) = world.machine.as_ref().filter(|_| !world.removed) else { return };
        let summary = machine.summary();
        if !summary.based {
            self.violated("no-baseline", format!("{summary:?}"));
            return;
        }
        if world.settled_to == i64::MAX && summary.held > 0 {
            self.violated("held-for-ever", format!("{summary:?}"));
        }
        for stream in machine.ledger().streams() {
            let state = machine.ledger().stream(stream);
            let newest = world.venue.streams[stream as usize]
                .iter()
                .map(|&index| &world.venue.all[index as usize])
                .rfind(|fill| fill.time() < world.settled_to && self.required(fill));
            if let Some(fill) = newest
                && state.certified.is_some_and(|to| {
                    to < fill.time() - 120_001 - SLOW_READS.min(i64::MAX - world.settled_to)
                })
            {
                self.violated("certified-stuck", format!("{stream:?} {state:?}, newest #{}", fill.index));
            }
        }
    }
}
