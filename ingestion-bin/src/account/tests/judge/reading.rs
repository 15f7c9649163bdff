//! What nobody could have told: the venue had not answered so often, or its answers looked the same either way.

use super::super::super::{Gap, GapKind, Record, Stream};
use super::super::venue::Fill;
use super::super::world::{WEIGHT, World};
use super::Judge;

/// Complete reads of each stream that a chain gap needs (C4).
const TRIES: usize = 4;
/// Those that a row needs which never happened (C2).
const WITNESSES: usize = 3;
/// How far history may lag, venue milliseconds: a read that began sooner says nothing of what happened then.
const MARGIN: i64 = 120_000;

/// How far the venue's clock may be behind that a read knows, venue milliseconds.
const CLOCK: i64 = 30_000;

/// From when on a read counts for a venue time, our milliseconds: all is well, and history shows what happened then.
fn reads_count_from(world: &World, time: i64, clock: i64) -> i64 {
    let settled = time - world.began + MARGIN + clock;
    settled.max(world.fault_end).max(world.kills.last().copied().unwrap_or(0))
}

/// Whether a stream was read fewer times than a venue time needs although the budget was spent to its end: each read takes
/// so many pages, those for the doubts of the other stream among them.
fn is_starved(world: &World, time: i64, needed: usize) -> bool {
    let begin = reads_count_from(world, time, CLOCK);
    let asked = || world.asked.iter().filter(|&&(at, ..)| at >= begin);
    let budget = (world.ends - begin) * WEIGHT / 60_000;
    let is_short = |stream: Stream| {
        let starts: Vec<i64> =
            asked().filter(|&&(_, of, _)| of == stream).map(|&(.., start)| start).collect();
        // A page never begins before the one before it in the same read; the last read is not over.
        let begun = starts.windows(2).filter(|pair| pair[1] < pair[0]).count();
        !starts.is_empty() && begun.saturating_sub(1) < needed
    };
    asked().count() as i64 * world.cost() * 10 >= budget * 9 && Stream::ALL.into_iter().any(is_short)
}

impl Judge {
    /// C4: whether the venue's budget allows for all reads that a gap needs, from the first that counts to the end of the run.
    /// Reads that went wrong or ended with a process say nothing, so it may begin when all is well; each begins where the
    /// stream was certified then. What happens meanwhile makes them longer still.
    /// A gap that ends after the run has a wrong time for an end: no want of weight.
    pub(super) fn can_be_read_in_time(&self, world: &World, gap: &Gap) -> bool {
        let begin = reads_count_from(world, gap.to, 0);
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
        let enough = begin + TRIES as i64 * questions * world.cost() * 60_000 / WEIGHT <= world.ends;
        gap.to > world.began + world.ends || (enough && !is_starved(world, gap.to, TRIES))
    }

    /// C2: whether a row that never happened is in doubt still, for want of weight: nothing is certified there.
    pub(super) fn is_in_doubt(&self, world: &World, stream: Stream, time: i64) -> bool {
        self.certified_at(world, stream, world.ends) < Some(time) && is_starved(world, time, WITNESSES)
    }

    /// Limits (§6): whether a stream's history shows nothing at all while it is read for this gap: it forgets rows before it
    /// shows them.
    pub(super) fn history_is_blank(&self, world: &World, gap: &Gap) -> bool {
        let (since, ends) = (world.began + reads_count_from(world, gap.to, 0), world.began + world.ends);
        world.venue.streams.iter().filter(|rows| !rows.is_empty()).any(|rows| {
            rows.iter().enumerate().all(|(place, &index)| {
                let forgotten = rows.get(place + world.venue.retention.min(rows.len()));
                let until = forgotten.map_or(ends, |&index| world.venue.all[index as usize].time());
                until <= world.venue.all[index as usize].visible.max(since)
            })
        })
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

    /// G2, limits (§6): it overlaps a span that looks forgotten for a row that never happened.
    pub(super) fn overlaps_forgotten(&self, world: &World, gap: &Gap) -> bool {
        let meets = |span: &Gap| gap.id.from <= span.to && span.id.from <= gap.to;
        let mut spans =
            self.gaps.values().map(|(_, span)| span).filter(|span| span.id.kind == GapKind::History);
        spans.any(|span| meets(span) && self.looks_forgotten(world, span))
    }

    /// Limits (§6): rows of the market from before following began lie inside, which a kill took from the journal, and which
    /// nobody showed again.
    pub(super) fn lost_with_the_tail(&self, world: &World, gap: &Gap) -> bool {
        let known =
            |fill: &Fill| self.signals.contains_key(&fill.index) || self.baselines.contains(&fill.index);
        let mut fills = world.venue.all.iter().filter(|fill| gap.covers(fill.time()));
        !world.kills.is_empty()
            && fills.any(|fill| {
                gap.id.market.as_ref() == Some(&fill.row.market) && !self.required(fill) && !known(fill)
            })
    }
}
