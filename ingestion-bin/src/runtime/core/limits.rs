//! What the venue allows at each endpoint, and how much of it is in use.

use std::cell::RefCell;
use std::rc::Rc;

use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::weight::WeightBudget;
use serde::Serialize;

use super::Core;
use crate::runtime::clock;

/// An endpoint and who uses it.
pub(in crate::runtime) struct Limited {
    pub(in crate::runtime) name: String,
    pub(in crate::runtime) limits: VenueLimits,
    /// Listeners there, by number; each carries every account.
    pub(in crate::runtime) listeners: Vec<usize>,
    /// What its info API was asked for; `None` where nobody asks.
    pub(in crate::runtime) weight: Option<Rc<RefCell<WeightBudget>>>,
}

/// One endpoint's limits in use.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointUse {
    /// Its configured name.
    pub endpoint: String,
    /// Accounts.
    pub users: Use,
    /// Open connections.
    pub connections: Use,
    /// Subscriptions over all of them.
    pub subscriptions: Use,
    /// Info weight charged in the last minute.
    pub info_weight: Use,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Use {
    /// In use.
    pub used: usize,
    /// At most.
    pub max: usize,
}

impl Use {
    fn of(used: usize, max: u32) -> Self {
        Self { used, max: usize::try_from(max).unwrap_or(usize::MAX) }
    }
}

impl Core {
    /// Said once for each endpoint.
    pub(in crate::runtime) fn limited(&mut self, endpoint: Limited) {
        self.limited.push(endpoint);
    }

    pub(super) fn limits_in_use(&self) -> Vec<EndpointUse> {
        let (twap, state) = (self.config.twap, self.config.state_interval.is_some());
        let wanted: usize = self.slots.values().map(|slot| slot.subscriptions(twap, state).len()).sum();
        let shown = |endpoint: &Limited| {
            let Limited { name, limits, listeners, weight } = endpoint;
            let open = listeners.iter().filter(|listener| self.connected.contains_key(listener)).count();
            let weight = weight.as_ref().map_or(0, |weight| weight.borrow_mut().spent(clock::now()));
            EndpointUse {
                endpoint: name.clone(),
                users: Use::of(if listeners.is_empty() { 0 } else { self.slots.len() }, limits.users),
                connections: Use::of(open, limits.connections),
                subscriptions: Use::of(open * wanted, limits.subscriptions),
                info_weight: Use::of(
                    usize::try_from(weight).unwrap_or(usize::MAX),
                    limits.info_weight_per_minute,
                ),
            }
        };
        self.limited.iter().map(shown).collect()
    }
}
