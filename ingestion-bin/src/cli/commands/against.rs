//! `verify --against-info`: the signal files beside the venue's own history.
//!
//! Looked at of each account in the files or the journal: from where it is followed (its baseline), at most a day unless asked
//! otherwise, up to where it is certified (there everything is published or declared), and never closer to the venue's clock than
//! history may lag. The span is fixed before history is asked and the files are read after it: a service may go on meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use messaging::sink::lines::{Begin, Lines};
use messaging::storage::{DiskStorage, Storage};
use signal_domain::wire::v1::{GapV1, SignalV1};

use super::super::args::Verify;
use super::super::exit::Failure;
use super::super::followed::List;
use super::super::moment::DAY_MS;
use super::super::setup;
use super::super::venue::Venue;
use super::{journal, verify};
use crate::account::{Fate, Settings, Stream};
use crate::audit::{Against, Beside, Logged, Report, Window};
use crate::config::Config;
use crate::record::{self, AccountBody, Body, Change};
use crate::render::EventReader;
use crate::translate::Interest;

/// What the files and the journal tell of one account.
#[derive(Debug, Default)]
struct Followed {
    influencer: String,
    /// Venue times, by stream: fills, slices.
    baselines: [Option<i64>; 2],
    certified: [Option<i64>; 2],
    /// The first row or signal of it.
    oldest: Option<i64>,
}

type Account = [u8; 20];

/// Compares, and puts what comes of it into the report.
pub(super) fn run(args: &Verify, config: &Config, report: &mut Report) -> Result<(), Failure> {
    let (since, until) =
        (setup::moment("--since", args.since.as_deref())?, setup::moment("--until", args.until.as_deref())?);
    let accounts = accounts(config)?;
    let mut against = Against::default();
    let Some(first) = accounts.keys().next().copied() else {
        report.against_info = Some(against);
        return Ok(());
    };
    let mut venue = Venue::of(config)?;
    // History may lag behind the sockets so far, as the account machines assume.
    let newest = venue.time(first)?.saturating_sub(Settings::default().margin_ms);
    let interests: HashMap<Account, Interest> = List::read_or_last_good(config)
        .map(|list| list.followed(config))
        .unwrap_or_default()
        .into_iter()
        .map(|followed| (*followed.account.as_bytes(), followed.interest))
        .collect();
    let default =
        Interest { spot: config.streams.spot, outcomes: config.streams.outcomes, ..Interest::default() };
    for (account, followed) in accounts {
        let streams = if config.streams.twap { 2 } else { 1 };
        let certified = followed.certified.iter().take(streams).min().copied().flatten();
        let asked = until.map(|until| until.0);
        let until = asked.or(certified).map_or(i64::MIN, |until| until.min(newest));
        let began = followed.baselines.iter().flatten().min().map(|at| at.saturating_add(1));
        let began = began.or(followed.oldest).unwrap_or(i64::MAX);
        let since = since.map_or_else(|| until.saturating_sub(DAY_MS), |since| since.0).max(began).max(0);
        let window = Window {
            influencer_id: followed.influencer.clone(),
            account: signal_domain::Account::from_bytes(account).to_string(),
            since,
            until,
            ..Window::default()
        };
        if until < since {
            against.accounts += 1;
            against.windows.push(window);
            continue;
        }
        // What stands before the window shows whether history still reaches back to it.
        let from = signal_before(config, account, since)?.unwrap_or(since);
        let interest = interests.get(&account).unwrap_or(&default).clone();
        let mut history = venue.history(account, interest, (from, Some(until)))?;
        for told in &mut history.rows {
            let [fills, slices] = followed.baselines;
            let baseline = if told.row.slice { slices } else { fills };
            let time = i64::try_from(told.row.fill.time).unwrap_or(i64::MAX);
            told.row.signal &= baseline.is_none_or(|at| time > at);
        }
        against.unreadable += history.unreadable.len() as u64;
        let mut log = signals(config, account)?;
        // Of such a millisecond history shows a part only.
        log.retain(|signal| !history.holes.contains(&signal.time));
        let beside = Beside {
            no_signal: without_signal(config, account, (since, until))?,
            gaps: gaps(config, &followed.influencer)?,
        };
        against.account(window, &history.rows, &log, &beside, |finding| report.name(|| finding));
    }
    report.against_info = Some(against);
    Ok(())
}

fn storage(config: &Config) -> Arc<dyn Storage> {
    Arc::new(DiskStorage::new(&config.data_dir))
}

