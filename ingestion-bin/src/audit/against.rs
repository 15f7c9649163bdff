//! A signal log beside the venue's own history: what history has and the log has not, the other way round, and what differs.
//!
//! Pure: one account at a time, told the span that both must cover. Whether a difference was declared is read off the gap records, as
//! they stand last. It knows fills by market and `sourceEventId` alone, none of the service's keys.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;
use serde::Serialize;
use signal_domain::Decimal as Exact;

use super::{Declared, Finding, HistoryRow, Link, Told};

/// What is asked of one account.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Whose.
    pub influencer_id: String,
    /// The account.
    pub account: String,
    /// Looked at from this venue time on, ms, itself included.
    pub since: i64,
    /// Up to this one, itself included: what is newer may not be in history or in the log yet.
    pub until: i64,
    /// Rows of history in it.
    pub rows: u64,
    /// Venue time of the first of them, ms.
    pub history_begins: Option<i64>,
    /// Positions of history that do not follow.
    pub history_breaks: u64,
}

/// One signal of the log.
#[derive(Clone, Debug)]
pub struct Logged {
    /// `signalId`.
    pub signal_id: String,
    /// `sourceEventId`.
    pub source_event_id: String,
    /// `market`.
    pub market: String,
    /// `timestamp`.
    pub time: i64,
    /// `price`.
    pub price: Exact,
    /// `deltaSize`.
    pub delta: Exact,
    /// Position after.
    pub after: Decimal,
    /// `supersedes`.
    pub supersedes: Option<String>,
}

/// What is known of an account besides its signals.
#[derive(Debug, Default)]
pub struct Beside {
    /// Market and `sourceEventId` of rows that were taken and make no signal, with why not.
    pub no_signal: HashMap<(String, String), &'static str>,
    /// Its gap records, the last of each id.
    pub gaps: Vec<Declared>,
}

/// What came of it, all accounts together.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Against {
    /// Accounts looked at.
    pub accounts: u64,
    /// Rows of history that must be signals, and signals, that were compared.
    pub compared: u64,
    /// In history, not in the log, and no gap says why.
    pub missing: u64,
    /// In history, not in the log, inside a declared gap.
    pub missing_declared: u64,
    /// In history, kept in the journal without a signal, and rightly so: baseline, filtered.
    pub explained: u64,
    /// In the log, not in history, and nothing says why.
    pub phantoms: u64,
    /// In the log, not in history; replaced by a later signal, or a conflict on record.
    pub phantoms_declared: u64,
    /// In both, with other content.
    pub different: u64,
    /// In both, with other content, and a conflict on record.
    pub different_declared: u64,
    /// In the log, older than what history still holds: nobody can tell.
    pub beyond_history: u64,
    /// Rows of history that cannot be read.
    pub unreadable: u64,
    /// Where each account was looked at.
    pub windows: Vec<Window>,
}

impl Against {
    /// Whether everything that differs is declared; with `strict`, whether nothing differs.
    #[must_use]
    pub const fn clean(&self, strict: bool) -> bool {
        self.missing == 0
            && self.phantoms == 0
            && self.different == 0
            && self.unreadable == 0
            && (!strict
                || (self.missing_declared == 0
                    && self.phantoms_declared == 0
                    && self.different_declared == 0))
    }

