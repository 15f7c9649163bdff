//! A synthetic market: seeded, pure, without clock or I/O. Each [`Market::step`] is one block; time starts where the
//! caller says and moves by [`MarketConfig::block_ms`].
//!
//! What it shows, all within the first minute: accounts that open, add, trim, close and flip; orders filled in several
//! pieces in one millisecond, also on opposite sides; trades between two followed accounts; TWAP slices on their own
//! stream; a liquidated account; a HIP-3 coin and spot; positions large enough for float noise; and, when midnight UTC
//! passes, spot dust with `tid` 0. Slices go out about every 2 s and liquidations about once in 40 s: far more often
//! than on the real venue, so that a demo of seconds meets them.

mod coins;
mod ledger;
mod persona;

use std::sync::Arc;

use self::coins::{Coin, HYPE_SPOT, PURR_SPOT, USUAL};
use self::ledger::{Holding, Ledger, Trade};
use self::persona::Persona;
use super::fill::{Block, BlockFill, Side, Stream, VenueFill, ZERO_HASH};
use super::print::{exact, position};
use super::rng::Rng;

const DAY_MS: u64 = 86_400_000;

/// What a synthetic market is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MarketConfig {
    /// The same seed gives the same blocks.
    pub seed: u64,
    /// Venue ms of the first live block.
    pub start_ms: u64,
    /// Venue ms between blocks, at least 1.
    pub block_ms: u64,
    /// Blocks that happened before `start_ms`, so that accounts have a history and positions. See [`Market::new`].
    pub history_blocks: u32,
    /// How many live blocks there are; `None` for a market that never ends.
    pub blocks: Option<u64>,
}

impl Default for MarketConfig {
    fn default() -> Self {
        Self { seed: 1, start_ms: 1_790_000_000_000, block_ms: 200, history_blocks: 300, blocks: None }
    }
}

/// A running TWAP: one slice every few steps.
#[derive(Clone, Debug)]
struct Twap {
    id: u64,
    coin: usize,
    side: Side,
    left: u32,
    oid: u64,
}

/// The market itself. Never fails: every input is its own.
#[derive(Clone, Debug)]
pub struct Market {
    rng: Rng,
    time: u64,
    block_ms: u64,
    step: u64,
    coins: Vec<Coin>,
    who: Vec<Persona>,
    ledger: Ledger,
    twap: Option<Twap>,
    next_oid: u64,
    next_twap: u64,
}

impl Market {
    /// A market whose first [`step`](Self::step) happens `history_blocks` blocks before `start_ms`: the caller takes
    /// that many as history, the next block is at `start_ms`.
    pub fn new(config: &MarketConfig) -> Self {
        let block_ms = config.block_ms.max(1);
        let mut market = Self {
            rng: Rng::new(config.seed, 1),
            time: config.start_ms.saturating_sub(block_ms.saturating_mul(u64::from(config.history_blocks))),
            block_ms,
            step: 0,
            coins: coins::all(),
            who: persona::all(),
            ledger: Ledger::default(),
            twap: None,
            next_oid: 560_000_000_000,
            next_twap: 2_290_000,
        };
        market.seed_positions();
        market
    }

    /// Addresses of the accounts worth following, the liveliest first.
    pub fn followed() -> Vec<(&'static str, Arc<str>)> {
        persona::all().into_iter().filter(|p| p.followed).map(|p| (p.name, p.address)).collect()
    }

    /// Open positions now: account, coin, signed size as the venue prints it.
    pub fn positions(&self) -> Vec<(Arc<str>, String, String)> {
        let open = self.ledger.iter().filter(|(_, holding)| holding.size != 0);
        open.filter_map(|((account, coin), holding)| {
            let who = self.who.get(account)?;
            let coin = self.coins.get(coin)?;
            Some((who.address.clone(), coin.name.to_owned(), position(holding.size)))
        })
        .collect()
    }

    /// Names of every market and its mark price.
    pub fn marks(&self) -> Vec<(String, String)> {
        self.coins.iter().map(|coin| (coin.name.to_owned(), coin.px_text(0))).collect()
    }

    /// The next block.
    pub fn step(&mut self) -> Block {
        let time = self.time;
        for coin in &mut self.coins {
            coin.step(&mut self.rng);
        }
        let mut block = Block { time, fills: Vec::new(), marks: self.marks() };
        if time / DAY_MS != time.saturating_sub(self.block_ms) / DAY_MS {
            self.dust(time, &mut block.fills);
        }
        for account in 0..self.who.len() {
            self.act(account, time, &mut block.fills);
        }
        self.step += 1;
        self.time += self.block_ms;
        block
    }

