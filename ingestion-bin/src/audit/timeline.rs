//! An account's history as the venue tells it: its two streams as one, in order, each market's chain checked.
//!
//! Pure. A fill may be told on both streams, it is one row. Inside a millisecond each stream keeps its own order; between them the
//! chain decides, as far as it can.

use std::collections::{HashMap, HashSet, VecDeque};

use rust_decimal::Decimal;
use signal_domain::Fill;

use super::{Chain, Link};

/// One row of history.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    /// What it says.
    pub fill: Fill,
    /// It was told as a TWAP slice.
    pub slice: bool,
    /// `sourceEventId`.
    pub source_event_id: String,
    /// The position before and after, rounded as positions are.
    pub positions: (Decimal, Decimal),
    /// Whether a signal must be made of it, as the configuration is now.
    pub signal: bool,
}

/// One row and how it follows the one before it in its market; nothing where a market has no strict chain.
#[derive(Clone, Debug)]
pub struct Told {
    /// The row.
    pub row: HistoryRow,
    /// How it follows.
    pub link: Option<Link>,
}

/// All rows, oldest first.
#[must_use]
pub fn timeline(fills: Vec<HistoryRow>, slices: Vec<HistoryRow>) -> Vec<Told> {
    let key = |row: &HistoryRow| (row.fill.market.name().to_owned(), row.source_event_id.clone());
    let known: HashSet<_> = fills.iter().map(key).collect();
    let mut fills = VecDeque::from(fills);
    let mut slices: VecDeque<_> = slices.into_iter().filter(|row| !known.contains(&key(row))).collect();
    let mut chains: HashMap<String, (Chain, Decimal)> = HashMap::new();
    let mut told = Vec::with_capacity(fills.len() + slices.len());
    while let Some(row) = next(&mut fills, &mut slices, &chains) {
        let market = row.fill.market.name().to_owned();
        let (before, after) = row.positions;
        let link = row.fill.market.kind().has_strict_chain().then(|| {
            let (chain, left) = chains.entry(market).or_default();
            *left = after;
            chain.follow(before, after)
        });
        told.push(Told { row, link });
    }
    told
}

fn next(
    fills: &mut VecDeque<HistoryRow>,
    slices: &mut VecDeque<HistoryRow>,
    chains: &HashMap<String, (Chain, Decimal)>,
) -> Option<HistoryRow> {
    let links = |row: &HistoryRow| {
        chains.get(row.fill.market.name()).is_some_and(|(_, left)| *left == row.positions.0)
    };
    let slice_first = match (fills.front(), slices.front()) {
        (Some(fill), Some(slice)) if fill.fill.time == slice.fill.time => links(slice) && !links(fill),
        (Some(fill), Some(slice)) => slice.fill.time < fill.fill.time,
        (None, _) => true,
        (_, None) => false,
    };
    if slice_first { slices.pop_front() } else { fills.pop_front() }
}
