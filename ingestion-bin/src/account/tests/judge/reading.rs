//! What nobody could have told: the venue had not answered so often, or its answers looked the same either way.

use super::super::super::{Gap, Record, Stream};
use super::super::world::{WEIGHT, World};
use super::Judge;

/// Complete reads of each stream that a chain gap needs (C4).
const TRIES: i64 = 4;
/// How far history may lag, venue milliseconds: a read that began sooner says nothing of what happened then.
const MARGIN: i64 = 120_000;

impl Judge {
    /// C4: whether the venue's budget allows for all reads that a gap needs, from the first that counts to the end of the run.
    /// Reads that went wrong or ended with a process say nothing, so it may begin when all is well; each begins where the
    /// stream was certified then. What happens meanwhile makes them longer still.
    /// A gap that ends after the run has a wrong time for an end: no want of weight.
    pub(super) fn can_be_read_in_time(&self, world: &World, gap: &Gap) -> bool {
        let begin = (gap.to - world.began + MARGIN)
            .max(world.fault_end)
            .max(world.kills.last().copied().unwrap_or(0));
        let streams =
            Stream::ALL.into_iter().filter(|&stream| world.settings.twap || stream == Stream::Fills);
        let questions: i64 = streams
            .map(|stream| {
                let from = self.certified_at(world, stream, begin);
                let inside = |&&index: &&u32| {
                    let time = world.venue.all[index as usize].time();
                    from <= Some(time) && time <= world.began + begin
                };
                // Each page but the first begins with the last row of the one before.
                let rows = world.venue.streams[stream as usize].iter().filter(inside).count() as i64;
                rows / (world.venue.page as i64 - 1) + 1
            })
            .sum();
        gap.to > world.began + world.ends
            || begin + TRIES * questions * world.cost() * 60_000 / WEIGHT <= world.ends
    }

    /// Up to where a stream was certified at one of our times.
    fn certified_at(&self, world: &World, stream: Stream, at: i64) -> Option<i64> {
        let told = self
            .certified
            .iter()
            .rev()
            .find(|&&(of, _, record)| of == stream && world.appended[record] <= at);
        let begun = || self.lives.last().and_then(|life| life.baselines[stream as usize]);
        told.map(|&(_, to, _)| to).or_else(begun)
    }

    /// S6, limits (§6): history begins behind a row that went out and never happened. It looks as if it had forgotten it.
    pub(super) fn looks_forgotten(&self, world: &World, gap: &Gap) -> bool {
        let untold = |record: &&Record<u32>| !matches!(record, Record::Gap(told) if told.id == gap.id && told.to == gap.to);
        world.journal.iter().take_while(untold).any(|record| match record {
            Record::Event(event) if self.phantoms.contains(&event.key) => {
                let first = world.venue.streams[event.stream as usize].first();
                let begins = first.is_none_or(|&index| world.venue.all[index as usize].time() >= gap.to);
                begins && gap.id.from < event.time && event.time < gap.to
            }
            _ => false,
        })
    }

    /// Limits (§6): the gap begins in a market's first millisecond, which came in another order than it happened in: where the
    /// chain began nobody knows.
    pub(super) fn begins_unknown(&self, world: &World, gap: &Gap) -> bool {
        self.begins.iter().any(|&(first, time)| {
            let fills = || world.venue.all.iter().filter(|fill| fill.time() == time);
            let of_market = |market| Some(market) == gap.id.market.as_ref();
            time == gap.id.from
                && of_market(&world.venue.all[first as usize].row.market)
                && fills().any(|fill| {
                    fill.index < first
                        && of_market(&fill.row.market)
                        && self.signals.contains_key(&fill.index)
                })
        })
    }
}
