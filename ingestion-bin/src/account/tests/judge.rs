//! What was promised, checked against the truth: the journal of a finished run beside the venue's fills.

mod fills;
mod gaps;
mod journal;
mod reading;
mod told;

use std::collections::{BTreeMap, HashMap, HashSet};

use dedup::FillKey;

use super::super::{Gap, GapId, Position, Stream};
use super::venue::Fill;
use super::world::World;

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
    /// Venue time of the first signal in its turn, or of what was heard before there was any baseline.
    first: Option<i64>,
    /// When slices were followed: their baseline, and when they were switched off.
    slices: Vec<(i64, Option<i64>)>,
    switched: bool,
    /// Venue time of its removal.
    end: Option<i64>,
    /// What happened so shortly before an end may have been on its way still, venue milliseconds.
    on_its_way: i64,
}

impl Life {
    /// Whether this fill must be a signal, or declared.
    fn requires(&self, fill: &Fill) -> bool {
        // B8: whatever is baseline, what happened since the first signal is not.
        let begins = |at: i64| self.first.map_or(at, |first| at.min(first));
        let in_time = |end: Option<i64>| end.is_none_or(|end| fill.time() < end - self.on_its_way);
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
    /// Fills that are in the journal and made no signal because a sink was behind.
    shed: HashSet<u32>,
    /// Times of rows that never happened, shed likewise.
    shed_phantoms: Vec<i64>,
    /// Markets of which something was shed in its turn since their last signal.
    shed_since: HashSet<String>,
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
    /// The first rows of markets that had no head, with their times.
    begins: Vec<(u32, i64)>,
    /// Where the signals of a market stand.
    said: HashMap<String, Option<Position>>,
    /// The gaps a consumer knows that follows the rule of gap records: a reset voids all of lower epochs.
    told: BTreeMap<GapId, Gap>,
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
    judge.batches(world);
    judge.consumer(world);
    (judge.violations, judge.counts)
}

impl Judge {
    fn violated(&mut self, what: &'static str, detail: String) {
        self.violations.push((what, detail));
    }

    fn count(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }
}
