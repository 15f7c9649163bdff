//! What consumers are told besides the signals: which path brought them, what follows in the same batch, and the gaps as one
//! knows them who obeys the reset of a new epoch.

use std::collections::HashMap;

use super::super::super::{Event, Gap, GapState, Origin, Record, Stream};
use super::super::world::World;
use super::Judge;

impl Judge {
    /// By which path a signal came.
    pub(super) fn count_path(&mut self, world: &World, event: &Event<u32>) {
        let path = match (event.origin, event.stream) {
            (Origin::Live, _) if world.missed.contains(&event.payload) => "brought by the other listener",
            (Origin::Live, _) => "brought live",
            (Origin::Snapshot, _) => "brought by a snapshot",
            (Origin::Backfill, Stream::Fills) => "brought by userFillsByTime",
            (Origin::Backfill, Stream::Twap) => "brought by userTwapSliceFillsByTime",
        };
        self.count(path.into());
        if event.late {
            self.count("published late".into());
        } else if event.origin == Origin::Backfill {
            self.count("caught up before newer live rows".into());
        }
        if event.more {
            self.count("event with more to follow".into());
        }
    }

    /// A consumer of gap records: `repaired` ends one, every other state replaces it.
    pub(super) fn tell(&mut self, gap: &Gap) {
        if gap.state == GapState::Repaired {
            self.told.remove(&gap.id);
        } else {
            self.told.insert(gap.id.clone(), gap.clone());
        }
    }

    /// Who obeys the reset knows exactly the gaps that are open or unfillable.
    pub(super) fn consumer(&mut self, world: &World) {
        let Some(machine) = &world.machine else { return };
        let kept = machine.ledger().gaps();
        let stands = |gap: &Gap| (gap.state, gap.to);
        let told: Vec<&Gap> = self.told.values().collect();
        let untold = kept.iter().find(|gap| self.told.get(&gap.id).map(stands) != Some(stands(gap)));
        let extra = told.iter().find(|gap| machine.ledger().gap(&gap.id).is_none());
        if untold.is_some() || extra.is_some() {
            let detail = format!("untold {untold:?}, told in vain {extra:?}");
            self.violated("gaps-told-wrongly", detail);
        }
    }

    /// Q: `more` says whether another signal of the market follows in the same batch. Of the batch that a kill cut off nobody
    /// knows.
    pub(super) fn batches(&mut self, world: &World) {
        let mut last: HashMap<&str, (u64, bool)> = HashMap::new();
        let mut wrong = Vec::new();
        let mut newest = 0;
        for (at, record) in world.journal.iter().enumerate() {
            match record {
                Record::Epoch { .. } => last.retain(|_, (batch, _)| *batch != newest),
                Record::Event(event) if event.seq.is_some() => {
                    newest = world.batches[at];
                    let before = last.insert(event.market.as_str(), (newest, event.more));
                    if before.is_some_and(|(batch, more)| more != (batch == newest)) {
                        wrong.push(format!("before record {at} of {:?}", event.market));
                    }
                }
                _ => {}
            }
        }
        let open = last.values().filter(|(_, more)| *more).count();
        wrong.extend((open > 0).then(|| format!("{open} announced that never came")));
        wrong.into_iter().for_each(|detail| self.violated("more", detail));
    }
}
