//! What consumers were told of an account's positions (`record::Notice`): which keys there are, and where the venue's word stands
//! against the chain's. The live account and the journal's fold keep the same book, so that a restart knows what it owes: a change that
//! was not told any more, and the end of every key when the account is removed.
//!
//! Memory: one entry for each market that was ever told of and not removed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signal_domain::{StateReason, StateSource};

use crate::account::{Market, Position};
use crate::record::Notice;

/// See the module.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct ToldBook {
    influencer: bool,
    markets: BTreeMap<Market, Told>,
}

/// What was told of one market.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Told {
    /// Signed.
    pub size: Position,
    /// The venue contradicts the chain, and says this since this venue time, ms.
    pub disputed: Option<(Position, i64)>,
}

impl ToldBook {
    /// Takes what was recorded.
    pub fn keep(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Influencer(_) => self.influencer = true,
            Notice::Market(told) => {
                let by_venue = told.source == StateSource::Venue.as_str();
                let before = self.markets.get(&told.market).and_then(|before| before.disputed);
                let disputed = if by_venue && told.reason == StateReason::Resync.as_str() {
                    Some((told.size, told.as_of))
                } else {
                    before.filter(|_| by_venue)
                };
                self.markets.insert(told.market.clone(), Told { size: told.size, disputed });
            }
            Notice::Removed(None) => self.influencer = false,
            Notice::Removed(Some(market)) => {
                self.markets.remove(market);
            }
        }
    }

    /// The chain of a market went on: whatever the venue said against it is over.
    pub fn moved(&mut self, market: &Market) {
        if let Some(told) = self.markets.get_mut(market) {
            told.disputed = None;
        }
    }

    /// What was told of a market.
    #[must_use]
    pub fn market(&self, market: &Market) -> Option<&Told> {
        self.markets.get(market)
    }

    /// Every market that was told of.
    pub fn markets(&self) -> impl Iterator<Item = &Market> {
        self.markets.keys()
    }

    /// What ends every key there is.
    #[must_use]
    pub fn ends(&self) -> Vec<Notice<'static>> {
        let markets = self.markets.keys().map(|market| Notice::Removed(Some(market.clone())));
        markets.chain(self.influencer.then_some(Notice::Removed(None))).collect()
    }
}
