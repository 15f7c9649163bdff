//! The venue asked by a command: its history and its clock, over the first endpoint, inside the share of the info weight that is the
//! commands' own (`runtime/share.rs`), so that a service beside them keeps to the rest.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use hyperliquid_client::decode::Decoder;
use hyperliquid_client::info::{self, InfoRequest};
use hyperliquid_client::io::{
    AskAgain, Dns, HistoryError, HistoryOf, HistoryPage, HistoryReader, HistoryRows, InfoClient, InfoError,
    WallClock,
};
use hyperliquid_client::pager::PagerEnd;
use hyperliquid_client::weight::{Lane, WeightBudget};
use hyperliquid_client::wire::Address;
use observability::causes;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, sleep_until};

use super::exit::Failure;
use crate::audit::{HistoryRow, Told, timeline};
use crate::config::{Config, Routes};
use crate::runtime::{clock, commands_share, endpoints};
use crate::translate::{Identifier, Interest, history_row};

/// A question that fails is asked again so often before the command gives up.
const ATTEMPTS: u32 = 5;

/// Between the first two attempts; each pause is twice the one before.
const PAUSE: Duration = Duration::from_secs(1);

/// Pages of one stream: forty times what the venue promises to keep.
const PAGES_MAX: u32 = 200;

/// Rows of one stream that the venue promises to keep; who has as many may have had more.
pub(super) const KEPT_ROWS: usize = 10_000;

/// An account's history, both streams together.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Its rows in order, each market's chain checked.
    pub(super) rows: Vec<Told>,
    /// Rows that cannot be read, in words.
    pub(super) unreadable: Vec<String>,
    /// Milliseconds (venue time) of which rows cannot be asked for: more than a page of them.
    pub(super) holes: Vec<i64>,
    /// A stream has as many rows as the venue promises to keep.
    pub(super) capped: bool,
}

/// See the module.
pub(super) struct Venue {
    runtime: Runtime,
    reader: HistoryReader,
    client: InfoClient,
    weight: Rc<RefCell<WeightBudget>>,
    twap: bool,
}

impl Venue {
    /// Connects to nobody yet.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let endpoints = endpoints(config)?;
        let endpoint = endpoints.first().ok_or_else(|| Failure::World("no endpoint to ask".to_owned()))?;
        let groups = Routes::of(&config.venue).groups;
        let allowed = groups.first().map_or(0, |group| group.limits.info_weight_per_minute);
        let share = commands_share(allowed);
        let weight = WeightBudget::new(share, 0).map_err(|_| {
            Failure::World(format!(
                "venue.endpoint.0.limits.info_weight_per_minute {allowed}: its sixth, which commands may spend beside a \
                 service, is less than one page of history (120)"
            ))
        })?;
        let weight = Rc::new(RefCell::new(weight));
        let dialer = endpoint.dialer(Dns::default()).map_err(|error| Failure::World(causes(&error)))?;
        let client = || InfoClient::new(endpoint.clone(), dialer.clone(), WallClock::new(clock::wall_ns));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::world("runtime", error))?;
        Ok(Self {
            runtime,
            reader: HistoryReader::new(client(), Rc::clone(&weight)),
            client: client(),
            weight,
            twap: config.streams.twap,
        })
    }

    /// The venue's clock, ms, as its state of any account tells it.
    pub(super) fn time(&mut self, account: [u8; 20]) -> Result<i64, Failure> {
        let user = Address::from_bytes(account);
        let request = InfoRequest::ClearinghouseState { user, dex: String::new() };
        let body = self.ask(&request)?;
        let state = info::account_state(&body).map_err(|error| Failure::World(causes(&error)))?;
        Ok(i64::try_from(state.time).unwrap_or(i64::MAX))
    }

    /// One question whose answer has no rows, asked again where that can help.
    pub(super) fn ask(&mut self, request: &InfoRequest) -> Result<Vec<u8>, Failure> {
        self.ask_rows(request, |_| 0)
    }

    /// The same where the venue counts the rows of the answer, as `rows` does.
    fn ask_rows(&mut self, request: &InfoRequest, rows: impl Fn(&[u8]) -> u32) -> Result<Vec<u8>, Failure> {
        let (client, weight, cost) = (&mut self.client, &self.weight, request.cost());
        self.runtime.block_on(async {
            let mut attempt = 0;
            loop {
                let charged = weight.borrow_mut().try_charge(cost, Lane::Background, clock::now());
                let ticket = match charged {
                    Ok(ticket) => ticket,
                    Err(free_at) => {
                        sleep_until(Instant::from_std(free_at)).await;
                        continue;
                    }
                };
                match client.ask(request).await {
                    Ok(answer) => {
                        weight.borrow_mut().settle(ticket, cost, rows(&answer.body), clock::now());
                        return Ok(answer.body);
                    }
                    Err(error) => {
                        weight.borrow_mut().settle_failed(ticket, clock::now());
                        again(&mut attempt, &error).await.map_err(Failure::World)?;
                    }
                }
            }
        })
    }

    /// Venue time of an account's newest fill, ms.
    pub(super) fn newest_fill(&mut self, account: [u8; 20]) -> Result<Option<u64>, Failure> {
        let user = Address::from_bytes(account);
        let rows = |body: &[u8]| {
            let rows = Decoder::new().fills_page(body).map_or(usize::MAX, |page| page.rows.len());
            u32::try_from(rows).unwrap_or(u32::MAX)
        };
        let body = self.ask_rows(&InfoRequest::UserFills { user }, rows)?;
        let mut decoder = Decoder::new();
        let page = decoder.fills_page(&body).map_err(|error| Failure::World(causes(&error)))?;
        Ok(page.rows.iter().flatten().map(|fill| fill.time).max())
    }

    /// The history of an account between two venue times, both included; without an end up to the newest row.
    pub(super) fn history(
        &mut self,
        account: [u8; 20],
        interest: Interest,
        (since, until): (i64, Option<i64>),
    ) -> Result<History, Failure> {
        let ms = |time: i64| u64::try_from(time).unwrap_or(0);
        let (user, until) = (Address::from_bytes(account), until.map(ms));
        let mut rows = Rows::new(account, interest);
        let (reader, twap) = (&mut self.reader, self.twap);
        self.runtime.block_on(async {
            for of in [HistoryOf::Fills, HistoryOf::TwapFills] {
                if of == HistoryOf::TwapFills && !twap {
                    continue;
                }
                let (mut start, mut attempt) = (ms(since), 0);
                loop {
                    let walk =
                        reader.walk_span(of, user, (start, until), PAGES_MAX, Lane::Background, |page| {
                            rows.take(&page);
                        });
                    match walk.await {
                        Ok(PagerEnd::PageLimit { next_start }) => start = next_start,
                        Ok(PagerEnd::Complete) => break,
                        Ok(PagerEnd::CompleteButDense { ms }) => {
                            rows.holes.extend(i64::try_from(ms));
                            break;
                        }
                        Err(HistoryError::Info { next_start, source, .. }) => {
                            let context = format!("history of {user}");
                            again(&mut attempt, &source)
                                .await
                                .map_err(|why| Failure::world(&context, why))?;
                            start = next_start;
                        }
                        Err(error @ HistoryError::Page { .. }) => {
                            return Err(Failure::World(causes(&error)));
                        }
                    }
                }
            }
            Ok(())
        })?;
        progress("");
        Ok(rows.finish())
    }
}

