//! `history`: what the venue's history holds of an account, chain-checked, and where its window ends.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::super::args::{Cli, History as Args};
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::setup;
use super::super::venue::{KEPT_ROWS, Venue};
use crate::audit::{Link, Told};
use crate::translate::Interest;

/// Markets named in words that begin in the middle of a position; all are in the JSON.
const BEGINS_SHOWN: usize = 20;

/// Where the window ends, and what was found in it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    #[serde(rename = "type")]
    kind: &'static str,
    rows: usize,
    slices: usize,
    /// Venue time of the first and the last row, ms.
    from: Option<u64>,
    to: Option<u64>,
    chain_breaks: usize,
    unreadable: usize,
    /// Perps that begin in the middle of a position: something earlier is missing here.
    begins: Vec<Begin>,
    /// Venue times, ms, of which rows cannot be asked for: more than a page of them.
    holes: Vec<i64>,
    /// As many rows as the venue promises to keep: older ones may be gone.
    capped: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Begin {
    market: String,
    time: u64,
    start_position: String,
}

pub(super) fn run(cli: &Cli, args: &Args, output: &mut Output) -> Result<Exit, Failure> {
    let account = setup::account(&args.address)?;
    let since = setup::moment("--since", Some(&args.since))?.map_or(0, |since| since.0);
    let config = setup::configuration(cli)?;
    let history = Venue::of(&config)?.history(*account.as_bytes(), Interest::default(), (since, None))?;
    let mut window = Window {
        kind: "window",
        rows: history.rows.len(),
        slices: history.rows.iter().filter(|told| told.row.slice).count(),
        from: history.rows.first().map(|told| told.row.fill.time),
        to: history.rows.last().map(|told| told.row.fill.time),
        unreadable: history.unreadable.len(),
        capped: history.capped,
        holes: history.holes.clone(),
        ..Window::default()
    };
    let mut begins = BTreeMap::new();
    for told in &history.rows {
        match told.link {
            Some(Link::First) if !told.row.positions.0.is_zero() => {
                let (fill, start) = (&told.row.fill, told.row.positions.0);
                let market = fill.market.name().to_owned();
                begins.insert(
                    market.clone(),
                    Begin { market, time: fill.time, start_position: start.to_string() },
                );
            }
            Some(Link::Broken { .. }) => window.chain_breaks += 1,
            Some(Link::First | Link::Linked) | None => {}
        }
        if output.json() { output.document(&document(told))? } else { output.line(&line(told))? }
    }
    window.begins = begins.into_values().collect();
    if output.json() {
        output.document(&window)?;
    } else {
        for why in &history.unreadable {
            output.line(&format!("cannot be read: {why}"))?;
        }
        tell(&window, since, output)?;
    }
    let clean = window.chain_breaks == 0 && window.unreadable == 0;
    Ok(if clean { Exit::Clean } else { Exit::Failed })
}

fn document(told: &Told) -> serde_json::Value {
    let (row, (before, after)) = (&told.row, told.row.positions);
    let mut document = json!({
        "type": "row",
        "stream": if row.slice { "twap" } else { "fills" },
        "time": row.fill.time,
        "market": row.fill.market.name(),
        "side": row.fill.side.as_str(),
        "size": row.fill.sz.as_str(),
        "price": row.fill.px.as_str(),
        "before": before.to_string(),
        "after": after.to_string(),
        "sourceEventId": row.source_event_id,
        "link": match told.link {
            None => "none",
            Some(Link::First) => "first",
            Some(Link::Linked) => "linked",
            Some(Link::Broken { .. }) => "broken",
        },
    });
    if let (Some(Link::Broken { expected }), Some(fields)) = (told.link, document.as_object_mut()) {
        fields.insert("expected".to_owned(), expected.to_string().into());
    }
    document
}

fn line(told: &Told) -> String {
    let (row, (before, after)) = (&told.row, told.row.positions);
    let time = Moment(i64::try_from(row.fill.time).unwrap_or(i64::MAX)).rfc3339();
    let broken = match told.link {
        Some(Link::Broken { expected }) => format!("  chain breaks: {expected} was left"),
        Some(Link::First | Link::Linked) | None => String::new(),
    };
    let (market, side, size) = (row.fill.market.name(), row.fill.side.as_str(), row.fill.sz.as_str());
    let slice = if row.slice { " (twap)" } else { "" };
    format!(
        "{time} {market:<14} {side} {size} at {}: {before} -> {after}{slice}{broken}",
        row.fill.px.as_str()
    )
}

fn tell(window: &Window, since: i64, output: &mut Output) -> Result<(), Failure> {
    let time = |ms: Option<u64>| {
        ms.and_then(|ms| i64::try_from(ms).ok()).map_or_else(String::new, |ms| Moment(ms).rfc3339())
    };
    if window.rows == 0 {
        return output.line(&format!(
            "nothing since {}: no trades, or an agent wallet, which answers empty (ask for the account it trades for)",
            Moment(since).rfc3339()
        ));
    }
    for Begin { market, start_position, .. } in window.begins.iter().take(BEGINS_SHOWN) {
        output.line(&format!(
            "{market} begins at {start_position}: what led there is older than this, or no longer kept"
        ))?;
    }
    if window.begins.len() > BEGINS_SHOWN {
        output.line(&format!("and {} markets more", window.begins.len() - BEGINS_SHOWN))?;
    }
    for ms in &window.holes {
        output.line(&format!(
            "{}: more rows in this millisecond than can be asked for",
            time(u64::try_from(*ms).ok())
        ))?;
    }
    if window.capped {
        output.line(&format!("the venue promises to keep {KEPT_ROWS} rows: older ones may be gone"))?;
    }
    output.line(&format!(
        "{} rows ({} TWAP slices) from {} to {}, chain breaks {}, unreadable {}",
        window.rows,
        window.slices,
        time(window.from),
        time(window.to),
        window.chain_breaks,
        window.unreadable,
    ))
}
