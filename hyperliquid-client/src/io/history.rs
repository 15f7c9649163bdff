//! An account's history, page by page: the info client, the pager and the weight budget together.
//!
//! Each page is charged in full before it is asked for and settled by its rows afterwards; when the minute's weight is spent, the
//! walk waits. An error ends the walk and says where to go on; nothing is asked twice by itself.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::time::{Instant as TokioInstant, sleep_until};

use super::clock::{self, Received};
use super::info::{InfoAnswer, InfoClient, InfoError};
use crate::decode::{Decoder, FrameError, Page, Row};
use crate::info::InfoRequest;
use crate::pager::{PageReport, Pager, PagerEnd};
use crate::weight::{Lane, WeightBudget, WeightTicket};
use crate::wire::{Address, Fill, Side, TwapFill};

/// Which of an account's two histories.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HistoryOf {
    /// `userFillsByTime`.
    Fills,
    /// `userTwapSliceFillsByTime`.
    TwapFills,
}

/// The rows of a page.
#[derive(Debug)]
pub enum HistoryRows<'a> {
    /// Of [`HistoryOf::Fills`].
    Fills(Page<'a, Fill<'a>>),
    /// Of [`HistoryOf::TwapFills`].
    TwapFills(Page<'a, TwapFill<'a>>),
}

/// One page as it was answered.
#[derive(Debug)]
pub struct HistoryPage<'a> {
    /// All of its rows, oldest first, also those known from the page before.
    pub rows: HistoryRows<'a>,
    /// Which of them are new to this walk; a hole, if one showed.
    pub report: PageReport,
    /// The answer as it came.
    pub body: &'a [u8],
    /// When the question was sent.
    pub asked_at: Received,
    /// When the answer was complete.
    pub received: Received,
}

/// Why a walk ended early, and from which venue ms on to ask again.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No answer.
    #[error("history of {user} from {next_start} on was not answered")]
    Info {
        /// Whose.
        user: Address,
        /// Venue ms, inclusive.
        next_start: u64,
        /// Why.
        #[source]
        source: InfoError,
    },
    /// An answer that is no page.
    #[error("history of {user} from {next_start} on is no page")]
    Page {
        /// Whose.
        user: Address,
        /// Venue ms, inclusive.
        next_start: u64,
        /// Why.
        #[source]
        source: FrameError,
    },
}

/// See the module.
#[derive(Debug)]
pub struct HistoryReader {
    client: InfoClient,
    weight: Rc<RefCell<WeightBudget>>,
    decoder: Decoder,
}

impl HistoryReader {
    /// A reader; `weight` is shared by all that ask from the same public address.
    #[must_use]
    pub fn new(client: InfoClient, weight: Rc<RefCell<WeightBudget>>) -> Self {
        Self { client, weight, decoder: Decoder::new() }
    }

