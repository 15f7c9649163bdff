//! Walks `userFillsByTime` and its TWAP twin from a time to the end, losing nothing at page boundaries.
//!
//! Paging by "last time + 1" loses the rest of that millisecond (a public mirror lost up to 34.6 BTC at one boundary), so the next page
//! starts AT the last row's time and the overlap is known by key. The walk ends with a page that brings no key new to this walk: not
//! with a short page, because whether pages hold 2000 or 500 rows is not known. Where one millisecond alone fills pages, the rest of it
//! cannot be asked for: the walk goes on one ms later and names the hole.
//!
//! Units: venue ms, both ends inclusive. Rows before the asked time are no news. Memory: keys at or after the next page's start.

use std::collections::HashSet;
use std::hash::Hash;

/// A page of one single millisecond with at least so many rows may be cut inside it.
pub const DENSE_ROWS: usize = 500;

/// A walk over pages, oldest first. `K` is the caller's key of a row.
#[derive(Clone, Debug)]
pub struct Pager<K> {
    next_start: u64,
    known: HashSet<(u64, K)>,
    dense: Option<u64>,
    pages_left: u32,
    end: Option<PagerEnd>,
}

/// What a page brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PageReport {
    /// Places (in the page as given) of the rows that are new to this walk, in order.
    pub fresh: Vec<usize>,
    /// A millisecond of which rows cannot be asked for: more than a page of it, and rows follow it.
    pub hole_ms: Option<u64>,
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PagerEnd {
    /// A page brought nothing new: everything the endpoint holds from the start on was seen, but for the holes reported.
    Complete,
    /// As above, but the newest millisecond filled whole pages: rows of it may be missing, and only a later walk can tell.
    CompleteButDense {
        /// That millisecond.
        ms: u64,
    },
    /// The bound on pages was reached: go on from here in another walk.
    PageLimit {
        /// Where.
        next_start: u64,
    },
}

impl<K: Eq + Hash> Pager<K> {
    /// A walk from `start_ms` on, of at most `pages` pages (at least one).
    #[must_use]
    pub fn new(start_ms: u64, pages: u32) -> Self {
        Self { next_start: start_ms, known: HashSet::new(), dense: None, pages_left: pages.max(1), end: None }
    }

    /// The `startTime` to ask for next; `None` when the walk has ended.
    #[must_use]
    pub const fn next_start(&self) -> Option<u64> {
        if self.end.is_none() { Some(self.next_start) } else { None }
    }

    /// How the walk ended, once it has.
    #[must_use]
    pub const fn end(&self) -> Option<PagerEnd> {
        self.end
    }

    /// Takes the answer to the page asked for: key and time of each row, in the order given. A page after the end changes nothing.
    pub fn on_page(&mut self, rows: impl IntoIterator<Item = (K, u64)>) -> PageReport {
        let mut report = PageReport::default();
        if self.end.is_some() {
            return report;
        }
        let (mut count, mut first, mut last) = (0_usize, u64::MAX, 0_u64);
        for (at, (key, time)) in rows.into_iter().enumerate() {
            count += 1;
            (first, last) = (first.min(time), last.max(time));
            if time >= self.next_start && self.known.insert((time, key)) {
                report.fresh.push(at);
            }
        }
        if !report.fresh.is_empty() {
            report.hole_ms = self.dense.take();
            self.next_start = self.next_start.max(last);
        } else if count >= DENSE_ROWS && first == last && last >= self.next_start {
            match last.checked_add(1) {
                Some(after) => (self.dense, self.next_start) = (Some(last), after),
                None => self.end = Some(PagerEnd::CompleteButDense { ms: last }),
            }
        } else {
            self.end = Some(self.dense.map_or(PagerEnd::Complete, |ms| PagerEnd::CompleteButDense { ms }));
        }
        self.known.retain(|(time, _)| *time >= self.next_start);
        self.pages_left -= 1;
        if self.pages_left == 0 && self.end.is_none() {
            self.end = Some(PagerEnd::PageLimit { next_start: self.next_start });
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// The venue's side: rows oldest first, from a time on, cut at a cap.
    fn answer(rows: &[(u32, u64)], start: u64, cap: usize) -> Vec<(u32, u64)> {
        rows.iter().copied().filter(|(_, time)| *time >= start).take(cap).collect()
    }

    fn walk(rows: &[(u32, u64)], start: u64, cap: usize) -> (Vec<(u32, u64)>, Vec<u64>, PagerEnd) {
        let mut pager = Pager::new(start, 10_000);
        let (mut got, mut holes) = (Vec::new(), Vec::new());
        while let Some(start) = pager.next_start() {
            let page = answer(rows, start, cap);
            let report = pager.on_page(page.iter().copied());
            got.extend(report.fresh.iter().map(|at| page[*at]));
            holes.extend(report.hole_ms);
        }
        (got, holes, pager.end().unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn nothing_is_lost_and_nothing_comes_twice(
            runs in prop::collection::vec((0_u64..4, prop_oneof![4 => 1_usize..30, 2 => 400_usize..700, 1 => 1_900_usize..2_300]), 0..12),
            cap in prop_oneof![Just(2_000_usize), Just(500)],
        ) {
            let (mut rows, mut time, mut id) = (Vec::new(), 1_000_u64, 0_u32);
            for (gap, count) in runs {
                time += gap;
                for _ in 0..count { rows.push((id, time)); id += 1; }
            }
            let mut per_ms: BTreeMap<u64, usize> = BTreeMap::new();
            for (_, time) in &rows { *per_ms.entry(*time).or_default() += 1; }

            let (got, holes, end) = walk(&rows, 1_000, cap);
            // In every millisecond the first `cap` rows, which is all of it unless it holds more than a page.
            let mut left = per_ms.clone();
            left.values_mut().for_each(|count| *count = (*count).min(cap));
            let expected: Vec<_> = rows.iter().copied().filter(|(_, time)| {
                let left = left.get_mut(time).unwrap();
                *left > 0 && { *left -= 1; true }
            }).collect();
            prop_assert_eq!(&got, &expected);
            // Every loss is named: inside as a hole, at the end by how the walk ended.
            for (ms, count) in &per_ms {
                if *count > cap {
                    let named = holes.contains(ms) || end == PagerEnd::CompleteButDense { ms: *ms };
                    prop_assert!(named, "{count} rows at {ms}: {holes:?} {end:?}");
                }
            }
            // No hole is named where a millisecond cannot fill a page.
            prop_assert!(holes.iter().all(|ms| per_ms[ms] >= DENSE_ROWS));
        }
    }

    #[test]
    fn the_last_page_may_be_full() {
        let rows: Vec<_> = (0..2_000).map(|id| (id, u64::from(id))).collect();
        let (got, holes, end) = walk(&rows, 0, 2_000);
        assert_eq!((got.len(), holes.len(), end), (2_000, 0, PagerEnd::Complete));
    }

    #[test]
    fn a_walk_is_bounded_and_says_where_it_stopped() {
        let mut pager = Pager::new(0, 2);
        let _ = pager.on_page([(1, 10)]);
        let _ = pager.on_page([(1, 10), (2, 20)]);
        assert_eq!(pager.end(), Some(PagerEnd::PageLimit { next_start: 20 }));
        assert_eq!(pager.next_start(), None);
    }

    #[test]
    fn rows_before_the_start_are_no_news() {
        let mut pager = Pager::new(100, 9);
        assert!(pager.on_page([(1, 99)]).fresh.is_empty());
        assert_eq!(pager.end(), Some(PagerEnd::Complete));
    }
}
