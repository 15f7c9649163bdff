//! Fills made for a test: whole chains of a few accounts, for a venue that lives in the test, and as rows for the expectation.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyperliquid_client::sim::{Block, BlockFill, Stream, VenueFill};
use serde_json::{Value, json};

use super::expected::{Row, plain, scaled};

/// Makes fills whose positions link, one after another. Venue time goes on by `step_ms` a block.
pub struct Chains {
    time: u64,
    step_ms: u64,
    number: u64,
    positions: BTreeMap<(String, String), i128>,
    rows: Vec<Row>,
    keeps_rows: bool,
    /// Digits of a fill's hash: what makes it long.
    digits: usize,
}

impl Chains {
    /// From this venue time on.
    pub fn new(start_ms: u64, step_ms: u64) -> Self {
        Self {
            time: start_ms,
            step_ms,
            number: 0,
            positions: BTreeMap::new(),
            rows: Vec::new(),
            keeps_rows: true,
            digits: 64,
        }
    }

    /// From now on at another pace, and without rows to state expectations with.
    pub fn fills_only(&mut self, step_ms: u64) {
        (self.step_ms, self.keeps_rows) = (step_ms, false);
    }

    /// From now on every fill has so many bytes, about.
    pub fn long_fills(&mut self, bytes: usize) {
        self.digits = bytes.saturating_sub(300);
    }

    /// A block with one fill of every user in `coin`, at a venue time of its own.
    pub fn block(&mut self, users: &[&str], coin: &str) -> Block {
        self.time += self.step_ms;
        let fills = users.iter().map(|user| self.fill(user, coin)).collect();
        Block { time: self.time, fills, marks: Vec::new() }
    }

    /// A block with one trade of a user: `B` or `A`, of so much.
    pub fn trade(&mut self, user: &str, coin: &str, side: &str, size: &str) -> Block {
        self.time += self.step_ms;
        let fills = vec![self.one(user, coin, side, size)];
        Block { time: self.time, fills, marks: Vec::new() }
    }

    /// Venue time passes without a block.
    pub fn skip(&mut self, ms: u64) {
        self.time += ms;
    }

    /// Venue time of the newest block, ms.
    pub fn now(&self) -> u64 {
        self.time
    }

    /// Every fill made so far, as rows to state expectations with.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn fill(&mut self, user: &str, coin: &str) -> BlockFill {
        let n = self.number + 1;
        // Mostly buys, now and then a larger sell: every action comes up.
        let (side, size) = if n.is_multiple_of(3) {
            ("A", format!("{}.5", n % 7 + 3))
        } else {
            ("B", format!("{}.25", n % 5 + 1))
        };
        self.one(user, coin, side, &size)
    }

    fn one(&mut self, user: &str, coin: &str, side: &str, size: &str) -> BlockFill {
        self.number += 1;
        let (n, digits) = (self.number, self.digits);
        let key = (user.to_owned(), coin.to_owned());
        let before = self.positions.get(&key).copied().unwrap_or(0);
        let delta = if side == "B" { scaled(size) } else { -scaled(size) };
        self.positions.insert(key, before + delta);
        let fill: Value = json!({
            "coin": coin, "px": "2400.5", "sz": size, "side": side, "time": self.time,
            "startPosition": plain(before), "dir": "Open Long", "closedPnl": "0.0",
            "hash": format!("0x{n:0digits$x}"), "oid": 560_000_000_000_u64 + n, "crossed": true, "fee": "0.1",
            "tid": 512_000_000_000_000_u64 + n, "feeToken": "USDC", "twapId": null,
        });
        let venue: VenueFill = serde_json::from_value(fill.clone()).expect("a fill of the venue");
        if self.keeps_rows {
            self.rows.push(Row { segment: String::new(), user: user.to_owned(), fill });
        }
        BlockFill { user: Arc::from(user), stream: Stream::Fills, twap_id: None, fill: venue }
    }
}
