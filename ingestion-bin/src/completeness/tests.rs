//! Completeness: what is counted as missing, since when, and how a percentage is rounded.

use std::collections::BTreeMap;

use hyperliquid_client::backoff::SmallRng;

use super::*;

const HOUR: i64 = 3_600_000;

fn share(published: u64, missing: u64) -> Share {
    Share { published, missing }
}

#[test]
fn a_hundred_percent_is_said_only_when_nothing_is_missing() {
    assert_eq!(share(0, 0).percent(), 100.0);
    assert_eq!(share(7, 0).percent(), 100.0);
    assert_eq!(share(0, 1).percent(), 0.0);
    assert_eq!(share(1, 1).percent(), 50.0);
    assert_eq!(share(2, 1).percent(), 66.6666);
    assert_eq!(share(u64::MAX - 1, 1).percent(), 99.9999);
    assert!(share(u64::MAX - 1, 1).ratio() < 1.0);
    let json = serde_json::to_value(share(3, 1)).expect("plain fields");
    assert_eq!(json, serde_json::json!({ "published": 3, "missing": 1, "inHistory": 4, "percent": 75.0 }));
}

#[test]
fn all_accounts_are_certified_as_far_as_the_last_of_them() {
    let one = Complete {
        since_start: share(5, 1),
        last_hour: share(2, 0),
        certified_to: Some(90),
        behind_ms: Some(10),
    };
    let two = Complete { certified_to: Some(70), behind_ms: Some(30), ..one };
    let total = Complete::total([one, two]);
    assert_eq!((total.since_start, total.last_hour), (share(10, 2), share(4, 0)));
    assert_eq!((total.certified_to, total.behind_ms), (Some(70), Some(30)));
    let unknown = Complete { certified_to: None, behind_ms: None, ..one };
    let total = Complete::total([one, unknown]);
    assert_eq!((total.certified_to, total.behind_ms), (None, None));
    assert_eq!(Complete::total([]).since_start.percent(), 100.0);
}

/// Rows up to half an hour late or five minutes ahead of a clock that goes on: the hour has exactly its own.
#[test]
fn the_hour_has_its_own_events() {
    for seed in 0..50 {
        let mut random = SmallRng::seeded(seed);
        let mut draw = |below: f64| (random.unit() * below) as i64;
        let (mut tally, mut clock) = (Tally::default(), 1_790_000_000_000 + draw(1e6));
        let mut model: BTreeMap<i64, u64> = BTreeMap::new();
        for count in 1..300 {
            clock += draw(120_000.0);
            let time = clock - 1_800_000 + draw(2_100_000.0);
            tally.published(time);
            *model.entry(time).or_default() += 1;
            let wanted: u64 = model.range(hour_began(clock)..).map(|(_, count)| count).sum();
            assert_eq!(tally.last_hour(clock), wanted, "seed {seed}");
            assert_eq!(tally.total(), count);
        }
        assert!(hour_began(clock) <= clock - HOUR + 60_000 && hour_began(clock) > clock - HOUR);
        assert_eq!(tally.last_hour(clock + 2 * HOUR), 0);
    }
}
