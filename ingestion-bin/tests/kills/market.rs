//! A venue with a market of our own: accounts that trade at a steady pace from a thread, at twenty times the venue's clock,
//! so that the 120 venue seconds after which history counts as settled pass in six of ours.
//!
//! Every account's positions are a whole chain from flat. A block holds fills or slices of an account and market, never both.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hyperliquid_client::sim::{
    Block, BlockFill, Side, SimConfig, SimHandle, SimLimits, SimVenue, Stream, VenueFill, VenueStatus,
    ZERO_HASH,
};

use super::support::random::Random;
use super::trouble::Trouble;

/// Venue time when the market opens, ms.
const OPENS_AT: u64 = 1_790_000_000_000;
/// Ours between two blocks, and the venue's.
const TICK: Duration = Duration::from_millis(20);
const BLOCK_MS: u64 = 400;
const COINS: [&str; 4] = ["ETH", "BTC", "xyz:TSLA", "@107"];
/// Room for the whole history of a run: what is judged must still be shown at its end.
const RETENTION: usize = 2_000_000;

/// The address of the account number `n`.
pub(crate) fn address(n: u64) -> String {
    format!("0x{:040x}", 0xacc0_0000_0000_u64 + n)
}

struct Player {
    address: Arc<str>,
    /// Orders in a thousand blocks.
    pace: u64,
    /// Hundredths.
    positions: BTreeMap<&'static str, i64>,
}

/// The blocks.
pub(crate) struct Market {
    random: Random,
    time: u64,
    oid: u64,
    tid: u64,
    players: Vec<Player>,
    /// Of a thousand orders these are slices of a TWAP.
    slices: u64,
}

impl Market {
    /// A market in which `slices` of a thousand orders are slices of a TWAP.
    pub(crate) const fn new(seed: u64, slices: u64) -> Self {
        Self {
            slices,
            random: Random::new(seed),
            time: OPENS_AT,
            oid: 1_000,
            tid: 1_000,
            players: Vec::new(),
        }
    }

    /// From now on this account trades in `pace` of a thousand blocks.
    pub(crate) fn join(&mut self, address: &str, pace: u64) {
        self.players.push(Player { address: address.into(), pace, positions: BTreeMap::new() });
    }

    /// The next block, `ms` after the last.
    pub(crate) fn block(&mut self, ms: u64) -> Block {
        self.time += ms;
        let mut block = Block { time: self.time, fills: Vec::new(), marks: Vec::new() };
        for index in 0..self.players.len() {
            if self.random.in_thousand(self.players[index].pace) {
                let coin = COINS[self.random.below(COINS.len() as u64) as usize];
                self.order(index, coin, &mut block.fills);
            }
        }
        block
    }

    /// A block in which this one account has `pieces` fills of one order.
    fn first(&mut self, address: &str) -> Block {
        self.time += 1;
        let mut block = Block { time: self.time, fills: Vec::new(), marks: Vec::new() };
        let index = self.players.iter().position(|player| &*player.address == address);
        self.order(index.expect("joined"), "ETH", &mut block.fills);
        block
    }

    /// One order, filled in one to four pieces; sometimes a TWAP slice. Closes now and then, flips now and then.
    fn order(&mut self, index: usize, coin: &'static str, out: &mut Vec<BlockFill>) {
        let held = self.players[index].positions.get(coin).copied().unwrap_or(0);
        let spot = coin.starts_with('@');
        let usual = i64::try_from(self.random.below(500)).expect("small") + 1;
        let mut delta = match self.random.below(4) {
            0 => -held,
            1 => -held - held.signum() * usual,
            2 => usual,
            _ => -usual,
        };
        if delta == 0 || (spot && held + delta < 0) {
            delta = usual;
        }
        let twap = !spot && self.random.in_thousand(self.slices);
        let pieces = if twap { 1 } else { self.random.below(4) + 1 };
        self.oid += 1;
        let mut left = delta.abs();
        for piece in (0..pieces).rev() {
            let size = if piece == 0 { left } else { (left / 2).max(1) }.min(left);
            if size == 0 {
                break;
            }
            left -= size;
            let row = self.fill(index, coin, size * delta.signum(), twap);
            out.push(row);
        }
    }

    fn fill(&mut self, index: usize, coin: &'static str, delta: i64, twap: bool) -> BlockFill {
        self.tid += 1 + self.random.below(1_000);
        let player = &mut self.players[index];
        let start = player.positions.get(coin).copied().unwrap_or(0);
        player.positions.insert(coin, start + delta);
        let long = start > 0 || (start == 0 && delta > 0);
        let dir = match (coin.starts_with('@'), start.signum() * (start + delta).signum(), long) {
            (true, _, _) if delta > 0 => "Buy",
            (true, _, _) => "Sell",
            (_, -1, true) => "Long > Short",
            (_, -1, false) => "Short > Long",
            (_, _, true) if delta > 0 => "Open Long",
            (_, _, true) => "Close Long",
            (_, _, false) if delta < 0 => "Open Short",
            (_, _, false) => "Close Short",
        };
        BlockFill {
            user: Arc::clone(&player.address),
            stream: if twap { Stream::Twap } else { Stream::Fills },
            twap_id: twap.then_some(77),
            fill: VenueFill {
                coin: coin.to_owned(),
                px: format!("{}.5", 2_000 + self.tid % 100),
                sz: hundredths(delta.abs()),
                side: if delta > 0 { Side::B } else { Side::A },
                time: self.time,
                start_position: hundredths(start),
                dir: dir.to_owned(),
                closed_pnl: "0.0".to_owned(),
                hash: if twap { ZERO_HASH.to_owned() } else { format!("0x{:064x}", self.oid) },
                oid: self.oid,
                crossed: true,
                fee: "0.01".to_owned(),
                builder_fee: None,
                tid: self.tid,
                cloid: None,
                liquidation: None,
                fee_token: "USDC".to_owned(),
                twap_id: Some(None),
                builder: None,
                fee_trial_escrow: None,
            },
        }
    }
}