/// Reads the signal files.
fn each_signal(
    config: &Config,
    mut take: impl FnMut(&SignalV1<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error| Failure::world("verify", error);
    let mut lines = Lines::open(storage(config), "signals", Begin::Oldest).map_err(failed)?;
    while let Some(line) = lines.next_line().map_err(failed)? {
        let signal = SignalV1::decode(line.bytes)
            .map_err(|error| Failure::world(&format!("signal line at {:?}", line.place), error))?;
        take(&signal)?;
    }
    Ok(())
}

/// Reads the account records of the journal, where there is one.
fn each_change(
    config: &Config,
    mut take: impl FnMut(&AccountBody<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if journal::place(config)?.is_none() {
        return Ok(());
    }
    journal::records(journal::open(config)?, |record| {
        match record::decode(record).map_err(|error| Failure::world("journal", error))? {
            Some(Body::Account(body)) => take(&body),
            _ => Ok(()),
        }
    })
}

fn accounts(config: &Config) -> Result<BTreeMap<Account, Followed>, Failure> {
    let mut accounts: BTreeMap<Account, Followed> = BTreeMap::new();
    each_change(config, |body| {
        let followed = accounts.entry(body.stamp.account).or_default();
        body.stamp.influencer.clone_into(&mut followed.influencer);
        let [fills, slices] = &mut followed.baselines;
        match &body.change {
            // A baseline made anew (added again) begins no earlier than the gap that says so.
            Change::Baseline { stream: Stream::Fills, at, .. } => *fills = fills.or(Some(*at)),
            Change::Baseline { stream: Stream::Twap, at, .. } => *slices = slices.or(Some(*at)),
            Change::Certified { stream, to, .. } => {
                let [fills, slices] = &mut followed.certified;
                *(if *stream == Stream::Fills { fills } else { slices }) = Some(*to);
            }
            Change::Event(event) => {
                followed.oldest = Some(followed.oldest.map_or(event.time, |oldest| oldest.min(event.time)));
            }
            Change::Epoch { .. }
            | Change::Heard { .. }
            | Change::Gap { .. }
            | Change::Absorbed { .. }
            | Change::Removed => {}
        }
        Ok(())
    })?;
    each_signal(config, |signal| {
        let followed = accounts.entry(*signal.account.as_bytes()).or_default();
        if followed.influencer.is_empty() {
            followed.influencer = signal.influencer_id.to_string();
        }
        let time = ms(signal.timestamp);
        followed.oldest = Some(followed.oldest.map_or(time, |oldest| oldest.min(time)));
        Ok(())
    })?;
    Ok(accounts)
}

/// Venue time of the newest signal of an account before `since`.
fn signal_before(config: &Config, account: Account, since: i64) -> Result<Option<i64>, Failure> {
    let mut before = None;
    each_signal(config, |signal| {
        if *signal.account.as_bytes() == account && ms(signal.timestamp) < since {
            before = before.max(Some(ms(signal.timestamp)));
        }
        Ok(())
    })?;
    Ok(before)
}

fn signals(config: &Config, account: Account) -> Result<Vec<Logged>, Failure> {
    let mut log = Vec::new();
    each_signal(config, |signal| {
        if *signal.account.as_bytes() == account {
            log.push(Logged {
                signal_id: signal.signal_id.to_string(),
                source_event_id: signal.source_event_id.to_string(),
                market: signal.market.to_string(),
                time: ms(signal.timestamp),
                price: signal.price,
                delta: signal.delta_size,
                after: verify::after(signal),
                supersedes: signal.supersedes.map(|id| id.to_string()),
            });
        }
        Ok(())
    })?;
    Ok(log)
}

/// Rows of the window that the journal holds and that make no signal.
fn without_signal(
    config: &Config,
    account: Account,
    (since, until): (i64, i64),
) -> Result<HashMap<(String, String), &'static str>, Failure> {
    let (mut reader, mut rows) = (EventReader::default(), HashMap::new());
    each_change(config, |body| {
        let Change::Event(event) = &body.change else { return Ok(()) };
        let why = match event.fate {
            // What was shed should have been a signal: a gap must tell of it.
            Fate::Signal | Fate::Shed => return Ok(()),
            Fate::Baseline => "baseline",
            Fate::Filtered => "filtered",
            Fate::NoChange => "no_change",
        };
        if body.stamp.account == account && since <= event.time && event.time <= until {
            let unreadable = |error: &dyn std::fmt::Display| Failure::world("journal", error);
            let fill = reader.fill(event.row, event.raw).map_err(|error| unreadable(&error))?;
            let id = fill.source_event_id().map_err(|error| unreadable(&error))?;
            rows.insert((fill.market.name().to_owned(), id), why);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// The gap records of an influencer, the last of each id.
fn gaps(config: &Config, influencer: &str) -> Result<Vec<crate::audit::Declared>, Failure> {
    let failed = |error| Failure::world("verify", error);
    let mut gaps = BTreeMap::new();
    let mut lines = Lines::open(storage(config), "gaps", Begin::Oldest).map_err(failed)?;
    while let Some(line) = lines.next_line().map_err(failed)? {
        let gap = GapV1::decode(line.bytes)
            .map_err(|error| Failure::world(&format!("gap line at {:?}", line.place), error))?;
        let gap = verify::declared(&gap);
        if gap.influencer_id == influencer && gap.state != "reset" {
            gaps.insert(gap.gap_id.clone(), gap);
        }
    }
    Ok(gaps.into_values().collect())
}

fn ms(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
