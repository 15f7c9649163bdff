//! A list: one entry for each id and address, the bad ones named, the live ones kept.

use proptest::{collection, prelude::*};
use serde_json::json;

use super::*;
use crate::{
    Reason, diff,
    test_entries::{address, any_entry, any_set, entry},
};

fn ids(set: &InfluencerSet) -> Vec<&str> {
    set.iter().map(|influencer| influencer.id().as_str()).collect()
}

#[test]
fn two_with_one_id_or_one_address_in_any_case_are_errors() {
    let mixed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let list = [
        json!({ "id": "a", "address": mixed }),
        json!({ "id": "b", "address": mixed.to_lowercase() }),
        entry("a", 9),
        json!({ "id": "c", "address": "0x1" }),
    ];
    let RefusedList(refused) = InfluencerSet::strict(&list).unwrap_err();
    assert_eq!(refused.iter().map(|r| r.entry.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(matches!(refused[0].problems[0].reason, Reason::DuplicateAddress { .. }));
    assert!(matches!(refused[1].problems[0].reason, Reason::DuplicateId { .. }));
    let text = RefusedList(refused).to_string();
    assert_eq!(
        text.lines().next().unwrap(),
        "influencer 2 (\"b\"): address = \"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\": \
         influencer 1 (\"a\") has the same address"
    );
}

#[test]
fn an_entry_with_a_bad_field_is_told_its_duplicates_too() {
    let list = [
        json!({ "id": "a", "address": address(1), "priority": "high" }),
        entry("b", 2),
        json!({ "id": "b", "address": address(2), "markets": 5 }),
        json!({ "id": "a", "address": "0x1" }),
    ];
    let RefusedList(refused) = InfluencerSet::strict(&list).unwrap_err();
    let told: Vec<Vec<&str>> = refused
        .iter()
        .map(|refusal| refusal.problems.iter().map(|problem| problem.field.as_str()).collect())
        .collect();
    assert_eq!(told, [vec!["priority"], vec!["markets", "id", "address"], vec!["address", "id"]]);
    assert!(refused[2].to_string().contains("influencer 1 (\"a\") has the same id"), "{refused:?}");
}

#[test]
fn a_bad_entry_leaves_the_rest_live() {
    let list = [entry("a", 1), json!({ "id": "b", "address": "nonsense" }), entry("c", 3)];
    let (set, refused) = InfluencerSet::lenient(&list, &InfluencerSet::default());
    assert_eq!(ids(&set), ["a", "c"]);
    assert_eq!((refused.len(), refused[0].kept), (1, false));
}

#[test]
fn a_typo_in_a_live_entry_unsubscribes_nobody() {
    let live = InfluencerSet::strict(&[entry("a", 1), json!({ "address": address(2) })]).unwrap();
    let typos =
        [json!({ "id": "a", "address": "0x1" }), json!({ "address": address(2), "priority": "high" })];
    let (set, refused) = InfluencerSet::lenient(&typos, &live);
    assert!(diff(&live, &set).is_empty());
    assert!(refused.iter().all(|refusal| refusal.kept), "{refused:?}");
    assert!(refused[0].to_string().ends_with("(its last good version stays live)"));
    // Its address was given to another one: that is no typo.
    let renamed = [json!({ "id": "a", "address": "0x1" }), entry("z", 1)];
    let (set, refused) = InfluencerSet::lenient(&renamed, &live);
    assert_eq!((ids(&set), refused[0].kept), (vec!["z"], false));
}

#[test]
fn a_newcomer_cannot_push_a_live_one_out() {
    let live = InfluencerSet::strict(&[entry("old", 1)]).unwrap();
    let (set, refused) = InfluencerSet::lenient(&[entry("new", 1), entry("old", 1)], &live);
    assert_eq!(ids(&set), ["old"]);
    assert_eq!(refused[0].entry.text.as_deref(), Some("new"));
}

#[test]
fn followed_accounts_join_the_list() {
    let off = json!({ "id": "off", "address": address(1), "enabled": false, "priority": 5 });
    let set = InfluencerSet::strict(&[off, entry("on", 2)]).unwrap();
    let wanted: Vec<Address> = [1, 2, 3].iter().map(|n| address(*n).parse().unwrap()).collect();
    let followed = set.with_followed(&wanted);
    let order: Vec<_> = followed.enabled_by_priority().iter().map(|i| i.id().to_string()).collect();
    assert_eq!(order, ["off".to_owned(), address(3), "on".to_owned()]);
    assert_eq!(set.enabled_by_priority().len(), 1, "the list itself is as it was");
}

#[test]
fn somebody_is_found_by_id_or_by_address_in_any_case() {
    let checksummed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let set = InfluencerSet::strict(&[json!({ "id": "a", "address": checksummed })]).unwrap();
    for name in ["a", checksummed, &checksummed.to_lowercase()] {
        assert_eq!(set.find(name).unwrap().id().as_str(), "a");
    }
    assert!(set.find("A").is_none());
}

#[test]
fn a_hundred_thousand_entries() {
    let list: Vec<Value> = (0..100_000).map(|n| entry(&format!("id-{n}"), n)).collect();
    let set = InfluencerSet::strict(&list).unwrap();
    let (again, refused) = InfluencerSet::lenient(&list, &set);
    assert_eq!((again.len(), refused.len()), (100_000, 0));
    assert!(diff(&set, &again).is_empty());
}

proptest! {
    #[test]
    fn a_set_reads_back(set in any_set()) {
        prop_assert_eq!(InfluencerSet::from_json(&set.to_json()).unwrap(), set);
    }

    #[test]
    fn every_entry_stands_or_is_named(
        live in any_set(),
        list in collection::vec(prop_oneof![any_entry(), any_entry(), Just(json!({ "id": "id-1" }))], 0..8),
    ) {
        let (set, refused) = InfluencerSet::lenient(&list, &live);
        let kept = refused.iter().filter(|refusal| refusal.kept).count();
        prop_assert_eq!(set.len() - kept + refused.len(), list.len());
        prop_assert_eq!(set.0.by_id.len(), set.0.by_address.len());
        prop_assert_eq!(refused.is_empty(), InfluencerSet::strict(&list).is_ok());
        for influencer in set.iter() {
            prop_assert_eq!(set.by_address(influencer.address()).unwrap(), influencer);
        }
        // Read again beside itself, the list gives the same.
        prop_assert_eq!(InfluencerSet::lenient(&list, &set).0, set);
    }
}
