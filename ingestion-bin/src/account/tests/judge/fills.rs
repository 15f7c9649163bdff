//! The venue's fills one by one: each that had to be followed is a signal or declared, and certified no sooner.

use std::collections::{HashMap, HashSet};

use dedup::FillKey;

use super::super::super::{GapKind, GapState, Record, Stream};
use super::super::venue::Fill;
use super::super::world::{Fault, World};
use super::Judge;

impl Judge {
    /// I1: each fill that had to be followed is a signal, or declared; what history still shows is a signal.
    pub(super) fn fills(&mut self, world: &World) {
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
            if self.shed.contains(&fill.index) {
                // D1: by a gap of its own kind, whatever else covers it.
                if self.shed_gap_of(fill.time()) {
                    self.count("declared as shed".into());
                } else {
                    self.violated("shed-undeclared", format!("#{}", fill.index));
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
            let shown = world.journal.iter().find_map(|record| match record {
                Record::Event(event) if event.key == key => Some((event.stream, event.time)),
                _ => None,
            });
            let time = shown.map(|(_, time)| time);
            // What history has forgotten it cannot contradict: that span is declared.
            let unreadable = self
                .gaps
                .values()
                .any(|(_, gap)| gap.id.kind == GapKind::History && time.is_some_and(|time| gap.covers(time)));
            let recent = unreadable || time > Some(world.settled_to);
            self.count("phantom signal".into());
            if !excused && !recent {
                if shown.is_some_and(|(stream, time)| self.is_in_doubt(world, stream, time)) {
                    self.count("phantom in doubt for want of weight".into());
                } else {
                    self.violated("phantom-undeclared", format!("{key:?}"));
                }
            }
        }
    }

    pub(super) fn required(&self, fill: &Fill) -> bool {
        self.lives.iter().any(|life| life.requires(fill))
    }

    /// A slice of an account whose TWAP stream was off at times.
    pub(super) fn switched_off(&self, fill: &Fill) -> bool {
        fill.stream == Stream::Twap && self.lives.iter().any(|life| life.switched)
    }

    pub(super) fn in_conflict(&self, key: FillKey) -> bool {
        self.gaps.values().any(|(_, gap)| gap.keys.contains(&key))
    }

    fn shed_gap_of(&self, time: i64) -> bool {
        self.gaps.values().any(|(_, gap)| {
            let ended = gap.state == GapState::Unfillable && gap.id.from < time;
            ended && matches!(gap.id.kind, GapKind::Shed | GapKind::History) && gap.covers(time)
        })
    }

    pub(super) fn covered(&self, fill: &Fill) -> bool {
        self.gaps.values().any(|(_, gap)| {
            gap.state != GapState::Repaired
                && gap.id.market.as_ref().is_none_or(|market| *market == fill.row.market)
                && gap.id.kind != GapKind::Conflict
                && gap.covers(fill.time())
        })
    }

    /// C: at the moment it is recorded, everything at or before is published or declared.
    pub(super) fn certified(&mut self, world: &World) {
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
}
