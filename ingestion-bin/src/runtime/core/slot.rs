//! One followed account in a worker: its machine and what the runtime keeps beside it.

use std::collections::BTreeMap;
use std::time::Instant;

use hyperliquid_client::wire::{Address, Subscription};
use signal_domain::{Account, InfluencerId};

use crate::account::{GapId, GapState, Ledger, Machine, Record, Stream};
use crate::record::{Arrival, Stamp};
use crate::translate::{Identifier, Interest};

/// What the registry and the configuration say about an account.
#[derive(Clone, Debug, Eq, PartialEq)]
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
}

/// What the journal knows of an account, to go on from.
#[derive(Debug)]
pub(in crate::runtime) struct Known {
    /// The influencer's id, as last recorded.
    pub(in crate::runtime) influencer: String,
    pub(in crate::runtime) ledger: Ledger,
    pub(in crate::runtime) opened: Vec<(GapId, u64)>,
}

impl Known {
    pub(super) fn of(slot: Slot) -> Self {
        Self {
            influencer: slot.followed.influencer.to_string(),
            ledger: slot.machine.ledger().clone(),
            opened: slot.opened,
        }
    }
}

#[derive(Debug)]
pub(in crate::runtime) struct Slot {
    pub(in crate::runtime) followed: Followed,
    pub(in crate::runtime) address: Address,
    pub(in crate::runtime) machine: Machine<Arrival>,
    pub(super) identifier: Identifier,
    /// When each kept gap was opened, wall clock, ms.
    pub(super) opened: Vec<(GapId, u64)>,
    /// Venue time of the newest row, ms.
    pub(in crate::runtime) newest: Option<i64>,
    /// When an account state was last kept.
    pub(super) state_kept: Option<Instant>,
    /// When each stream's history was last asked for.
    pub(super) turns: BTreeMap<Stream, Instant>,
    /// Removed from the list: subscribed until then, no signals.
    pub(in crate::runtime) leaving: Option<Instant>,
    /// The venue refuses to serve it.
    pub(in crate::runtime) refused: Option<String>,
}

impl Slot {
    pub(super) fn new(followed: Followed, machine: Machine<Arrival>, opened: Vec<(GapId, u64)>) -> Self {
        let bytes = *followed.account.as_bytes();
        Self {
            address: Address::from_bytes(bytes),
            identifier: Identifier::new(bytes, followed.interest.clone()),
            followed,
            machine,
            opened,
            newest: None,
            state_kept: None,
            turns: BTreeMap::new(),
            leaving: None,
            refused: None,
        }
    }

    /// New settings of the same account.
    pub(super) fn refollow(&mut self, followed: Followed) {
        self.identifier = Identifier::new(*followed.account.as_bytes(), followed.interest.clone());
        self.followed = followed;
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

    /// Keeps book of when gaps were opened; the same book is folded from the journal.
    pub(super) fn opened_at(&mut self, record: &Record<Arrival>, at_ms: u64) -> u64 {
        match record {
            Record::Gap(gap) => {
                let known = self.opened.iter().position(|(id, _)| *id == gap.id);
                let at = known.and_then(|index| self.opened.get(index)).map_or(at_ms, |(_, at)| *at);
                match (gap.state, known) {
                    (GapState::Repaired, Some(index)) => {
                        self.opened.swap_remove(index);
                    }
                    (GapState::Opened | GapState::Unfillable, None) => self.opened.push((gap.id.clone(), at)),
                    _ => {}
                }
                at
            }
            Record::Absorbed { gap } => {
                self.opened.retain(|(id, _)| id != gap);
                at_ms
            }
            Record::Epoch { .. }
            | Record::Baseline { .. }
            | Record::Event(_)
            | Record::Certified { .. }
            | Record::Refused { .. }
            | Record::Removed => at_ms,
        }
    }
}
