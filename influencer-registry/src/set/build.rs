//! From entries to a set: decode each, let one stand per id and address, keep live ones their list spoiled.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use super::{InfluencerSet, Tables};
use crate::{
    Address, EntryName, Influencer, InfluencerId, Problem, Reason, Refusal, Rule,
    influencer::{decode, keys},
};

/// An entry as it is written; in a table of entries by id, the key it stands under.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: Option<&'a str>,
    pub(super) value: &'a Value,
}

impl<'a> From<&'a Value> for Entry<'a> {
    fn from(value: &'a Value) -> Self {
        Self { key: None, value }
    }
}

pub(super) fn build<'a>(
    entries: impl IntoIterator<Item = Entry<'a>>,
    live: &InfluencerSet,
    rule: Rule,
) -> (InfluencerSet, Vec<Refusal>) {
    let mut good = Vec::new();
    let mut refused = Vec::new();
    let mut spoiled = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        let name = EntryName { number: place + 1, text: entry.written_name() };
        match decode::influencer(entry.value, entry.key, rule) {
            Ok(influencer) => good.push((name, influencer)),
            Err(problems) => {
                refused.push(Refusal { entry: name, problems, kept: false });
                spoiled.push((refused.len() - 1, entry));
            }
        }
    }
    // Stable: what is live already goes first, the rest in the list's order.
    good.sort_by_key(|(_, influencer)| !is_live(influencer, live));
    let mut standing = Standing::default();
    for (name, influencer) in good {
        let shared = live.get(influencer.id().as_str()).filter(|old| ***old == influencer);
        let influencer = shared.cloned().unwrap_or_else(|| Arc::new(influencer));
        if let Some(refusal) = standing.admit(name, influencer) {
            refused.push(refusal);
        }
    }
    for (place, entry) in spoiled {
        let Some(refusal) = refused.get_mut(place) else { continue };
        let (id, address) = entry.named();
        refusal.problems.extend(standing.name(&refusal.entry, id.as_ref(), address.as_ref()));
        if let Some(version) = entry.live_version(live)
            && standing.is_free(&version)
        {
            standing.tables.insert(version);
            refusal.kept = true;
        }
    }
    refused.sort_by_key(|refusal| refusal.entry.number);
    (InfluencerSet(Arc::new(standing.tables)), refused)
}

/// The entries that stand so far, and by what name each id and address was met.
#[derive(Default)]
struct Standing {
    tables: Tables,
    ids: HashMap<InfluencerId, EntryName>,
    addresses: HashMap<Address, EntryName>,
}

impl Standing {
    fn is_free(&self, influencer: &Influencer) -> bool {
        !self.tables.by_id.contains_key(influencer.id())
            && !self.tables.by_address.contains_key(influencer.address())
    }

    fn admit(&mut self, name: EntryName, influencer: Arc<Influencer>) -> Option<Refusal> {
        let problems = self.name(&name, Some(influencer.id()), Some(influencer.address()));
        if problems.is_empty() {
            self.tables.insert(influencer);
            return None;
        }
        Some(Refusal { entry: name, problems, kept: false })
    }

    /// An entry has this id and this address. Answers which of them another one has.
    fn name(
        &mut self,
        name: &EntryName,
        id: Option<&InfluencerId>,
        address: Option<&Address>,
    ) -> Vec<Problem> {
        let first_id = id.and_then(|id| self.ids.get(id));
        let first_address = address.and_then(|address| self.addresses.get(address));
        let mut problems = Vec::new();
        if let Some((id, first)) = id.zip(first_id) {
            let reason = Reason::DuplicateId { first: first.clone() };
            problems.push(Problem::new("id", &Value::from(id.as_str()), reason));
        }
        if let Some((address, first)) = address.zip(first_address) {
            let reason = Reason::DuplicateAddress { first: first.clone() };
            problems.push(Problem::new("address", &Value::from(address.as_str()), reason));
        }
        if problems.is_empty() {
            self.ids.extend(id.map(|id| (id.clone(), name.clone())));
            self.addresses.extend(address.map(|address| (address.clone(), name.clone())));
        }
        problems
    }
}

fn is_live(influencer: &Influencer, live: &InfluencerSet) -> bool {
    live.get(influencer.id().as_str()).is_some_and(|old| old.address() == influencer.address())
}

impl Entry<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }

    /// The id it gives itself, right or wrong: the key it stands under counts more than what is inside.
    fn written_id(&self) -> Option<&str> {
        self.key.or_else(|| self.text("id"))
    }

    fn has_id(&self) -> bool {
        self.key.is_some() || self.value.get("id").is_some_and(|id| !id.is_null())
    }

    /// The id and the address of a broken entry, where they are right; its address is the id of one without.
    fn named(&self) -> (Option<InfluencerId>, Option<Address>) {
        let address: Option<Address> = self.text("address").and_then(|text| text.parse().ok());
        let id = if self.has_id() {
            self.written_id().and_then(|text| text.parse().ok())
        } else {
            address.as_ref().map(InfluencerId::from)
        };
        (id, address)
    }

    /// The live influencer a broken entry still names: by its id or, without one, by its address.
    fn live_version(&self, live: &InfluencerSet) -> Option<Arc<Influencer>> {
        if self.has_id() {
            live.get(self.written_id()?).cloned()
        } else {
            live.by_address(&self.named().1?).cloned()
        }
    }

    fn written_name(&self) -> Option<String> {
        let text = self.written_id().or_else(|| self.text("address"))?;
        Some(text.chars().take(keys::LABEL_CHARS_MAX).collect())
    }
}
