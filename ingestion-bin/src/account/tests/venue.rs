//! The venue's truth: one account's fills on two streams, and its history with every way of answering badly.

use dedup::{Digest, FillKey, Link};
use rust_decimal::Decimal;

use super::super::{Fate, Market, Position, Row, Stream};
use super::random::Random;

/// One fill as it truly happened.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    pub(super) index: u32,
    pub(super) row: Row,
    pub(super) stream: Stream,
    /// When history shows it, venue milliseconds.
    pub(super) visible: i64,
    /// No listener was subscribed when it happened.
    pub(super) unheard: bool,
}

impl Fill {
    pub(super) fn time(&self) -> i64 {
        self.row.time
    }
}

/// How history lags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lag {
    Small,
    /// Everything, by up to this much.
    Whole(i64),
    /// Some rows, out of order, by up to this much.
    Some(i64),
}

pub(super) struct Venue {
    pub(super) all: Vec<Fill>,
    pub(super) streams: [Vec<u32>; 2],
    positions: Vec<i64>,
    markets: Vec<Market>,
    pub(super) page: usize,
    /// Rows kept per endpoint.
    pub(super) retention: usize,
    pub(super) lag: Lag,
    /// A market whose positions also move without fills.
    pub(super) chainless: Option<usize>,
}

pub(super) fn digest(price: i64, size: i64, start: i64, side: i64) -> Digest {
    let mut word = 17_u64;
    for part in [price, size, start, side] {
        word = (word ^ part.cast_unsigned()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word ^= word >> 29;
    }
    Digest(word)
}

pub(super) fn position(units: i64) -> Position {
    Position(Decimal::from(units))
}

pub(super) fn link(before: i64, after: i64) -> Link<Position> {
    Link { before: position(before), after: position(after) }
}

impl Venue {
    pub(super) fn new(markets: usize, page: usize, retention: usize, lag: Lag, random: &mut Random) -> Self {
        Self {
            all: Vec::new(),
            streams: [Vec::new(), Vec::new()],
            positions: (0..markets).map(|_| random.within(-3, 4)).collect(),
            markets: (0..markets).map(|n| Market::new(&format!("M{n}-PERP"))).collect(),
            page,
            retention,
            lag,
            chainless: None,
        }
    }

    pub(super) fn markets(&self) -> usize {
        self.markets.len()
    }

    pub(super) fn position(&self, market: usize) -> i64 {
        self.positions[market]
    }

    /// A fee or a transfer: no fill says so.
    pub(super) fn move_unsaid(&mut self, market: usize, delta: i64) {
        self.positions[market] += delta;
    }

    pub(super) fn trade(
        &mut self,
        market: usize,
        time: i64,
        delta: i64,
        stream: Stream,
        random: &mut Random,
    ) -> u32 {
        let index = self.all.len() as u32;
        let before = self.positions[market];
        self.positions[market] += delta;
        let key = FillKey(u128::from(random.next()) << 64 | u128::from(random.next()));
        let row = Row {
            key,
            digest: digest(random.within(100, 104), delta.abs(), before, delta.signum()),
            market: self.markets[market].clone(),
            strict: self.chainless != Some(market),
            time,
            link: Some(link(before, before + delta)),
            fate: Fate::Signal,
        };
        let lag = random.within(50, 1_500);
        let lag = match self.lag {
            Lag::Small => lag,
            Lag::Whole(most) => lag.max(most),
            Lag::Some(most) => {
                if random.chance(5.0) {
                    random.within(2_000, most)
                } else {
                    lag
                }
            }
        };
        let before = self.streams[stream as usize].last().map(|&last| &self.all[last as usize]);
        let visible = match before {
            // A millisecond becomes visible as one.
            Some(last) if last.time() == time => last.visible,
            Some(last) if !matches!(self.lag, Lag::Some(_)) => last.visible.max(time + lag),
            _ => time + lag,
        };
        self.streams[stream as usize].push(index);
        self.all.push(Fill { index, row, stream, visible, unheard: false });
        index
    }

    /// Rows history still keeps.
    pub(super) fn kept(&self, stream: Stream) -> &[u32] {
        let rows = &self.streams[stream as usize];
        &rows[rows.len().saturating_sub(self.retention)..]
    }

    /// One honest page at a venue time.
    pub(super) fn history(&self, stream: Stream, start: i64, at: i64) -> Vec<u32> {
        let visible = |&&index: &&u32| {
            let fill = &self.all[index as usize];
            fill.time() >= start && fill.visible <= at
        };
        self.kept(stream).iter().filter(visible).take(self.page).copied().collect()
    }

    /// Whether any page can hold this fill: of a millisecond with more rows than a page only the first ones are ever
    /// shown.
    pub(super) fn can_show(&self, fill: &Fill) -> bool {
        let rows = &self.streams[fill.stream as usize];
        let first = rows.partition_point(|&index| self.all[index as usize].time() < fill.time());
        rows[first..].iter().take(self.page).any(|&index| index == fill.index)
    }

    /// The newest rows, oldest first, as a subscription's snapshot shows them.
    pub(super) fn snapshot(&self, stream: Stream, inline: bool, len: usize) -> Vec<u32> {
        let all: Vec<u32> = (0..self.all.len() as u32).collect();
        let rows = if inline && stream == Stream::Fills { &all } else { &self.streams[stream as usize] };
        rows[rows.len().saturating_sub(len)..].to_vec()
    }
}