/// `12.5`, `-0.01`, `3.0`: as the venue prints floats.
fn hundredths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = (value.abs() / 100, value.abs() % 100);
    if rest % 10 == 0 { format!("{sign}{whole}.{}", rest / 10) } else { format!("{sign}{whole}.{rest:02}") }
}

enum Order {
    Join(String, u64, SyncSender<u64>),
    Pause(SyncSender<()>),
}

/// The market as it is played to a venue for each listener, until dropped. The first one also answers for history, and
/// for both listeners where there is no trouble.
pub(crate) struct Play {
    venue: Arc<SimHandle>,
    second: Arc<SimHandle>,
    trouble: Option<[Trouble; 2]>,
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Play {
    /// Venues with these limits and a market in which the accounts `(address, pace)` have traded for a while. `ill`: with trouble on the
    /// way of each listener.
    pub(crate) fn start(
        seed: u64,
        limits: SimLimits,
        players: &[(String, u64)],
        slices: u64,
        ill: bool,
    ) -> Self {
        let [venue, second] = [seed, seed + 1].map(|seed| Arc::new(venue(seed, limits)));
        let trouble =
            ill.then(|| [(&venue, seed), (&second, !seed)].map(|(venue, seed)| Trouble::at(venue, seed)));
        let mut market = Market::new(seed, slices);
        for (address, pace) in players {
            market.join(address, *pace);
        }
        for _ in 0..500 {
            let block = market.block(BLOCK_MS);
            [&venue, &second].iter().for_each(|venue| venue.play_history(&block));
        }
        let (orders, receiver) = sync_channel(16);
        let thread = {
            let venues = [Arc::clone(&venue), Arc::clone(&second)];
            std::thread::spawn(move || play(&venues, market, &receiver))
        };
        Self { venue, second, trouble, orders: Some(orders), thread: Some(thread) }
    }

    /// Where listeners connect: both at one venue, or in trouble each at its own.
    pub(crate) fn ws_urls(&self) -> Vec<String> {
        match &self.trouble {
            None => vec![self.venue.ws_url()],
            Some(both) => both.iter().map(|trouble| format!("ws://{}/ws", trouble.address())).collect(),
        }
    }

    /// Ends all trouble; what there was, and how often, on the way of each listener.
    pub(crate) fn calm(&mut self) -> Option<[BTreeMap<String, u64>; 2]> {
        self.trouble.as_mut().map(|both| both.each_mut().map(Trouble::end))
    }

    pub(crate) fn info_url(&self) -> String {
        self.venue.info_url()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.venue.addr()
    }

    pub(crate) fn status(&self) -> VenueStatus {
        self.venue.status()
    }

    pub(crate) fn lift_limits(&self) {
        [&self.venue, &self.second].iter().for_each(|venue| venue.set_limits(SimLimits::generous()));
    }

    /// The account has its first fill right now and goes on trading. Answers the fill's venue time.
    pub(crate) fn join(&self, address: &str, pace: u64) -> u64 {
        let (sender, answer) = sync_channel(1);
        self.tell(Order::Join(address.to_owned(), pace, sender));
        answer.recv().expect("the market plays")
    }

    /// No more fills.
    pub(crate) fn pause(&self) {
        let (sender, answer) = sync_channel(1);
        self.tell(Order::Pause(sender));
        answer.recv().expect("the market plays");
    }

    /// How many rows of these accounts the venue ever published.
    pub(crate) fn published(&self, users: &[String]) -> usize {
        self.venue.truth(0).iter().filter(|row| users.iter().any(|user| **user == *row.user)).count()
    }

    fn tell(&self, order: Order) {
        self.orders.as_ref().expect("until dropped").send(order).expect("the market plays");
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the market played on");
            }
        }
    }
}

/// A venue where nothing happens by itself and whose history keeps everything.
pub(crate) fn venue(seed: u64, limits: SimLimits) -> SimHandle {
    let mut config = SimConfig { seed, ..SimConfig::manual() };
    config.venue.limits = limits;
    config.venue.retention = RETENTION;
    SimVenue::start(config).expect("the venue starts")
}

fn play(venues: &[Arc<SimHandle>; 2], mut market: Market, orders: &Receiver<Order>) {
    let show = |block: &Block| venues.iter().for_each(|venue| venue.play(block));
    let mut paused = false;
    loop {
        match orders.recv_timeout(TICK) {
            Ok(Order::Join(address, pace, answer)) => {
                market.join(&address, pace);
                let block = market.first(&address);
                show(&block);
                let _gone = answer.send(block.time);
            }
            Ok(Order::Pause(answer)) => {
                paused = true;
                let _gone = answer.send(());
            }
            Err(RecvTimeoutError::Timeout) if !paused => show(&market.block(BLOCK_MS)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
