//! A valid list of influencers: one per id, one per address.
//!
//! Two ways in. [`InfluencerSet::strict`] takes a list only as a whole (a configuration, exit 64 otherwise).
//! [`InfluencerSet::lenient`] is for a list that changes while we follow it: a bad entry is refused by name, the
//! rest goes live, and an influencer that is live already stays so under its last good version.

mod build;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use build::Entry;

use crate::{Address, Influencer, InfluencerId, Refusal, RefusedList, Rule, rule};

/// Influencers by id and by address. Cheap to clone: a clone shares everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfluencerSet(Arc<Tables>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Tables {
    by_id: BTreeMap<InfluencerId, Arc<Influencer>>,
    by_address: HashMap<Address, InfluencerId>,
}

impl InfluencerSet {
    /// Takes the list if every entry is right.
    ///
    /// # Errors
    /// Every problem of every entry, at once: broken fields, two entries with one id or one address.
    pub fn strict<'a>(entries: impl IntoIterator<Item = &'a Value>) -> Result<Self, RefusedList> {
        let (set, refused) = build::build(entries.into_iter().map(Entry::from), &Self::default(), rule::none);
        if refused.is_empty() { Ok(set) } else { Err(RefusedList(refused)) }
    }

    /// Takes what is right, beside what is `live` now.
    ///
    /// - Of two entries with one id or one address the one already live stands, else the first.
    /// - A broken entry that names a live influencer, by id or address, leaves its live version in place
    ///   ([`Refusal::kept`]), unless the list gives its id or address to another entry.
    #[must_use]
    pub fn lenient<'a>(entries: impl IntoIterator<Item = &'a Value>, live: &Self) -> (Self, Vec<Refusal>) {
        Self::lenient_by(entries, live, rule::none)
    }

    /// As [`InfluencerSet::lenient`], for a program that asks more of an entry than to be valid.
    #[must_use]
    pub fn lenient_by<'a>(
        entries: impl IntoIterator<Item = &'a Value>,
        live: &Self,
        rule: Rule,
    ) -> (Self, Vec<Refusal>) {
        build::build(entries.into_iter().map(Entry::from), live, rule)
    }

    /// As [`InfluencerSet::lenient_by`], for entries that stand under their ids, as in a Redis hash: an entry may leave its `id` out, and
    /// is named by its key whatever is in it.
    #[must_use]
    pub fn lenient_keyed<'a>(
        entries: impl IntoIterator<Item = (&'a str, &'a Value)>,
        live: &Self,
        rule: Rule,
    ) -> (Self, Vec<Refusal>) {
        let keyed = |(key, value)| Entry { key: Some(key), value };
        build::build(entries.into_iter().map(keyed), live, rule)
    }

    /// Reads what [`InfluencerSet::to_json`] wrote: the last good list, persisted by the caller.
    ///
    /// # Errors
    /// As [`InfluencerSet::strict`]; anything but a list is one refused entry.
    pub fn from_json(list: &Value) -> Result<Self, RefusedList> {
        list.as_array().map_or_else(|| Self::strict([list]), Self::strict)
    }

    /// The list as a JSON array, ordered by id.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.iter().map(|influencer| influencer.to_json()).collect()
    }

    /// The same list with these accounts followed too, whatever it says about them: one that is listed keeps its
    /// id and settings and is enabled, another one is followed under its address as id.
    #[must_use]
    pub fn with_followed<'a>(&self, addresses: impl IntoIterator<Item = &'a Address>) -> Self {
        let mut tables = Tables::clone(&self.0);
        for address in addresses {
            let wanted = match tables.by_address.get(address).and_then(|id| tables.by_id.get(id)) {
                Some(listed) if listed.enabled() => continue,
                Some(listed) => listed.enabled_anyway(),
                None => Influencer::new(address.clone()),
            };
            tables.insert(Arc::new(wanted));
        }
        Self(Arc::new(tables))
    }

    /// The influencer with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Influencer>> {
        self.0.by_id.get(id)
    }

    /// The influencer with this address.
    #[must_use]
    pub fn by_address(&self, address: &Address) -> Option<&Arc<Influencer>> {
        self.0.by_address.get(address).and_then(|id| self.get(id.as_str()))
    }

    /// The influencer a person names by id or, in any case, by address.
    #[must_use]
    pub fn find(&self, id_or_address: &str) -> Option<&Arc<Influencer>> {
        let by_address = || id_or_address.to_lowercase().parse().ok().and_then(|a| self.by_address(&a));
        self.get(id_or_address).or_else(by_address)
    }

    /// All influencers by id, disabled ones included.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Influencer>> {
        self.0.by_id.values()
    }

    /// The enabled influencers in the order they are served: larger priority first, then by id.
    #[must_use]
    pub fn enabled_by_priority(&self) -> Vec<Arc<Influencer>> {
        let mut all: Vec<_> = self.iter().filter(|influencer| influencer.enabled()).cloned().collect();
        all.sort_by(|a, b| b.priority().cmp(&a.priority()).then_with(|| a.id().cmp(b.id())));
        all
    }

    /// How many there are, disabled ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.by_id.is_empty()
    }
}

impl Tables {
    /// The caller has checked that no *other* entry holds this id or address.
    fn insert(&mut self, influencer: Arc<Influencer>) {
        self.by_address.insert(influencer.address().clone(), influencer.id().clone());
        self.by_id.insert(influencer.id().clone(), influencer);
    }
}

#[cfg(test)]
mod tests;
