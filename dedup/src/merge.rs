//! The way through one millisecond: several ordered runs of rows, joined so that positions link.
//!
//! A run is what messages ordered (rows of one frame, or of frames that share rows); between runs nothing is known but
//! the positions. The search is bounded: beyond [`STATES_MAX`] visited states the longest way found so far counts.

use std::collections::HashSet;

use crate::{Link, Position};

/// Visited states of one search; three interleaved runs of 40 rows stay below it.
const STATES_MAX: usize = 65_536;

/// The longest linked way from `from`: the run to take first and the number of rows linked, or nothing when no run
/// begins there. Among equally long ways the earliest run wins.
pub(crate) fn longest<P: Position>(runs: &[Vec<Link<P>>], from: P) -> Option<(usize, usize)> {
    if let [only] = runs {
        return (only.first()?.before == from).then(|| (0, linked(only)));
    }
    let total: usize = runs.iter().map(Vec::len).sum();
    let mut best = None;
    let mut seen: HashSet<Vec<usize>> = HashSet::new();
    // Depth first; the last pushed is tried first, so runs are pushed in reverse.
    let mut open: Vec<(Vec<usize>, P, Option<usize>)> = vec![(vec![0; runs.len()], from, None)];
    while let Some((at, position, first)) = open.pop() {
        let length: usize = at.iter().sum();
        if let Some(first) = first
            && best.is_none_or(|(_, longest)| length > longest)
        {
            best = Some((first, length));
        }
        if length == total || seen.len() >= STATES_MAX {
            break;
        }
        for (number, run) in runs.iter().enumerate().rev() {
            let Some(link) = at.get(number).and_then(|&place| run.get(place)) else { continue };
            if link.before != position {
                continue;
            }
            let mut next = at.clone();
            if let Some(place) = next.get_mut(number) {
                *place += 1;
            }
            // Along linked ways the position depends only on what was taken.
            if seen.insert(next.clone()) {
                open.push((next, link.after, first.or(Some(number))));
            }
        }
    }
    best
}

/// The run with which the longest way begins when nothing is known of where it starts.
pub(crate) fn beginning<P: Position>(runs: &[Vec<Link<P>>]) -> usize {
    let mut best = (0, 0);
    for run in runs {
        let Some(start) = run.first().map(|link| link.before) else { continue };
        if let Some((first, length)) = longest(runs, start)
            && length > best.1
        {
            best = (first, length);
        }
    }
    best.0
}

/// Rows of one run that link from its first on.
pub(crate) fn linked<P: Position>(run: &[Link<P>]) -> usize {
    let breaks = run.iter().zip(run.iter().skip(1)).position(|(one, next)| one.after != next.before);
    breaks.map_or(run.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(steps: &[i64]) -> Vec<Link<i64>> {
        let mut at = 0;
        steps
            .iter()
            .map(|step| {
                let before = at;
                at += step;
                Link { before, after: at }
            })
            .collect()
    }

    /// Every interleaving, tried one by one.
    fn naive(runs: &[Vec<Link<i64>>], at: &[usize], position: i64) -> usize {
        let mut best = 0;
        for (number, run) in runs.iter().enumerate() {
            if let Some(link) = run.get(at[number]).filter(|link| link.before == position) {
                let mut next = at.to_vec();
                next[number] += 1;
                best = best.max(1 + naive(runs, &next, link.after));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn finds_what_the_naive_search_finds(
            steps in prop::collection::vec(-2_i64..3, 1..9),
            owner in prop::collection::vec(0_usize..3, 9),
            lost in prop::option::of(0_usize..9),
            from in -1_i64..2,
        ) {
            let mut runs = vec![Vec::new(); 3];
            for (place, link) in path(&steps).into_iter().enumerate() {
                if Some(place) != lost {
                    runs[owner[place]].push(link);
                }
            }
            runs.retain(|run| !run.is_empty());
            let expected = naive(&runs, &vec![0; runs.len()], from);
            let found = longest(&runs, from);
            prop_assert_eq!(found.map_or(0, |(_, length)| length), expected);
            if let Some((first, length)) = found {
                prop_assert_eq!(runs[first][0].before, from);
                let mut at = vec![0; runs.len()];
                at[first] = 1;
                prop_assert_eq!(1 + naive(&runs, &at, runs[first][0].after), length);
            }
        }
    }

    #[test]
    fn a_long_interleaving_stays_inside_the_bound() {
        let whole = path(&vec![1; 2_000]);
        let (even, odd): (Vec<_>, Vec<_>) = whole.iter().partition(|link| link.before % 2 == 0);
        assert_eq!(longest(&[odd, even], 0), Some((1, 2_000)));
        let loops = path(&[1, -1].repeat(100));
        assert!(longest(&[loops.clone(), loops.clone(), loops], 0).is_some());
    }
}
