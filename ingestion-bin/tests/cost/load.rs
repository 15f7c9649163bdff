//! The fills that both chains are offered, and the venue that offers them.
//!
//! Ten accounts; nine blocks of ten hold a fill of each account, a frame each as live trading has them, the tenth holds twenty fills of one
//! account in one frame, as an order that eats through the book. A few blocks come first, so that everything has been used once.

use std::time::{Duration, Instant};

use hyperliquid_client::sim::{Block, SimConfig, SimHandle, SimLimits, SimVenue};
use test_services::until;

use super::support::market::Chains;
use super::support::scene::BEGAN;

const ACCOUNTS: usize = 10;
/// Fills of the large frame.
const LARGE: usize = 20;
/// Fills of ten blocks.
const PATTERN: usize = 9 * ACCOUNTS + LARGE;
/// Blocks to begin with, each a second of the venue's time.
const WARM: usize = 50;
/// Venue time between two blocks, ms.
const STEP_MS: u64 = 2;
/// Frames that may wait for a socket; at full speed the venue is half of that ahead, and what the kernel holds.
const AHEAD: usize = 1_024;
/// Fills that may be offered and not acknowledged: a service that journals refuses frames when too many wait for its disk.
const OPEN: usize = 10_000;
/// How long anything may take to become possible.
const LONG: Duration = Duration::from_secs(60);

/// How fast the fills come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As fast as both sockets take them.
    Full,
    /// So many a second.
    Steady(usize),
}

pub(super) struct Load {
    pub(super) users: Vec<String>,
    warm: Vec<Block>,
    blocks: Vec<Block>,
}

impl Load {
    /// At least `fills` of them.
    pub(super) fn new(fills: usize) -> Self {
        let users: Vec<String> = (0..ACCOUNTS).map(|n| format!("0x{:040x}", 0xa11c_0000 + n)).collect();
        let all: Vec<&str> = users.iter().map(String::as_str).collect();
        let mut chains = Chains::new(BEGAN, 1_000);
        chains.fills_only(1_000);
        let warm = (0..WARM).map(|_| chains.block(&all, "ETH")).collect();
        chains.fills_only(STEP_MS);
        let block = |number: usize| match number % 10 {
            9 => chains.block(&[all[number / 10 % ACCOUNTS]; LARGE], "ETH"),
            _ => chains.block(&all, "ETH"),
        };
        let blocks = (0..10 * fills.div_ceil(PATTERN)).map(block).collect();
        Self { users, warm, blocks }
    }

    /// Of the first blocks.
    pub(super) fn warm_fills(&self) -> usize {
        WARM * ACCOUNTS
    }

    /// Of all others.
    pub(super) fn fills(&self) -> usize {
        self.blocks.iter().map(|block| block.fills.len()).sum()
    }

    /// Account and event of every fill.
    pub(super) fn events(&self) -> impl Iterator<Item = String> {
        let rows = self.warm.iter().chain(&self.blocks).flat_map(|block| &block.fills);
        rows.map(|row| format!("{} fill:{}:{}:{:?}", row.user, row.fill.time, row.fill.tid, row.fill.side))
    }

    pub(super) fn venue(&self) -> SimHandle {
        let mut sim = SimConfig::manual();
        sim.venue.limits = SimLimits::generous();
        // Sockets are kept full here: history must not show a fill before they do.
        sim.venue.index_lag = (Duration::from_secs(5), Duration::from_secs(5));
        sim.venue.truth_rows = 1_000; // nobody asks for them
        sim.queue_frames = AHEAD;
        SimVenue::start(sim).expect("the venue starts")
    }

    /// Plays the first blocks once both listeners follow everybody.
    pub(super) fn warm(&self, venue: &SimHandle) {
        let subscribed = || (venue.status().user_fills_subscriptions == 2 * ACCOUNTS).then_some(());
        until(LONG, subscribed).expect("both listeners follow everybody");
        self.warm.iter().for_each(|block| venue.play(block));
    }

    /// Plays all others, at most [`OPEN`] ahead of what is said to be `done`.
    pub(super) fn offer(&self, venue: &SimHandle, pace: Pace, done: impl Fn() -> usize) {
        let (began, mut offered, mut asked) = (Instant::now(), 0, 0);
        for block in &self.blocks {
            if offered - asked > OPEN / 2 {
                asked = offered;
                until(LONG, || (done() + OPEN > offered).then_some(())).expect("the chain goes on");
            }
            if let Pace::Steady(rate) = pace {
                let due = began + Duration::from_secs_f64(offered as f64 / rate as f64);
                let mut left = due.saturating_duration_since(Instant::now());
                while !left.is_zero() {
                    std::thread::park_timeout(left);
                    left = due.saturating_duration_since(Instant::now());
                }
            }
            let stuck = Instant::now();
            while !venue.has_room() {
                assert!(stuck.elapsed() < LONG, "the fills are not taken");
                std::thread::park_timeout(Duration::from_micros(200));
            }
            venue.play(block);
            offered += block.fills.len();
        }
    }
}
