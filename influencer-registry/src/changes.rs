//! What became different between two sets.

use std::sync::Arc;

use crate::{Influencer, InfluencerSet};

/// The difference of two sets, each part ordered by id.
///
/// An influencer keeps its identity as long as id *and* address stay: another address under the same id is another
/// account, so it is one removal and one addition. Removals are to be applied before additions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// There now, not before.
    pub added: Vec<Arc<Influencer>>,
    /// There before, not now.
    pub removed: Vec<Arc<Influencer>>,
    /// There before and now, with other settings.
    pub changed: Vec<Changed>,
}

/// One influencer with other settings than before.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// As it was.
    pub old: Arc<Influencer>,
    /// As it is.
    pub new: Arc<Influencer>,
}

impl Changes {
    /// Whether nothing became different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// What makes `new` out of `old`.
#[must_use]
pub fn diff(old: &InfluencerSet, new: &InfluencerSet) -> Changes {
    let same_account = |a: &Influencer, b: &Influencer| a.address() == b.address();
    let mut changes = Changes::default();
    for was in old.iter() {
        match new.get(was.id().as_str()).filter(|is| same_account(was, is)) {
            None => changes.removed.push(Arc::clone(was)),
            Some(is) if Arc::ptr_eq(was, is) || was == is => {}
            Some(is) => changes.changed.push(Changed { old: Arc::clone(was), new: Arc::clone(is) }),
        }
    }
    let is_new = |is: &&Arc<Influencer>| !old.get(is.id().as_str()).is_some_and(|was| same_account(was, is));
    changes.added.extend(new.iter().filter(is_new).cloned());
    changes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::test_entries::any_set;

    type Model = BTreeMap<(String, String), serde_json::Value>;

    fn model(set: &InfluencerSet) -> Model {
        let key = |i: &Influencer| (i.id().to_string(), i.address().to_string());
        set.iter().map(|i| (key(i), i.to_json())).collect()
    }

    fn apply(mut to: Model, changes: &Changes) -> Model {
        let key = |i: &Influencer| (i.id().to_string(), i.address().to_string());
        for gone in &changes.removed {
            assert_eq!(to.remove(&key(gone)), Some(gone.to_json()), "only what was there is removed");
        }
        for Changed { old, new } in &changes.changed {
            assert_eq!(to.insert(key(new), new.to_json()), Some(old.to_json()));
            assert_ne!(old, new);
        }
        for new in &changes.added {
            assert_eq!(to.insert(key(new), new.to_json()), None, "only what was not there is added");
        }
        to
    }

    proptest! {
        #[test]
        fn applying_the_difference_to_the_old_gives_the_new(old in any_set(), new in any_set()) {
            prop_assert_eq!(apply(model(&old), &diff(&old, &new)), model(&new));
        }

        #[test]
        fn the_way_back_is_the_mirror(old in any_set(), new in any_set()) {
            let (there, back) = (diff(&old, &new), diff(&new, &old));
            prop_assert_eq!(&there.added, &back.removed);
            prop_assert_eq!(&there.removed, &back.added);
            prop_assert_eq!(there.changed.len(), back.changed.len());
            prop_assert_eq!(there.is_empty(), old == new);
        }

        #[test]
        fn nothing_differs_from_itself(set in any_set()) {
            let copy = InfluencerSet::from_json(&set.to_json()).unwrap();
            prop_assert!(diff(&set, &copy).is_empty());
        }
    }
}
