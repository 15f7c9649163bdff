//! What the venue allows at each endpoint, and how much of it is in use.

use std::cell::RefCell;
use std::rc::Rc;

use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::weight::WeightBudget;
use serde::Serialize;

use super::learned::{Learned, LearnedLimit};
use super::{Core, Slot};
use crate::runtime::clock;

/// Routes that share the venue's limits.
pub(in crate::runtime) struct Limited {
    /// Of the first of them.
    pub(in crate::runtime) name: String,
    pub(in crate::runtime) limits: VenueLimits,
    /// What its info API was asked for; `None` where nobody asks.
    weight: Option<Rc<RefCell<WeightBudget>>>,
    pub(super) learned: Learned,
}

impl Limited {
    pub(in crate::runtime) fn new(name: &str, limits: VenueLimits) -> Self {
        Self { name: name.to_owned(), limits, weight: None, learned: Learned::default() }
    }
}

/// One public address' limits in use.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointUse {
    /// The first route over it: the endpoint's name, with the egress where it has several.
    pub endpoint: String,
    /// Accounts.
    pub users: Use,
    /// Open connections.
    pub connections: Use,
    /// Subscriptions over all of them.
    pub subscriptions: Use,
    /// Info weight charged in the last minute.
    pub info_weight: Use,
    /// What the venue was found to allow fewer of than configured; `users` and `connections` have that for their most then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learned: Vec<LearnedLimit>,
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
    /// Whom a group's info API is asked by.
    pub(in crate::runtime) fn spends(&mut self, group: usize, weight: Rc<RefCell<WeightBudget>>) {
        if let Some(group) = self.groups.get_mut(group) {
            group.weight = Some(weight);
        }
    }

    pub(super) fn limits_in_use(&self) -> Vec<EndpointUse> {
        let shown = |(place, group): (usize, &Limited)| {
            let open = self.lines.values().filter(|line| line.group == place && line.connection.is_some());
            let here = |line: &usize| self.lines.get(line).is_some_and(|line| line.group == place);
            let seats_here = |slot: &Slot| slot.seats.values().filter(|line| here(line)).count();
            let subscriptions =
                self.slots.values().map(|slot| seats_here(slot) * self.wanted(slot).len()).sum();
            let limits = group.learned.limits(group.limits);
            let weight = group.weight.as_ref().map_or(0, |weight| weight.borrow_mut().spent(clock::now()));
            EndpointUse {
                endpoint: group.name.clone(),
                users: Use::of(self.slots.values().filter(|slot| seats_here(slot) > 0).count(), limits.users),
                connections: Use::of(open.count(), limits.connections),
                subscriptions: Use::of(subscriptions, limits.subscriptions),
                info_weight: Use::of(
                    usize::try_from(weight).unwrap_or(usize::MAX),
                    group.limits.info_weight_per_minute,
                ),
                learned: group.learned.shown(group.limits),
            }
        };
        self.groups.iter().enumerate().map(shown).collect()
    }
}
