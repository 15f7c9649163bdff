//! The journal read in order: chain, order, lateness, numbers.

use std::collections::HashMap;

use super::super::super::{Event, Fate, GapKind, GapState, Origin, Position, Record, Refusal, Stream};
use super::super::world::{Fault, PHANTOM, World};
use super::{Judge, Life};

impl Judge {
    /// The journal in order: order, chain, lateness, numbers.
    pub(super) fn read(&mut self, world: &World) {
        let mut seqs: HashMap<String, u64> = HashMap::new();
        let mut heads: HashMap<String, (u32, i64, Option<Position>)> = HashMap::new();
        let mut epoch = 0;
        let mut removals = 0;
        let mut removed = false;
        // Certificates that no machine made and that stand, by stream.
        let mut wrong: HashMap<usize, i64> = HashMap::new();
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
                    self.told.clear();
                    removed = false;
                    if *fresh || self.lives.is_empty() {
                        let on_its_way = if world.has(Fault::Lagging) { 68_000 } else { 8_000 };
                        self.lives.push(Life { on_its_way, ..Life::default() });
                        heads.clear();
                        self.shed_since.clear();
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
                Record::Heard { from } => {
                    self.count("heard before a baseline".into());
                    if let Some(life) = self.lives.last_mut().filter(|life| life.baselines == [None; 2]) {
                        life.first = Some(life.first.map_or(*from, |first| first.min(*from)));
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
                    if gap.id.kind == GapKind::Conflict && gap.state == GapState::Repaired {
                        self.count("conflict closed by history".into());
                    }
                    self.tell(gap);
                    self.gaps.insert(gap.id.clone(), (at, gap.clone()));
                }
                Record::Absorbed { gap } => {
                    self.count("gap absorbed".into());
                    self.gaps.remove(gap);
                    self.told.remove(gap);
                }
                Record::Certified { stream, to, .. } if world.wrong_certificates.contains(&at) => {
                    wrong.insert(*stream as usize, *to);
                }
                // It has another anchor and claims no more than the wrong one that stands.
                Record::Certified { stream, to, .. } if wrong.get(&(*stream as usize)) == Some(to) => {}
                Record::Certified { stream, to, .. } => {
                    wrong.remove(&(*stream as usize));
                    self.certified.push((*stream, *to, at));
                }
                Record::Refused { key, reason, .. } => {
                    self.count(format!("refused {reason:?}"));
                    if *reason == Refusal::Twin {
                        self.count("twin refused".into());
                    }
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

    pub(super) fn event(
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
            self.count("corrected".into());
            if !event.late
                && let Some(head) = heads.get_mut(market)
            {
                head.2 = after;
                if event.fate == Fate::Signal {
                    self.said.insert(market.into(), after);
                }
            }
            return;
        }
        if let Some(other) = event.supersedes {
            self.count("taken for its twin, replaced".into());
            self.superseded.insert(other);
        }
        let wrong =
            event.payload != PHANTOM && world.venue.all[event.payload as usize].row.digest != event.digest;
        if event.payload == PHANTOM {
            self.phantoms.push(event.key);
            if event.fate == Fate::Shed {
                self.shed_phantoms.push(event.time);
            }
            // H3: nothing makes a row of another time look like a copy.
            let copied = world.phantoms.get(&event.key).filter(|_| !world.mistimed.contains(&event.key));
            if let Some(&copied) = copied {
                self.copied.insert(copied, world.appended[at]);
            }
            if !event.late
                && let Some(head) = heads.get_mut(market)
            {
                head.2 = after;
                if event.fate == Fate::Signal {
                    self.shed_since.remove(market);
                    self.said.insert(market.into(), after);
                }
            }
            return;
        }
        let index = event.payload;
        let strict = world.venue.all[index as usize].row.strict;
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
        if event.fate == Fate::Signal {
            self.count_path(world, event);
        }
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
        let sheds = event.fate == Fate::Shed;
        let first = self.signals.get(&index).map(|(first, _)| *first);
        if first.is_some() || self.shed.contains(&index) {
            self.violated("twice", format!("#{index} records {first:?} and {at}"));
        }
        if sheds {
            self.shed.insert(index);
        } else {
            self.signals.insert(index, (at, event.late));
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
            if sheds {
                self.shed_since.insert(market.into());
            } else if self.shed_since.remove(market) && event.gap.is_none() {
                self.violated("shed-unnamed", format!("#{index}"));
            }
            if !sheds
                && self.said.insert(market.into(), after).is_some_and(|said| said != before)
                && event.gap.is_none()
                && strict
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
            self.begins.push((index, event.time));
            heads.insert(market.into(), (index, event.time, after));
            return;
        };
        let before = event.link.map(|link| link.before);
        if event.late {
            // R: nothing a listener showed goes out before what happened while nobody listened, unless a gap told so.
            let told = self.gaps.values().any(|(_, gap)| gap.covers(event.time));
            let overtaken = self.shown.get(market).is_some_and(|&(_, shown)| shown > event.time);
            // Of what is shed the gap says so, however far it was last told to reach.
            if world.venue.all[index as usize].unheard && !told && overtaken && !sheds {
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
            // What went out under a phantom's id was not missing.
            if let Some((_, gap)) = ended.filter(|_| !self.copied.contains_key(&index)) {
                let detail = format!("#{index} {gap:?}");
                self.violated("late-in-repaired", detail);
            }
            if index > newest {
                if event.time == time {
                    // Inside one millisecond frames that share no row cannot always be told apart (limits, §6).
                    self.count("ambiguous ms".into());
                } else if !world.has(Fault::Phantom) && !world.has(Fault::WrongTime) {
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
            } else if !strict {
                self.count("ambiguous ms without a chain".into());
            } else if event.gap.is_some() {
                self.count("unknown order in ms, declared".into());
            } else {
                self.violated("order-in-ms", format!("#{index} after #{newest}"));
            }
        }
        if !strict {
            // O6: nothing tells that something is missing.
            if event.gap.as_ref().is_some_and(|gap| gap.kind == GapKind::Chain) {
                self.violated("chain-gap-without-a-chain", format!("#{index} {:?}", event.gap));
            }
        } else if before != position && event.gap.is_none() && !wrong {
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
}