    /// Walks from `start_ms` (venue time, inclusive) to the newest row, at most `pages` pages, handing over each page as it comes.
    ///
    /// # Errors
    /// [`HistoryError`]; the pages before it were handed over.
    pub async fn walk(
        &mut self,
        of: HistoryOf,
        user: Address,
        start_ms: u64,
        pages: u32,
        lane: Lane,
        on_page: impl FnMut(HistoryPage<'_>),
    ) -> Result<PagerEnd, HistoryError> {
        self.walk_span(of, user, (start_ms, None), pages, lane, on_page).await
    }

    /// The same for a span of venue time, both ends inclusive; without an end up to the newest row.
    ///
    /// # Errors
    /// [`HistoryError`]; the pages before it were handed over.
    pub async fn walk_span(
        &mut self,
        of: HistoryOf,
        user: Address,
        (start_ms, end_ms): (u64, Option<u64>),
        pages: u32,
        lane: Lane,
        mut on_page: impl FnMut(HistoryPage<'_>),
    ) -> Result<PagerEnd, HistoryError> {
        let mut pager = Pager::new(start_ms, pages);
        while let Some(next_start) = pager.next_start() {
            let request = of.request(user, next_start, end_ms);
            let (answer, ticket) = self.ask(&request, lane).await.map_err(|source| HistoryError::Info {
                user,
                next_start,
                source,
            })?;
            let body = answer.body.as_slice();
            let decoded = match of {
                HistoryOf::Fills => self.decoder.fills_page(body).map(HistoryRows::Fills),
                HistoryOf::TwapFills => self.decoder.twap_fills_page(body).map(HistoryRows::TwapFills),
            };
            let rows = match decoded {
                Ok(rows) => rows,
                Err(source) => {
                    self.weight.borrow_mut().settle_failed(ticket, clock::now());
                    return Err(HistoryError::Page { user, next_start, source });
                }
            };
            let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            self.weight.borrow_mut().settle(ticket, request.cost(), count, clock::now());
            let report = pager.on_page(rows.keys(next_start));
            on_page(HistoryPage { rows, report, body, asked_at: answer.asked_at, received: answer.received });
        }
        // `next_start` answers `None` exactly when there is an end.
        Ok(pager.end().unwrap_or(PagerEnd::Complete))
    }

    /// Asks once the weight for it is free. The ticket is to be settled.
    async fn ask(
        &mut self,
        request: &InfoRequest,
        lane: Lane,
    ) -> Result<(InfoAnswer, WeightTicket), InfoError> {
        let ticket = loop {
            let charged = self.weight.borrow_mut().try_charge(request.cost(), lane, clock::now());
            match charged {
                Ok(ticket) => break ticket,
                Err(free_at) => sleep_until(TokioInstant::from_std(free_at)).await,
            }
        };
        match self.client.ask(request).await {
            Ok(answer) => Ok((answer, ticket)),
            Err(error) => {
                let mut weight = self.weight.borrow_mut();
                weight.settle_failed(ticket, clock::now());
                if let InfoError::Status { status: 429, retry_after, .. } = &error {
                    weight.on_too_many_requests(*retry_after, clock::now());
                }
                Err(error)
            }
        }
    }
}

impl HistoryOf {
    const fn request(self, user: Address, start_ms: u64, end_ms: Option<u64>) -> InfoRequest {
        match self {
            Self::Fills => InfoRequest::UserFillsByTime { user, start_ms, end_ms },
            Self::TwapFills => InfoRequest::UserTwapSliceFillsByTime { user, start_ms, end_ms },
        }
    }
}

impl HistoryRows<'_> {
    /// How many rows there are, refused ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Fills(page) => page.rows.len(),
            Self::TwapFills(page) => page.rows.len(),
        }
    }

    /// Whether the page is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Key and time of each row, in order. A refused row is known by its bytes and takes the time of the row before it.
    fn keys(&self, start_ms: u64) -> Vec<(RowKey, u64)> {
        let mut time = start_ms;
        match self {
            Self::Fills(page) => page.rows.iter().map(|row| key(row, |fill| fill, &mut time)).collect(),
            Self::TwapFills(page) => {
                page.rows.iter().map(|row| key(row, |slice| &slice.fill, &mut time)).collect()
            }
        }
    }
}

/// What tells rows of one account apart.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum RowKey {
    /// Coin, trade id, side.
    Trade(String, u64, Side),
    /// Trade id 0 (dust): coin, order id, size, start position.
    NoTrade(String, u64, String, String),
    Refused(Vec<u8>),
}

fn key<'r, 'a: 'r, T>(
    row: &'r Row<'a, T>,
    fill: impl Fn(&'r T) -> &'r Fill<'a>,
    time: &mut u64,
) -> (RowKey, u64) {
    let key = match row.as_ref().map(fill) {
        Err(refusal) => RowKey::Refused(refusal.raw.to_vec()),
        Ok(fill) => {
            *time = fill.time;
            let coin = fill.coin.to_owned();
            match fill.tid {
                0 => RowKey::NoTrade(
                    coin,
                    fill.oid,
                    fill.sz.text.to_owned(),
                    fill.start_position.text.to_owned(),
                ),
                tid => RowKey::Trade(coin, tid, fill.side),
            }
        }
    };
    (key, *time)
}
