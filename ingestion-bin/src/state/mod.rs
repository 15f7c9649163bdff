//! What the journal's records add up to: the ledgers of all accounts, the weight spent, the epochs. The journal's fold.
//!
//! **Invariant:** changes only by [`Fold::apply`]; the same records give the same state, live and after a restart.

mod gap_book;
#[cfg(test)]
mod tests;
mod told_book;
mod venue_book;

use std::collections::BTreeMap;
use std::io;

use messaging::journal::{Fold, Record};
use serde::{Deserialize, Serialize};

use crate::account::{Ledger, Settings};
use crate::record::{self, AccountBody, Body, Change, RecordError};

pub use gap_book::GapBook;
pub use told_book::{Told, ToldBook};
pub use venue_book::{VenueBook, dex_of};

/// One account as the journal knows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AccountState {
    /// The influencer's id, as last recorded.
    pub influencer: String,
    /// The machine's durable half.
    pub ledger: Ledger,
    /// What is told of its gaps.
    pub gaps: GapBook,
    /// What the venue showed of it last.
    pub venue: VenueBook,
    /// What consumers were told of it.
    pub told: ToldBook,
}

impl AccountState {
    /// Out of the bytes that [`AccountState::share`] made.
    ///
    /// # Errors
    ///
    /// When they are no state of this version.
    pub fn shared(bytes: &[u8]) -> Result<Self, postcard::Error> {
        match bytes.split_first() {
            Some((&SHARED_VERSION, state)) => postcard::from_bytes(state),
            _ => Err(postcard::Error::WontImplement),
        }
    }

    /// As bytes for another instance: a version and the state.
    #[must_use]
    pub fn share(&self) -> Vec<u8> {
        // A vector takes every byte, and nothing in here has a length that is not known in advance.
        postcard::to_extend(self, vec![SHARED_VERSION])
            .unwrap_or_else(|error| unreachable!("a state of plain fields always encodes: {error}"))
    }
}

impl Default for AccountState {
    fn default() -> Self {
        Self {
            influencer: String::new(),
            ledger: Ledger::new(&Settings::default()),
            gaps: GapBook::default(),
            venue: VenueBook::default(),
            told: ToldBook::default(),
        }
    }
}

/// Weight spent at an endpoint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Spent {
    /// The endpoint's name.
    pub endpoint: String,
    /// Weight.
    pub weight: u32,
    /// Wall clock, ms.
    pub at_ms: u64,
}

/// The state at one position of the journal.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct State {
    /// Accounts by their 20 bytes; removed ones stay until their numbers cannot matter any more.
    pub accounts: BTreeMap<[u8; 20], AccountState>,
    /// Newest last; older than two minutes before the newest are forgotten.
    pub spent: Vec<Spent>,
    /// Runs of the process so far.
    pub runs: u64,
    /// When the first of them began, wall clock, ms.
    pub began_ms: Option<u64>,
    /// Positions that could not be read since the last run began.
    pub damaged: Vec<(u64, u64)>,
    /// A record that must be understood and is not: nothing may be built on this state.
    pub refused: Option<String>,
}

/// The version of a shared state: of everything in [`AccountState`].
const SHARED_VERSION: u8 = 1;

/// Weight older than this does not count any more: the venue's minute, and as much again for clocks.
const SPENT_KEPT_MS: u64 = 120_000;

impl State {
    /// The state of a checkpoint.
    ///
    /// # Errors
    ///
    /// When the bytes are no state of this version.
    pub fn restore(bytes: &[u8]) -> Result<Self, postcard::Error> {
        if bytes.is_empty() { Ok(Self::default()) } else { postcard::from_bytes(bytes) }
    }