    /// Compares one account's log with its history; `history` may reach beyond the window, `log` is all of it in the order of the log.
    /// Hands out every finding.
    pub fn account(
        &mut self,
        mut window: Window,
        history: &[Told],
        log: &[Logged],
        beside: &Beside,
        mut find: impl FnMut(Finding),
    ) {
        let inside = |time: i64| window.since <= time && time <= window.until;
        let told: Vec<&Told> = history.iter().filter(|told| inside(time(&told.row))).collect();
        window.rows = told.len() as u64;
        window.history_begins = history.first().map(|told| time(&told.row));
        window.history_breaks =
            told.iter().filter(|told| matches!(told.link, Some(Link::Broken { .. }))).count() as u64;
        // The last signal of an event counts: it may correct one before.
        let mut last: HashMap<(&str, &str), &Logged> = HashMap::new();
        log.iter().for_each(|signal| {
            last.insert((&signal.market, &signal.source_event_id), signal);
        });
        let finding = |market: &str, at: i64, event: &str, finding: String, gap: Option<&Declared>| Finding {
            influencer_id: window.influencer_id.clone(),
            market: market.to_owned(),
            timestamp: at,
            source_event_id: event.to_owned(),
            finding,
            gap_id: gap.map(|gap| gap.gap_id.clone()),
        };
        for Told { row, .. } in told {
            let (market, event, at) = (row.fill.market.name(), row.source_event_id.as_str(), time(row));
            let Some(signal) = last.get(&(market, event)) else {
                if !row.signal {
                    continue;
                }
                self.compared += 1;
                if beside.no_signal.contains_key(&(market.to_owned(), event.to_owned())) {
                    self.explained += 1;
                    continue;
                }
                let gap = beside.gap(market, at, |_| true);
                *(if gap.is_some() { &mut self.missing_declared } else { &mut self.missing }) += 1;
                find(finding(market, at, event, said("in the venue's history, not in the log", gap), gap));
                continue;
            };
            self.compared += 1;
            if let Some(what) = differs(row, signal) {
                let gap = beside.gap(market, at, |gap| gap.kind == "conflict");
                *(if gap.is_some() { &mut self.different_declared } else { &mut self.different }) += 1;
                find(finding(market, at, event, said(&what, gap), gap));
            }
        }
        let known: HashSet<(&str, &str)> = history
            .iter()
            .map(|told| (told.row.fill.market.name(), told.row.source_event_id.as_str()))
            .collect();
        let replaced: HashSet<&str> = log.iter().filter_map(|signal| signal.supersedes.as_deref()).collect();
        for (key, signal) in last {
            if !inside(signal.time) || known.contains(&key) {
                continue;
            }
            // Of its first millisecond history may have forgotten a part: the venue keeps a number of rows, not of times.
            if window.history_begins.is_none_or(|begins| signal.time <= begins) {
                self.beyond_history += 1;
                continue;
            }
            self.compared += 1;
            let gap = beside.gap(&signal.market, signal.time, |gap| gap.kind == "conflict");
            let corrected = replaced.contains(signal.signal_id.as_str());
            let declared = corrected || gap.is_some();
            *(if declared { &mut self.phantoms_declared } else { &mut self.phantoms }) += 1;
            let text = match corrected {
                true => "in the log, not in the venue's history; a later signal replaces it".to_owned(),
                false => said("in the log, not in the venue's history", gap),
            };
            find(finding(&signal.market, signal.time, &signal.source_event_id, text, gap));
        }
        self.accounts += 1;
        self.windows.push(window);
    }
}

impl Beside {
    /// The gap on record, not repaired, that a time of a market lies in.
    fn gap(&self, market: &str, time: i64, fits: impl Fn(&Declared) -> bool) -> Option<&Declared> {
        self.gaps.iter().find(|gap| {
            gap.state != "repaired"
                && gap.market.as_deref().is_none_or(|of| of == market)
                && gap.span.0 <= time
                && time <= gap.span.1
                && fits(gap)
        })
    }
}

fn time(row: &HistoryRow) -> i64 {
    i64::try_from(row.fill.time).unwrap_or(i64::MAX)
}

fn said(what: &str, gap: Option<&Declared>) -> String {
    match gap {
        Some(gap) => format!("{what}; declared by gap {}", gap.gap_id),
        None => format!("{what}; no gap says why"),
    }
}

/// What of the content is another, in words.
fn differs(row: &HistoryRow, signal: &Logged) -> Option<String> {
    let told = |what: &str, ours: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display| {
        Some(format!("{what} {ours} in the log, {theirs} in the venue's history"))
    };
    if signal.delta != row.fill.signed_size() {
        told("deltaSize", &signal.delta, &row.fill.signed_size())
    } else if signal.price != row.fill.px.value() {
        told("price", &signal.price, &row.fill.px.value())
    } else if signal.after != row.positions.1 {
        told("position", &signal.after, &row.positions.1)
    } else {
        None
    }
}
