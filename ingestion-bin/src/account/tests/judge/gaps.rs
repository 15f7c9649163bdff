//! What was declared: no gap without a reason, none that never ends, and after healing nothing waits.

use super::super::super::{Gap, GapKind, GapState, Stream};
use super::super::venue::Fill;
use super::super::world::{Fault, World};
use super::{Judge, SLOW_READS};

impl Judge {
    pub(super) fn gaps(&mut self, world: &World) {
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
            let missing = missing
                || (id.kind == GapKind::Shed && self.shed_phantoms.iter().any(|&time| gap.covers(time)));
            match (id.kind, gap.state) {
                (GapKind::History, _) => {
                    // The first fill ever begins from somewhere: older history is taken to be forgotten.
                    let oldest = world.venue.all.first().is_some_and(|fill| fill.time() >= gap.to);
                    let declared = oldest
                        || world.has(Fault::Retention)
                        || world.has(Fault::Dense)
                        || self.at_switch.contains(&id)
                        // B8: a slice there is baseline, though the account was followed.
                        || missing
                        || !world.removed_at.is_empty();
                    if !declared && self.looks_forgotten(world, &gap) {
                        self.count("history that lacks what never happened".into());
                    } else if !declared {
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
                    if !self.can_be_read_in_time(world, &gap) {
                        self.count("gap open for want of weight".into());
                    } else if self.history_is_blank(world, &gap) {
                        self.count("gap that history shows nothing of".into());
                    } else {
                        self.violated("gap-open-for-ever", format!("{gap:?}"));
                    }
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
                    let true_to_say =
                        missing || phantom || started || forgotten || !world.removed_at.is_empty();
                    if !true_to_say && self.begins_unknown(world, &gap) {
                        self.count("unknown begin of a chain".into());
                    } else if !true_to_say && self.lost_with_the_tail(world, &gap) {
                        self.count("baseline rows that a kill took".into());
                    } else if !true_to_say && self.overlaps_forgotten(world, &gap) {
                        self.count("gap inside of what looks forgotten".into());
                    } else if !true_to_say {
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
    pub(super) fn healed_to(&self, world: &World) -> i64 {
        let breaking = self.lives.last().is_some_and(|life| life.switched);
        let slack = if breaking { SLOW_READS.min(i64::MAX - world.settled_to) } else { 0 };
        world.settled_to - slack
    }

    /// After healing nothing waits any more.
    pub(super) fn liveness(&mut self, world: &World) {
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
                let stops = |gap: &Gap| {
                    let open = gap.state == GapState::Opened
                        && state.certified.is_some_and(|to| gap.id.from <= to + 1);
                    open && !self.can_be_read_in_time(world, gap)
                };
                if self.gaps.values().any(|(_, gap)| stops(gap)) {
                    self.count("certified behind a gap open for want of weight".into());
                    continue;
                }
                self.violated("certified-stuck", format!("{stream:?} {state:?}, newest #{}", fill.index));
            }
        }
    }
}