    /// Nobody starts empty: the whale is deep in USUAL, some hold spot dust.
    fn seed_positions(&mut self) {
        let entry = self.coins.get(USUAL).map_or(0.0, |coin| coin.px(0));
        for account in 0..self.who.len() {
            let dust = i64::try_from(self.rng.between(10_000, 900_000)).unwrap_or(10_000);
            self.ledger.set(account, HYPE_SPOT, Holding { size: dust, entry: 0.0 });
            self.ledger.set(account, PURR_SPOT, Holding { size: dust * 70, entry: 0.0 });
            if self.who.get(account).is_some_and(|persona| persona.name == "whale") {
                self.ledger.set(account, USUAL, Holding { size: -369_504_290_000_000, entry });
            }
        }
    }

    fn act(&mut self, account: usize, time: u64, out: &mut Vec<BlockFill>) {
        let Some(persona) = self.who.get(account).cloned() else { return };
        if persona.twap {
            if self.step.is_multiple_of(10) {
                self.slice(account, &persona, time, out);
            }
            return;
        }
        if persona.reckless && self.step % 200 == 199 {
            self.liquidate(account, &persona, time, out);
            return;
        }
        if !self.rng.chance(persona.chance) {
            return;
        }
        let Some(&(coin, usual)) = self.rng.pick(persona.markets) else { return };
        let lots = self.order_lots(account, coin, usual, &persona.weights);
        self.order(account, coin, lots, persona.pieces, false, time, out);
        if self.rng.chance(0.08) {
            // Half of it back at once: opposite sides in one millisecond.
            self.order(account, coin, -lots / 2, 1, false, time, out);
        }
    }

    /// Signed lots of the next order, from the position and the habit. On spot nobody sells what he has not.
    fn order_lots(&mut self, account: usize, coin: usize, usual: i64, weights: &[u64; 4]) -> i64 {
        let Some(market) = self.coins.get(coin) else { return 0 };
        let lot = market.lot;
        let spot = market.base.is_some();
        let held = self.ledger.holding(account, coin).size;
        let held_lots = held / lot;
        let size = usual + self.rng.below(usual.unsigned_abs().max(1)) as i64;
        if held_lots == 0 || (spot && held_lots < usual) {
            return if spot || self.rng.chance(0.5) { size } else { -size };
        }
        let sign = held.signum();
        let mut draw = self.rng.below(weights.iter().sum());
        let choice = weights.iter().position(|&weight| {
            let here = draw < weight;
            draw = draw.saturating_sub(weight);
            here
        });
        // A position ten orders large is cut back, whatever the habit: the demo shows closes too.
        let choice = if held_lots.abs() > usual.saturating_mul(10) && usual > 0 { Some(1) } else { choice };
        match choice {
            Some(0) => sign * size,
            Some(1) => -sign * (held_lots.abs() / 3).max(1),
            Some(2) => -held_lots,
            _ if spot => -held_lots,
            _ => -held_lots - sign * size,
        }
    }