    /// The highest epoch on record; 0 when there is none.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.accounts.values().map(|account| account.ledger.epoch()).max().unwrap_or(0)
    }

    /// Takes the next record; whose state it changed, where it is an account's.
    pub fn follow(&mut self, record: &Record<'_>) -> Option<[u8; 20]> {
        self.follow_labelled(record, &mut |_| {})
    }

    fn follow_labelled(&mut self, record: &Record<'_>, add: &mut dyn FnMut(u64)) -> Option<[u8; 20]> {
        match self.take(record, add) {
            Ok(account) => account,
            Err(error) => {
                self.refused.get_or_insert_with(|| error.to_string());
                None
            }
        }
    }

    fn take(
        &mut self,
        record: &Record<'_>,
        add: &mut dyn FnMut(u64),
    ) -> Result<Option<[u8; 20]>, RecordError> {
        let body = record::decode(record)?;
        body.iter().flat_map(record::labels).for_each(add);
        Ok(match body {
            Some(Body::Account(body)) => {
                self.account(&body);
                Some(body.stamp.account)
            }
            Some(Body::Spent { endpoint, weight, at_ms }) => {
                let since = at_ms.saturating_sub(SPENT_KEPT_MS);
                // The second record of one time says what the charge came to.
                self.spent.retain(|spent| {
                    spent.at_ms >= since && !(spent.at_ms == at_ms && spent.endpoint == endpoint)
                });
                self.spent.push(Spent { endpoint: endpoint.into_owned(), weight, at_ms });
                None
            }
            Some(Body::Run(run)) => {
                self.runs += 1;
                self.began_ms.get_or_insert(run.started_at_ms);
                self.damaged.clear();
                None
            }
            Some(Body::State { stamp, shown }) => {
                self.accounts.entry(stamp.account).or_default().venue.keep(&shown);
                Some(stamp.account)
            }
            Some(Body::Notice { stamp, notice }) => {
                self.accounts.entry(stamp.account).or_default().told.keep(&notice);
                Some(stamp.account)
            }
            Some(Body::Adopted { stamp, state }) => {
                let body = |source| RecordError::Body { position: record.position, source };
                self.accounts.insert(stamp.account, AccountState::shared(state).map_err(body)?);
                Some(stamp.account)
            }
            Some(Body::Refusal(_) | Body::Raw(_) | Body::Passed { .. }) | None => None,
        })
    }

    fn account(&mut self, body: &AccountBody<'_>) {
        let state = self.accounts.entry(body.stamp.account).or_default();
        if state.influencer != body.stamp.influencer {
            body.stamp.influencer.clone_into(&mut state.influencer);
        }
        state.ledger.apply(&record::fold_record(body));
        match &body.change {
            Change::Epoch { fresh, .. } => {
                state.gaps.epoch(*fresh);
                state.venue.epoch(*fresh);
            }
            Change::Baseline { made_at_ms, .. } => state.gaps.based(*made_at_ms),
            Change::Gap { gap, told } => state.gaps.keep(gap, told),
            Change::Absorbed { gap } => state.gaps.absorbed(gap),
            Change::Event(event) if !event.late => state.told.moved(&event.market),
            Change::Heard { .. } | Change::Event(_) | Change::Certified { .. } | Change::Removed => {}
        }
    }
}

impl Fold for State {
    fn apply(&mut self, record: &Record<'_>) {
        self.follow(record);
    }

    fn apply_labelled(&mut self, record: &Record<'_>, add: &mut dyn FnMut(u64)) {
        self.follow_labelled(record, add);
    }

    fn damage(&mut self, from: u64, to: u64) {
        self.damaged.push((from, to));
    }

    fn save(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = Remembering { out, failed: None };
        let saved = postcard::to_io(self, &mut out).map(drop);
        // postcard says no more than that it could not write.
        saved.map_err(|error| out.failed.unwrap_or_else(|| io::Error::other(error)))
    }
}

/// Keeps the error with which a write failed.
struct Remembering<'a> {
    out: &'a mut dyn io::Write,
    failed: Option<io::Error>,
}

impl Remembering<'_> {
    fn keep(&mut self, error: io::Error) -> io::Error {
        let kind = error.kind();
        self.failed = Some(error);
        kind.into()
    }
}

impl io::Write for Remembering<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| self.keep(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|error| self.keep(error))
    }
}
