//! The store of the sample consumer in Rust: a commit is there or it is not, ids are known long enough and not for ever.

use std::fs;
use std::path::Path;

use crate::program::ledger::{IDS_MIN, Ledger, Tally, read_all};

const DAY_MS: i64 = 24 * 3_600_000;

fn signal(number: i64) -> String {
    format!(
        r#"{{"signalId":"{:08x}aaaaaaaaaaaaaaaaaaaaaaaa","influencerId":"whale","market":"ETH-PERP","side":"LONG","size":"{number}","deltaSize":"0.000000000000000001","timestamp":{number},"schema":"signal.v1","epoch":1,"seq":{number}}}"#,
        number + 1
    )
}

/// The signals of these numbers at the offsets from `offset` on, of the times `ms` says; committed.
fn take(ledger: &mut Ledger, offset: i64, numbers: impl Iterator<Item = i64>, ms: impl Fn(i64) -> i64) {
    for (offset, number) in (offset..).zip(numbers) {
        ledger.take(offset, ms(number), Some(signal(number).as_bytes())).unwrap();
        if offset % 1_000 == 999 {
            ledger.commit().unwrap();
        }
    }
    ledger.commit().unwrap();
}

fn tally(store: &Path) -> (u64, u64) {
    let mut tally = Tally::default();
    read_all(store, &mut tally).unwrap();
    (tally.applied, tally.repeats)
}

#[test]
fn whatever_part_of_a_commit_is_written_it_is_there_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("partition-4.ledger");
    let mut ledger = Ledger::open(folder.path(), 4).unwrap();
    assert_eq!(ledger.next(), None);
    take(&mut ledger, 7, 0..3, |_| 0);
    let before = fs::read(&path).unwrap().len();
    take(&mut ledger, 10, 3..5, |_| 0);
    let whole = fs::read(&path).unwrap();
    assert!(Ledger::open(folder.path(), 4).is_err(), "one owner at a time");
    drop(ledger);
    for length in before..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut ledger = Ledger::open(folder.path(), 4).unwrap();
        assert_eq!((ledger.next(), tally(folder.path())), (Some(10), (3, 0)));
        take(&mut ledger, 10, 3..5, |_| 0);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
    let mut damaged = whole.clone();
    damaged[before - 3] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let error = Ledger::open(folder.path(), 4).err().unwrap().to_string();
    assert!(error.ends_with("partition-4.ledger: is damaged at byte 0"), "{error}");
}

#[test]
fn ids_are_known_for_seven_days_and_among_the_newest_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path(), 0).unwrap();
    // Half of them are more than seven days older than the rest, and one has a time far ahead.
    let count = 4 * IDS_MIN;
    let ms = |number: i64| match number {
        _ if number == count - 1 => 1_000 * DAY_MS,
        _ if number < count / 2 => 0,
        _ => 8 * DAY_MS,
    };
    take(&mut ledger, 0, 0..count, ms);
    drop(ledger);
    let mut ledger = Ledger::open(folder.path(), 0).unwrap();
    let (applied, newest) = (count.unsigned_abs(), count - IDS_MIN / 2);
    assert_eq!((ledger.next(), tally(folder.path())), (Some(count), (applied, 0)));
    take(&mut ledger, count, newest..count, ms);
    assert_eq!(tally(folder.path()), (applied, IDS_MIN.unsigned_abs() / 2), "the newest are known");
    take(&mut ledger, count + IDS_MIN / 2, 0..1, ms);
    assert_eq!(tally(folder.path()).0, applied + 1, "the oldest is forgotten");
    let length = fs::metadata(folder.path().join("partition-0.ledger")).unwrap().len();
    assert!(length < 60 * applied, "written anew without what is forgotten: {length} bytes");
}