/// Waits before the next attempt; in words, why there is none.
async fn again(attempt: &mut u32, error: &InfoError) -> Result<(), String> {
    *attempt += 1;
    let pause = match error.ask_again() {
        AskAgain::Never | AskAgain::Rarely => return Err(causes(error)),
        _ if *attempt >= ATTEMPTS => return Err(causes(error)),
        AskAgain::After(wait) => wait,
        AskAgain::Later => PAUSE * 2_u32.saturating_pow(*attempt - 1),
    };
    sleep(pause).await;
    Ok(())
}

/// Rows as they come, page by page. A walk that goes on after an error shows some again.
struct Rows {
    account: Address,
    identifier: Identifier,
    streams: [Vec<HistoryRow>; 2],
    unreadable: Vec<String>,
    holes: Vec<i64>,
}

impl Rows {
    fn new(account: [u8; 20], interest: Interest) -> Self {
        Self {
            account: Address::from_bytes(account),
            identifier: Identifier::new(account, interest),
            streams: [Vec::new(), Vec::new()],
            unreadable: Vec::new(),
            holes: Vec::new(),
        }
    }

    fn take(&mut self, page: &HistoryPage<'_>) {
        self.holes.extend(page.report.hole_ms.and_then(|ms| i64::try_from(ms).ok()));
        for &at in &page.report.fresh {
            let [fills, slices] = &mut self.streams;
            let (read, into) = match &page.rows {
                HistoryRows::Fills(rows) => match rows.rows.get(at) {
                    Some(Ok(fill)) => (history_row(fill, None, &mut self.identifier), fills),
                    Some(Err(refusal)) => {
                        self.unreadable.push(refusal.to_string());
                        continue;
                    }
                    None => continue,
                },
                HistoryRows::TwapFills(rows) => match rows.rows.get(at) {
                    Some(Ok(slice)) => {
                        (history_row(&slice.fill, Some(slice.twap_id), &mut self.identifier), slices)
                    }
                    Some(Err(refusal)) => {
                        self.unreadable.push(refusal.to_string());
                        continue;
                    }
                    None => continue,
                },
            };
            match read {
                // A walk begun anew shows the millisecond again at which the one before ended.
                Ok(row) => {
                    let known = into.iter().rev().take_while(|known| known.fill.time >= row.fill.time);
                    let mut known = known.filter(|known| known.fill.market == row.fill.market);
                    if !known.any(|known| known.source_event_id == row.source_event_id) {
                        into.push(row);
                    }
                }
                Err(error) => self.unreadable.push(error.to_string()),
            }
        }
        let [fills, slices] = &self.streams;
        progress(&format!("history of {}: {} rows", self.account, fills.len() + slices.len()));
    }

    fn finish(self) -> History {
        let [fills, slices] = self.streams;
        let capped = fills.len().max(slices.len()) >= KEPT_ROWS;
        let rows = timeline(fills, slices);
        History { rows, unreadable: self.unreadable, holes: self.holes, capped }
    }
}

/// Replaces the line that a person looks at meanwhile.
fn progress(line: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _closed = write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush());
    }
}
