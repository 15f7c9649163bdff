//! `clearinghouseState` of an account on one dex, derived from the book. Figures that need facts the simulation does not
//! keep (funding, margin tiers) are plausible constants: leverage 10 crossed, collateral 1,000,000 USDC.

use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;

use super::book::Book;
use super::fill::dex_of;
use super::print::{float, money};

const COLLATERAL: f64 = 1_000_000.0;
const LEVERAGE: u32 = 10;
const MAX_LEVERAGE: u32 = 40;

/// The state object of one dex, keys in the venue's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClearinghouseState {
    margin_summary: Summary,
    cross_margin_summary: Summary,
    cross_maintenance_margin_used: String,
    withdrawable: String,
    asset_positions: Vec<AssetPosition>,
    time: u64,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    account_value: String,
    total_ntl_pos: String,
    total_raw_usd: String,
    total_margin_used: String,
}

#[derive(Serialize)]
struct AssetPosition {
    #[serde(rename = "type")]
    kind: &'static str,
    position: PositionRow,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PositionRow {
    coin: String,
    szi: String,
    leverage: Leverage,
    entry_px: String,
    position_value: String,
    unrealized_pnl: String,
    return_on_equity: String,
    liquidation_px: Option<String>,
    margin_used: String,
    max_leverage: u32,
    cum_funding: CumFunding,
}

#[derive(Serialize)]
struct Leverage {
    #[serde(rename = "type")]
    kind: &'static str,
    value: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CumFunding {
    all_time: &'static str,
    since_open: &'static str,
    since_change: &'static str,
}

impl ClearinghouseState {
    /// The state of `user` on `dex` at venue `time`; `mark` gives prices. A wrong one shows every position one unit larger.
    pub(super) fn of(
        book: &Book,
        user: &str,
        dex: &str,
        time: u64,
        wrong: bool,
        mark: impl Fn(&str) -> Option<f64>,
    ) -> Self {
        let (mut value, mut unrealised, mut raw) = (0.0, 0.0, 0.0);
        let mut rows = Vec::new();
        for (coin, position) in book.positions(user).filter(|(coin, _)| dex_of(coin) == dex) {
            let size = position.size.to_f64().unwrap_or(0.0) + f64::from(u8::from(wrong));
            let px = mark(coin).unwrap_or(position.entry);
            let (worth, pnl) = (size.abs() * px, size * (px - position.entry));
            value += worth;
            unrealised += pnl;
            raw -= size * px;
            let margin = worth / f64::from(LEVERAGE);
            rows.push(AssetPosition {
                kind: "oneWay",
                position: PositionRow {
                    coin: coin.to_owned(),
                    szi: float(size),
                    leverage: Leverage { kind: "cross", value: LEVERAGE },
                    entry_px: money(position.entry),
                    position_value: money(worth),
                    unrealized_pnl: money(pnl),
                    return_on_equity: money(if margin > 0.0 { pnl / margin } else { 0.0 }),
                    liquidation_px: None,
                    margin_used: money(margin),
                    max_leverage: MAX_LEVERAGE,
                    cum_funding: CumFunding { all_time: "0.0", since_open: "0.0", since_change: "0.0" },
                },
            });
        }
        let cash = if dex.is_empty() { COLLATERAL + book.realised(user) } else { 0.0 };
        let equity = cash + unrealised;
        let used = value / f64::from(LEVERAGE);
        let summary = Summary {
            account_value: money(equity),
            total_ntl_pos: money(value),
            total_raw_usd: money(equity + raw),
            total_margin_used: money(used),
        };
        Self {
            cross_margin_summary: summary.clone(),
            margin_summary: summary,
            cross_maintenance_margin_used: money(value / f64::from(2 * MAX_LEVERAGE)),
            withdrawable: money((equity - used).max(0.0)),
            asset_positions: rows,
            time,
        }
    }

    /// As JSON text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("strings and integers always serialise")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn flat_is_absent_and_each_dex_stands_alone() {
        let mut book = Book::new(10);
        let user: Arc<str> = "0xaa".into();
        book.open(user.clone(), "ETH", "-0.025", 2_400.0);
        book.open(user.clone(), "xyz:CL", "3.0", 85.0);
        book.open(user.clone(), "BTC", "0.0", 80_000.0);
        let main = ClearinghouseState::of(&book, &user, "", 7, false, |_| Some(2_300.0)).text();
        assert!(
            main.contains(r#""coin":"ETH","szi":"-0.025""#) && main.contains(r#""unrealizedPnl":"2.5""#),
            "{main}"
        );
        assert!(!main.contains("xyz:CL") && !main.contains("BTC"), "{main}");
        assert!(main.starts_with(r#"{"marginSummary":{"accountValue":"1000002.5""#), "{main}");
        let xyz = ClearinghouseState::of(&book, &user, "xyz", 7, false, |_| None).text();
        assert!(xyz.contains("xyz:CL") && xyz.ends_with(r#""time":7}"#), "{xyz}");
        let wrong = ClearinghouseState::of(&book, &user, "xyz", 7, true, |_| None).text();
        assert!(wrong.contains(r#""szi":"4.0""#), "{wrong}");
        let nobody = ClearinghouseState::of(&book, "0xbb", "", 7, false, |_| None).text();
        assert!(nobody.contains(r#""assetPositions":[]"#));
    }
}
