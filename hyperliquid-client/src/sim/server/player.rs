//! Plays the source: waits for subscriptions and the warm-up, then one block after the other at the asked speed.

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::config::{SimConfig, SimSource, Speed};
use super::super::fill::Block;
use super::super::market::Market;
use super::super::replay::Replay;
use super::super::venue::Venue;
use super::shared::{Shared, SimPhase};

/// At full speed the player waits this long for a slow socket before it goes on and lets its queue overflow.
const PATIENCE: Duration = Duration::from_secs(5);

/// The blocks of a source, one by one.
pub(in crate::sim) enum Blocks {
    Market { market: Market, left: Option<u64> },
    Recorded(vec::IntoIter<Block>),
    None,
}

impl Blocks {
    /// Prepares a venue for the source: markets known, positions open, history in place.
    pub(in crate::sim) fn prepare(source: SimSource, venue: &mut Venue) -> Self {
        match source {
            SimSource::Synthetic(config) => {
                let mut market = Market::new(&config);
                for (coin, px) in market.marks() {
                    venue.quote(&coin, &px);
                }
                for (user, coin, size) in market.positions() {
                    venue.open_position(user, &coin, &size);
                }
                for _ in 0..config.history_blocks {
                    venue.play(&market.step(), false, Duration::ZERO);
                }
                Self::Market { market, left: config.blocks }
            }
            SimSource::Replay(replay) => {
                open(&replay, venue);
                Self::Recorded(replay.into_blocks().into_iter())
            }
            SimSource::Manual => Self::None,
        }
    }

    fn next(&mut self) -> Option<Block> {
        match self {
            Self::Market { left: Some(0), .. } | Self::None => None,
            Self::Market { market, left } => {
                *left = left.map(|left| left - 1);
                Some(market.step())
            }
            Self::Recorded(blocks) => blocks.next(),
        }
    }
}

/// Markets known, positions open, as they are before the first block of a replay.
pub(in crate::sim) fn open(replay: &Replay, venue: &mut Venue) {
    for row in replay.blocks().iter().flat_map(|block| &block.fills).rev() {
        venue.quote(&row.fill.coin, &row.fill.px);
    }
    for (user, coin, size) in replay.opening_positions() {
        venue.open_position(user, &coin, &size);
    }
}

/// How the play is paced.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Pace {
    speed: Speed,
    max_gap: Duration,
    wait_subscriptions: usize,
    warmup: Duration,
}

impl Pace {
    pub(in crate::sim) fn of(config: &SimConfig) -> Self {
        Self {
            speed: config.speed,
            max_gap: config.max_gap.unwrap_or(Duration::MAX),
            wait_subscriptions: config.wait_subscriptions,
            warmup: config.warmup,
        }
    }

    /// Real time between two blocks; nothing at full speed.
    fn gap(&self, from: u64, to: u64) -> Duration {
        match self.speed {
            Speed::Max => Duration::ZERO,
            Speed::Times(times) => {
                let seconds = to.saturating_sub(from) as f64 / 1000.0 / times;
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(self.max_gap)
            }
        }
    }
}

/// Plays to the end. Never returns early; a `Manual` source never ends by itself.
pub(super) async fn play(shared: Arc<Shared>, mut blocks: Blocks, pace: Pace) {
    if matches!(blocks, Blocks::None) {
        return;
    }
    let mut subscribed = shared.subscribed();
    if subscribed.wait_for(|open| *open >= pace.wait_subscriptions).await.is_err() {
        return;
    }
    sleep(pace.warmup).await;
    shared.set_phase(SimPhase::Playing);
    let mut paused = shared.paused();
    let mut at = Instant::now();
    let mut last: Option<u64> = None;
    while let Some(block) = blocks.next() {
        if let Some(last) = last.replace(block.time) {
            at = at.checked_add(pace.gap(last, block.time)).unwrap_or(at);
        }
        if pace.speed == Speed::Max {
            wait_for_room(&shared).await;
        } else {
            sleep_until(at).await;
        }
        if *paused.borrow() {
            if paused.wait_for(|paused| !paused).await.is_err() {
                return;
            }
            at = Instant::now();
        }
        shared.with(|venue, now| venue.play(&block, true, now));
    }
    shared.set_phase(SimPhase::Finished);
}

/// Gives the sockets' tasks their turn, and waits while one of them is behind.
async fn wait_for_room(shared: &Shared) {
    tokio::task::yield_now().await;
    let room = async {
        while !shared.has_room() {
            shared.room.notified().await;
        }
    };
    let _ = timeout(PATIENCE, room).await; // then the slow one is closed by its full queue
}
