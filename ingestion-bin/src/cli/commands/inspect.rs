//! `inspect`: what an address is before one follows it.

use std::collections::BTreeMap;

use hyperliquid_client::info::{self, AnswerError, InfoRequest, SubAccount, UserRole};
use hyperliquid_client::wire::Address;
use observability::causes;
use serde::Serialize;
use signal_domain::{Account, Market};

use super::super::args::{Cli, Inspect as Args};
use super::super::exit::{Exit, Failure};
use super::super::moment::{DAY_MS, Moment};
use super::super::output::Output;
use super::super::venue::Venue;
use super::super::{setup, table};
use crate::translate::Interest;

/// What was found out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    account: String,
    /// The venue's word: `user`, `agent`, `vault`, `subAccount`, `missing`.
    role: String,
    /// Whom an agent trades for, or the master of a sub-account.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    sub_accounts: Vec<(String, String)>,
    /// Equity by dex, in its collateral; the main one has no name. Only where there is any.
    equity: BTreeMap<String, String>,
    positions: Vec<Position>,
    /// Fills and TWAP slices of the last day on the venue's clock.
    fills_a_day: usize,
    /// Venue time of the newest of them, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fill: Option<u64>,
    /// The venue's clock, ms.
    venue_time: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    market: String,
    size: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leverage: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin_mode: Option<String>,
}

pub(super) fn run(cli: &Cli, args: &Args, output: &mut Output) -> Result<Exit, Failure> {
    let account = setup::account(&args.address)?;
    let mut venue = Venue::of(&setup::configuration(cli)?)?;
    let report = look(&mut venue, account)?;
    if output.json() {
        output.document(&report)?;
    } else {
        tell(&report, output)?;
    }
    Ok(Exit::Clean)
}

fn look(venue: &mut Venue, account: Account) -> Result<Report, Failure> {
    let user = Address::from_bytes(*account.as_bytes());
    // In this order an account that trades is told within one minute's share of weight.
    let venue_time = venue.time(*account.as_bytes())?;
    let since = venue_time.saturating_sub(DAY_MS);
    let day = venue.history(*account.as_bytes(), Interest::default(), (since, None))?;
    let mut last_fill = day.rows.last().map(|told| told.row.fill.time);
    if last_fill.is_none() {
        last_fill = venue.newest_fill(*account.as_bytes())?;
    }
    let role: UserRole = read(venue, &InfoRequest::UserRole { user }, info::user_role)?;
    let subs: Vec<SubAccount> = read(venue, &InfoRequest::SubAccounts { user }, info::sub_accounts)?;
    let dexs = read(venue, &InfoRequest::PerpDexs, info::perp_dexs)?;
    let (mut equity, mut positions) = (BTreeMap::new(), Vec::new());
    for dex in dexs.into_iter().map(|dex| dex.map_or_else(String::new, |dex| dex.name)) {
        let body = venue.ask(&InfoRequest::ClearinghouseState { user, dex: dex.clone() })?;
        let state = info::account_state(&body).map_err(unreadable)?;
        let value = state.margin_summary.account_value.into_owned();
        if value.parse::<f64>().is_ok_and(|value| value != 0.0) {
            equity.insert(dex, value);
        }
        positions.extend(state.asset_positions.into_iter().map(|entry| {
            let position = entry.position;
            let (leverage, margin_mode) =
                position.leverage.map(|leverage| (leverage.value, leverage.kind.into_owned())).unzip();
            Position {
                market: Market::from_coin(&position.coin)
                    .map_or_else(|_| position.coin.to_string(), |market| market.name().to_owned()),
                size: position.szi.into_owned(),
                entry_price: position.entry_px.map(Into::into),
                leverage,
                margin_mode,
            }
        }));
    }
    Ok(Report {
        account: account.to_string(),
        owner: role.data.and_then(|data| data.user.or(data.master)),
        role: role.role,
        sub_accounts: subs.into_iter().map(|sub| (sub.name, sub.sub_account_user)).collect(),
        equity,
        positions,
        fills_a_day: day.rows.len(),
        last_fill,
        venue_time,
    })
}

fn read<T>(
    venue: &mut Venue,
    request: &InfoRequest,
    parse: fn(&[u8]) -> Result<T, AnswerError>,
) -> Result<T, Failure> {
    parse(&venue.ask(request)?).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unreadable(error: AnswerError) -> Failure {
    Failure::World(causes(&error))
}

fn tell(report: &Report, output: &mut Output) -> Result<(), Failure> {
    let owner = report.owner.as_deref().unwrap_or("another account");
    let role = match report.role.as_str() {
        "agent" => format!("agent wallet of {owner}: it answers empty, follow that account instead"),
        "subAccount" => format!("sub-account of {owner}, with fills and positions of its own"),
        "missing" => "missing: the venue does not know it".to_owned(),
        other => other.to_owned(),
    };
    output.line(&format!("account       {}", report.account))?;
    output.line(&format!("role          {role}"))?;
    for (name, address) in &report.sub_accounts {
        output.line(&format!("sub-account   {address} {name}, an account of its own"))?;
    }
    for (dex, value) in &report.equity {
        let dex = if dex.is_empty() { "main dex" } else { dex };
        output.line(&format!("equity        {value} ({dex})"))?;
    }
    for position in &report.positions {
        let entry = position.entry_price.as_ref().map_or_else(String::new, |price| format!(" at {price}"));
        let leverage = position.leverage.map_or_else(String::new, |times| {
            format!(", {} {times}x", position.margin_mode.as_deref().unwrap_or_default())
        });
        output.line(&format!("position      {} {}{entry}{leverage}", position.market, position.size))?;
    }
    output.line(&format!("fills a day   {}", report.fills_a_day))?;
    let last = report.last_fill.and_then(|at| i64::try_from(at).ok());
    output.line(&last.map_or_else(
        || "last fill     none".to_owned(),
        |at| {
            let age = table::age(report.venue_time.saturating_sub(at));
            format!("last fill     {}, {age} ago", Moment(at).rfc3339())
        },
    ))
}
