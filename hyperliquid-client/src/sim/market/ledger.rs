//! Executes one trade between two accounts: both fills, both positions, fees, realised profit.
//! Positions are integers of 10^-8, so the chain start + signed size = next start holds exactly before it is printed.

use std::collections::BTreeMap;

use super::super::fill::{BlockFill, Liquidation, Side, Stream, VenueFill};
use super::super::print::{UNIT, exact, float, money, position};
use super::coins::Coin;
use super::persona::Persona;

/// What an account holds of one coin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    /// Signed, in units.
    pub(super) size: i64,
    /// Average entry price of perps.
    pub(super) entry: f64,
}

/// One trade to be booked.
pub(super) struct Trade<'a> {
    pub(super) coin: usize,
    pub(super) market: &'a Coin,
    /// Ticks away from the mark.
    pub(super) slip: i64,
    /// In units, positive.
    pub(super) size: i64,
    pub(super) time: u64,
    pub(super) tid: u64,
    pub(super) hash: &'a str,
    /// Index, order and side of the aggressor.
    pub(super) taker: (usize, u64, Side),
    /// Index and order of the resting side.
    pub(super) maker: (usize, u64),
    /// Set when the taker's order is a TWAP slice.
    pub(super) twap: Option<u64>,
    /// Set when the taker is being liquidated.
    pub(super) liquidated: bool,
}

/// Positions of everyone, by (account, coin).
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    holdings: BTreeMap<(usize, usize), Holding>,
}

impl Ledger {
    pub(super) fn holding(&self, account: usize, coin: usize) -> Holding {
        self.holdings.get(&(account, coin)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, account: usize, coin: usize, holding: Holding) {
        self.holdings.insert((account, coin), holding);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ((usize, usize), Holding)> + '_ {
        self.holdings.iter().map(|(&key, &holding)| (key, holding))
    }

    /// Books both sides, the taker's fill first.
    pub(super) fn execute(&mut self, trade: &Trade<'_>, who: &[Persona]) -> [Option<BlockFill>; 2] {
        let (taker, taker_oid, side) = trade.taker;
        let (maker, maker_oid) = trade.maker;
        let other = if side == Side::B { Side::A } else { Side::B };
        let liquidation = trade.liquidated.then(|| Liquidation {
            liquidated_user: who.get(taker).map(|persona| persona.address.to_string()),
            mark_px: trade.market.px_text(0),
            method: "market".to_owned(),
        });
        [(taker, taker_oid, side, true), (maker, maker_oid, other, false)].map(
            |(account, oid, side, crossed)| {
                let fill = self.book(trade, account, oid, side, crossed, liquidation.clone());
                let twap_id = trade.twap.filter(|_| crossed);
                let stream = if twap_id.is_some() { Stream::Twap } else { Stream::Fills };
                let user = who.get(account)?.address.clone();
                Some(BlockFill { user, stream, twap_id, fill })
            },
        )
    }

    fn book(
        &mut self,
        trade: &Trade<'_>,
        account: usize,
        oid: u64,
        side: Side,
        crossed: bool,
        liquidation: Option<Liquidation>,
    ) -> VenueFill {
        let before = self.holding(account, trade.coin);
        let px = trade.market.px(trade.slip);
        let delta = if side == Side::B { trade.size } else { -trade.size };
        let mut after = before.size + delta;
        let whole = trade.size as f64 / UNIT as f64;
        let rate = if crossed { 0.000_45 } else { -0.000_02 };
        let spot_buy = trade.market.base.filter(|_| side == Side::B);
        let (fee, fee_token) = match spot_buy {
            Some(token) => {
                // Spot fees are taken from what was bought, so the next start is lower by it.
                let fee = (trade.size as f64 * rate).round() as i64;
                after -= fee;
                (exact(fee), token)
            }
            None => (money(whole * px * rate), "USDC"),
        };
        let closed = closed_units(before.size, delta);
        let pnl = if trade.market.base.is_some() {
            0.0
        } else {
            (px - before.entry) * closed as f64 / UNIT as f64 * before.size.signum() as f64
        };
        self.set(account, trade.coin, Holding { size: after, entry: entry_after(before, delta, after, px) });
        VenueFill {
            coin: trade.market.name.to_owned(),
            px: float(px),
            sz: exact(trade.size),
            side,
            time: trade.time,
            start_position: position(before.size),
            dir: dir(before.size, before.size + delta, trade.market.base.is_some(), side).to_owned(),
            closed_pnl: money(pnl),
            hash: trade.hash.to_owned(),
            oid,
            crossed,
            fee,
            builder_fee: None,
            tid: trade.tid,
            cloid: (!crossed).then(|| format!("0x{oid:032x}")),
            liquidation,
            fee_token: fee_token.to_owned(),
            twap_id: Some(None),
            builder: None,
            fee_trial_escrow: None,
        }
    }
}

/// How much of `delta` reduces what is held, in units.
fn closed_units(before: i64, delta: i64) -> i64 {
    if before.signum() * delta.signum() < 0 { before.abs().min(delta.abs()) } else { 0 }
}

/// Average entry: moves when a position grows, starts anew on a flip.
fn entry_after(before: Holding, delta: i64, after: i64, px: f64) -> f64 {
    if after == 0 {
        0.0
    } else if before.size == 0 || before.size.signum() != after.signum() {
        px
    } else if before.size.signum() == delta.signum() {
        (before.entry * before.size.abs() as f64 + px * delta.abs() as f64) / after.abs().max(1) as f64
    } else {
        before.entry
    }
}

/// The display text.
fn dir(before: i64, after: i64, spot: bool, side: Side) -> &'static str {
    match (spot, side, before.signum(), after.signum()) {
        (true, Side::B, _, _) => "Buy",
        (true, Side::A, _, _) => "Sell",
        (false, _, 1, -1) => "Long > Short",
        (false, _, -1, 1) => "Short > Long",
        (false, Side::B, -1, _) => "Close Short",
        (false, Side::B, _, _) => "Open Long",
        (false, Side::A, 1, _) => "Close Long",
        (false, Side::A, _, _) => "Open Short",
    }
}
