//! What stays live whatever a Redis says; the same on real servers is in `tests/redis_list.rs`.

use serde_json::json;

use super::*;
use crate::{rule, test_entries::address};

fn reading(version: u64, ids: &[u32]) -> Reading {
    let entry = |n: &u32| (format!("i{n}"), json!({ "address": address(*n) }).to_string());
    let version = if version == 0 { String::new() } else { version.to_string() };
    Reading { entries: ids.iter().map(entry).collect(), version, confirmed: String::new() }
}

fn judge() -> Judge {
    Judge::new("redis://x p:influencers".to_owned(), rule::none, InfluencerSet::default(), 0)
}

fn ids(judge: &Judge) -> Vec<&str> {
    judge.live.iter().map(|influencer| influencer.id().as_str()).collect()
}

#[test]
fn a_lower_version_takes_nothing_back_and_an_edit_is_taken_again() {
    let mut judge = judge();
    assert!(judge.read(&reading(7, &[1, 2, 3])));
    // Two masters in turn, one of which lost the last two changes: nothing flaps.
    for _ in 0..3 {
        assert!(judge.read(&reading(5, &[1, 2])));
        let why = judge.problem.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(why.contains("its version went back from 7 to 5"), "{why}");
        assert!(!judge.read(&reading(5, &[1, 2])), "said once");
        assert_eq!(ids(&judge), ["i1", "i2", "i3"]);
        assert!(judge.read(&reading(7, &[1, 2, 3])));
        assert_eq!(judge.problem, None);
    }
    // An editor at the one that forgot: its version is the clock's, so it is the newest list.
    assert!(judge.read(&reading(8, &[1, 2])));
    assert_eq!(ids(&judge), ["i1", "i2"]);
    assert!(judge.read(&reading(7, &[1, 2, 3])));
    assert_eq!(ids(&judge), ["i1", "i2"], "the other master is behind now");
    // Put back by hand after FLUSHALL, without its version: the same list is no trouble.
    assert!(judge.read(&reading(0, &[1, 2])));
    assert_eq!((ids(&judge), &judge.problem), (vec!["i1", "i2"], &None));
}

/// The service and the master died together: what another one has is as old as it would have been for a service that lived on.
#[test]
fn a_start_from_a_kept_list_takes_nothing_back() {
    let mut before = judge();
    assert!(before.read(&reading(7, &[1, 2, 3])));
    let mut judge = Judge::new(before.place, rule::none, before.live, before.highest);
    assert!(judge.read(&reading(5, &[1, 2])));
    assert!(matches!(judge.problem, Some(ListProblem::WentBack { version: 5, highest: 7, live: 3, .. })));
    assert_eq!(ids(&judge), ["i1", "i2", "i3"]);
    assert!(judge.read(&reading(7, &[1, 2, 3, 4])));
    assert_eq!((ids(&judge).len(), judge.highest), (4, 7));
}

#[test]
fn emptiness_is_taken_only_while_its_confirmation_holds() {
    let mut judge = judge();
    assert!(judge.read(&reading(3, &[1])));
    assert!(judge.read(&reading(0, &[])), "FLUSHALL");
    assert!(matches!(judge.problem, Some(ListProblem::Emptied { live: 1, .. })));
    assert!(!judge.read(&reading(0, &[])), "said once");
    let confirmed = |version: u64, of: u64| Reading { confirmed: of.to_string(), ..reading(version, &[]) };
    assert!(!judge.read(&confirmed(5, 4)), "of another version");
    assert!(judge.read(&confirmed(6, 6)));
    assert_eq!((judge.live.len(), &judge.problem), (0, &None));
    // Somebody is added without the version, and the hash vanishes: what was confirmed was another emptiness.
    assert!(judge.read(&Reading { confirmed: "6".to_owned(), ..reading(6, &[2]) }));
    assert!(judge.read(&confirmed(6, 6)));
    assert!(matches!(judge.problem, Some(ListProblem::Emptied { live: 1, .. })));
    assert_eq!(ids(&judge), ["i2"]);
}

#[test]
fn what_is_refused_is_named_by_its_key_and_the_rest_is_taken() {
    let mut judge = judge();
    assert!(judge.read(&reading(0, &[1, 2])));
    let mut spoiled = reading(0, &[1, 2, 0xabc]);
    let mut put = |id: &str, text: &str| spoiled.entries.push((id.to_owned(), text.to_owned()));
    put("no-json", "{\"address\":");
    put("nothing", "");
    put("other", &json!({ "id": "another", "address": address(9) }).to_string());
    put("no id", &json!({ "address": address(8) }).to_string());
    put("again", &json!({ "address": address(0xabc).replace("abc", "ABC") }).to_string());
    put("mistyped", &json!({ "address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD" }).to_string());
    spoiled.entries.retain(|(id, _)| id != "i2");
    spoiled.entries.push(("i2".to_owned(), "[]".to_owned()));
    spoiled.entries.sort();
    assert!(judge.read(&spoiled));
    // The first by id stands.
    assert_eq!(ids(&judge), ["again", "i1", "i2"]);
    let refused: Vec<String> = judge.refused.iter().map(ToString::to_string).collect();
    for part in [
        "(\"no-json\"): entry = ",
        "(\"nothing\"): entry = \"\"",
        "(\"other\"): id = \"another\": the entry is stored under the id other",
        "(\"no id\"): id = \"no id\"",
        "(\"i2748\"): address = ",
        "(\"mistyped\"): address = \"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD\"",
        "(\"i2\"): entry = []: an influencer is a table of fields (its last good version stays live)",
    ] {
        assert!(refused.iter().any(|line| line.contains(part)), "{part} in {refused:#?}");
    }
    assert_eq!(refused.len(), 7);
    // Out of reach and back: the same list as before is taken without a word about it.
    assert!(judge.lost("gone".to_owned()) && !judge.lost("gone".to_owned()));
    assert!(judge.read(&spoiled));
    assert_eq!((judge.live.len(), judge.refused.len(), &judge.problem), (3, 7, &None));
    assert!(!judge.read(&spoiled));
    // Nothing but strangers: everybody stays.
    let strangers = Reading { entries: vec![("x".to_owned(), "7".to_owned())], ..Reading::default() };
    assert!(judge.read(&strangers));
    assert!(matches!(judge.problem, Some(ListProblem::AllRefused { entries: 1, live: 3, .. })));
}
