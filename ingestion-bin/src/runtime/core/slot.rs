//! One followed account in a worker: its machine and what the runtime keeps beside it.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use hyperliquid_client::session::Refusal;
use hyperliquid_client::wire::{Address, Subscription};
use signal_domain::{Account, InfluencerId};

use super::blind::Blind;
use super::order_updates::SeenOrders;
use super::positions::Positions;
use super::tuning::{Tuning, Weight};
use crate::account::{Ledger, Machine, Stream};
use crate::completeness::Tally;
use crate::record::{Arrival, Stamp};
use crate::state::{AccountState, GapBook, ToldBook, VenueBook};
use crate::translate::{Identifier, Interest};

/// What the registry and the configuration say about an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// The account.
    pub account: Account,
    /// Our name for it.
    pub influencer: InfluencerId,
    /// Which of its markets make signals.
    pub interest: Interest,
    /// Larger is served first.
    pub priority: i32,
    /// When it was put on the list, wall clock, ms, where the list says.
    pub added_at_ms: Option<u64>,
    /// Read its history from this venue time on, ms, instead of beginning with what comes now. Looked at when following begins.
    pub start: Option<i64>,
    /// Whether its order updates are listened to.
    pub orders: bool,
    /// What it may take, and how it waits.
    pub tuning: Tuning,
    /// Its settings as the list has them, to be shown.
    pub listed: serde_json::Value,
}

impl Followed {
    /// An account under its address, everything else as it is by default.
    #[must_use]
    pub fn by_address(account: Account) -> Self {
        Self {
            account,
            influencer: account.into(),
            interest: Interest::default(),
            priority: 0,
            added_at_ms: None,
            start: None,
            orders: false,
            tuning: Tuning::default(),
            listed: serde_json::Value::Null,
        }
    }
}

/// What the journal knows of an account, to go on from.
#[derive(Debug)]
pub(in crate::runtime) struct Known {
    /// The influencer's id, as last recorded.
    pub(in crate::runtime) influencer: String,
    pub(in crate::runtime) ledger: Ledger,
    pub(in crate::runtime) gaps: GapBook,
    pub(in crate::runtime) venue: VenueBook,
    pub(in crate::runtime) told: ToldBook,
}

impl From<AccountState> for Known {
    fn from(AccountState { influencer, ledger, gaps, venue, told }: AccountState) -> Self {
        Self { influencer, ledger, gaps, venue, told }
    }
}

impl Known {
    pub(super) fn of(slot: Slot) -> Self {
        Self {
            influencer: slot.followed.influencer.to_string(),
            ledger: slot.machine.ledger().clone(),
            gaps: slot.gaps,
            venue: slot.positions.book,
            told: slot.positions.telling.book,
        }
    }
}

#[derive(Debug)]
pub(in crate::runtime) struct Slot {
    pub(in crate::runtime) followed: Followed,
    pub(in crate::runtime) address: Address,
    pub(in crate::runtime) machine: Machine<Arrival>,
    pub(super) identifier: Identifier,
    /// What is told of its gaps; the same book is folded from the journal.
    pub(super) gaps: GapBook,
    /// Venue time of the newest row, ms.
    pub(in crate::runtime) newest: Option<i64>,
    /// Events published since it is followed by this process.
    pub(super) tally: Tally,
    /// What the venue shows of its equity and positions.
    pub(super) positions: Positions,
    /// Its newest order updates.
    pub(super) orders: SeenOrders,
    /// When each stream's history was last asked for.
    pub(super) turns: BTreeMap<Stream, Instant>,
    /// What was spent of its share of the info weight.
    pub(super) weight: Weight,
    /// Removed from the list: subscribed until then, no signals.
    pub(in crate::runtime) leaving: Option<Instant>,
    /// The cell it is planned into; `None`: there is no room for it.
    pub(super) cell: Option<usize>,
    pub(super) blind: Blind,
    /// The lines that carry it, by the number under which its machine knows each.
    pub(super) seats: BTreeMap<usize, usize>,
    /// Its rows that were refused, so that each is told once however often the venue sends it.
    pub(super) refused_rows: RefusedRows,
    /// What the venue says of its subscriptions that it refuses, by line.
    pub(in crate::runtime) refused: BTreeMap<(usize, String), (Refusal, String)>,
}

/// Digests of rows that were refused, the newest [`RefusedRows::MAX`].
#[derive(Debug, Default)]
pub(super) struct RefusedRows(VecDeque<u64>);

impl RefusedRows {
    /// A page holds up to 2,000 rows; if all of them are bad, the next page of them is still known.
    const MAX: usize = 4_096;

    pub(super) fn knows(&self, raw: &[u8]) -> bool {
        !self.0.is_empty() && self.0.contains(&digest(raw))
    }

    pub(super) fn remember(&mut self, raw: &[u8]) {
        if self.0.len() >= Self::MAX {
            self.0.pop_front();
        }
        self.0.push_back(digest(raw));
    }
}

/// Tells bytes of one run apart; it is never written down.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Slot {
    pub(super) fn new(
        followed: Followed,
        machine: Machine<Arrival>,
        gaps: GapBook,
        positions: Positions,
    ) -> Self {
        let bytes = *followed.account.as_bytes();
        Self {
            address: Address::from_bytes(bytes),
            identifier: Identifier::new(bytes, followed.interest.clone()),
            followed,
            machine,
            gaps,
            newest: None,
            tally: Tally::default(),
            positions,
            orders: SeenOrders::default(),
            turns: BTreeMap::new(),
            weight: Weight::default(),
            leaving: None,
            cell: None,
            blind: Blind::default(),
            refused_rows: RefusedRows::default(),
            seats: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// New settings of the same account.
    pub(super) fn refollow(&mut self, followed: Followed) {
        self.identifier = Identifier::new(*followed.account.as_bytes(), followed.interest.clone());
        self.followed = followed;
    }

    /// One listener is enough for it.
    pub(super) fn is_single(&self) -> bool {
        self.followed.tuning.listeners_max == Some(1)
    }

    /// Out of a seat: its machine has one listener less, and what that one's line refused is no matter of its any more.
    pub(super) fn leave(&mut self, seat: usize, now: Instant) {
        if let Some(line) = self.seats.remove(&seat) {
            self.refused.retain(|(refusing, _), _| *refusing != line);
        }
        self.machine.handle_listener_down(seat, now);
    }

    /// The seat it has on a line.
    pub(super) fn seat_on(&self, line: usize) -> Option<usize> {
        self.seats.iter().find(|(_, sat)| **sat == line).map(|(seat, _)| *seat)
    }

    /// What is subscribed for it on every connection that carries it.
    pub(in crate::runtime) fn subscriptions(&self, twap: bool, state: bool) -> Vec<Subscription> {
        let user = self.address;
        let mut wanted = vec![Subscription::UserFills { user }];
        if twap {
            wanted.push(Subscription::UserTwapSliceFills { user });
        }
        if state {
            wanted.push(Subscription::AllDexsClearinghouseState { user });
        }
        if self.followed.orders {
            wanted.push(Subscription::OrderUpdates { user });
        }
        wanted
    }

    pub(super) fn stamp<'a>(&'a self, network: &'a str, at_ms: u64) -> Stamp<'a> {
        Stamp {
            account: *self.followed.account.as_bytes(),
            influencer: self.followed.influencer.as_str(),
            network,
            at_ms,
            epoch: self.machine.ledger().epoch(),
        }
    }
}