    /// A market order of `lots`, filled in up to `pieces` against resting orders, all in this block.
    #[expect(
        clippy::too_many_arguments,
        reason = "one order has that many sides; a struct for one call hides more"
    )]
    fn order(
        &mut self,
        account: usize,
        coin: usize,
        lots: i64,
        pieces: u64,
        liquidated: bool,
        time: u64,
        out: &mut Vec<BlockFill>,
    ) {
        let side = if lots > 0 { Side::B } else { Side::A };
        let oid = self.oid();
        let hash = self.hash();
        let mut left = lots.abs();
        let mut slip = 0;
        for piece in (1..=self.rng.between(1, pieces.max(1))).rev() {
            let take = if piece == 1 { left } else { (left / 2).max(1) }.min(left);
            if take == 0 {
                break;
            }
            left -= take;
            self.trade((account, oid, side), coin, take, slip, &hash, None, liquidated, time, out);
            slip += if side == Side::B { 1 } else { -1 };
        }
    }

    /// One trade of `lots` against somebody else.
    #[expect(clippy::too_many_arguments, reason = "the parts of a trade; gathered into `Trade` right here")]
    fn trade(
        &mut self,
        taker: (usize, u64, Side),
        coin: usize,
        lots: i64,
        slip: i64,
        hash: &str,
        twap: Option<u64>,
        liquidated: bool,
        time: u64,
        out: &mut Vec<BlockFill>,
    ) {
        let Some(market) = self.coins.get(coin).cloned() else { return };
        let maker = self.counterparty(taker.0, market.base.is_some());
        let trade = Trade {
            coin,
            market: &market,
            slip,
            size: market.lots(lots),
            time,
            tid: self.rng.between(1, (1 << 50) - 1),
            hash,
            taker,
            maker: (maker, self.oid()),
            twap,
            liquidated,
        };
        out.extend(self.ledger.execute(&trade, &self.who).into_iter().flatten());
    }

    /// Mostly a maker; on perps one time in eight another followed account had an order resting.
    fn counterparty(&mut self, taker: usize, spot: bool) -> usize {
        let makers = self.who.len().saturating_sub(2);
        if !spot && self.rng.chance(0.125) {
            let other = self.rng.below(makers as u64) as usize;
            if other != taker && self.who.get(other).is_some_and(|persona| !persona.twap) {
                return other;
            }
        }
        makers + self.rng.below(2) as usize
    }

    /// The next slice of the running TWAP, or the first of a new one.
    fn slice(&mut self, account: usize, persona: &Persona, time: u64, out: &mut Vec<BlockFill>) {
        if self.twap.as_ref().is_none_or(|twap| twap.left == 0) {
            let Some(&(coin, _)) = self.rng.pick(persona.markets) else { return };
            let long = self.ledger.holding(account, coin).size > 0;
            let side = if long { Side::A } else { Side::B };
            self.next_twap += 1;
            let left = u32::try_from(self.rng.between(6, 15)).unwrap_or(6);
            self.twap = Some(Twap { id: self.next_twap, coin, side, left, oid: self.oid() });
        }
        let Some(twap) = &mut self.twap else { return };
        twap.left -= 1;
        let Twap { id, coin, side, oid, .. } = twap.clone();
        let usual = persona.markets.iter().find(|(market, _)| *market == coin).map_or(1, |(_, lots)| *lots);
        self.trade((account, oid, side), coin, usual, 0, ZERO_HASH, Some(id), false, time, out);
    }

    /// A market liquidation of everything the account holds in perps: ordinary `dir`, the object on both sides.
    fn liquidate(&mut self, account: usize, persona: &Persona, time: u64, out: &mut Vec<BlockFill>) {
        for &(coin, _) in persona.markets {
            let held = self.ledger.holding(account, coin).size;
            let lot = self.coins.get(coin).map_or(1, |market| market.lot);
            if held != 0 {
                self.order(account, coin, -held / lot, 2, true, time, out);
            }
        }
    }

    /// Midnight UTC: spot below one lot is sold for everyone, one order and no hash for all, `tid` 0.
    fn dust(&mut self, time: u64, out: &mut Vec<BlockFill>) {
        for (coin, market) in self.coins.iter().enumerate().filter(|(_, market)| market.base.is_some()) {
            self.next_oid += 1;
            for (account, persona) in self.who.iter().enumerate() {
                let held = self.ledger.holding(account, coin).size;
                if held <= 0 || held >= market.lot {
                    continue;
                }
                self.ledger.set(account, coin, Holding::default());
                out.push(BlockFill {
                    user: persona.address.clone(),
                    stream: Stream::Fills,
                    twap_id: None,
                    fill: VenueFill {
                        coin: market.name.to_owned(),
                        px: market.px_text(0),
                        sz: exact(held),
                        side: Side::A,
                        time,
                        start_position: position(held),
                        dir: "Spot Dust Conversion".to_owned(),
                        closed_pnl: "0.0".to_owned(),
                        hash: ZERO_HASH.to_owned(),
                        oid: self.next_oid,
                        crossed: true,
                        fee: "0.0".to_owned(),
                        builder_fee: None,
                        tid: 0,
                        cloid: None,
                        liquidation: None,
                        fee_token: "USDC".to_owned(),
                        twap_id: Some(None),
                        builder: None,
                        fee_trial_escrow: None,
                    },
                });
            }
        }
    }

    fn oid(&mut self) -> u64 {
        self.next_oid += self.rng.between(1, 9);
        self.next_oid
    }

    fn hash(&mut self) -> String {
        let [a, b, c, d] = [(); 4].map(|()| self.rng.next());
        format!("0x{a:016x}{b:016x}{c:016x}{d:016x}")
    }
}

#[cfg(test)]
mod tests;
