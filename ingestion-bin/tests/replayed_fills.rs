//! A recorded day through the real binary: what a venue plays comes out as exactly the expected signals on disk.
//!
//! Ten accounts that have perp fills are followed, all of them where there are fewer. Expected signals come from
//! `support/expected.rs`, which knows the published contract and none of our code. Everything plays as fast as the pipe goes, but
//! with `INGESTION_TEST_OWN_PACE` set (`cargo xtask own-pace`) segment s3 takes its own 81 s.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic and says what it saw"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::document::documents;
use support::expected::{self, Row};
use support::judge::{self, Allowed, Event};
use support::play::{Play, shows, stopped};
use support::service::Service;
use support::{fixture, recorded_data};

/// Followed at once; the venue allows one address no more.
const ACCOUNTS: usize = 10;

/// As fast as the pipe goes.
const MAX: [&str; 2] = ["--speed", "max"];

/// Plays a file, or one segment of it, and judges everything that is on disk afterwards.
fn replay(
    fills: &Path,
    segment: Option<&str>,
    pace: &[&str],
    choose: impl Fn(&[Row]) -> Vec<String>,
) -> Play {
    let mut rows = expected::in_time(expected::rows(fills));
    rows.retain(|row| segment.is_none_or(|segment| row.segment == segment));
    let users = choose(&rows);
    let expected = documents(&rows, &users);
    let count: usize = expected.values().map(Vec::len).sum();
    assert!(count > 0, "nothing to see in {segment:?}");
    let breaks = expected::breaks(&rows, &users);
    assert!(segment.is_none() || breaks.is_empty(), "inside a segment the chain is whole");

    let mut arguments = pace.to_vec();
    arguments.extend(segment.iter().flat_map(|segment| ["--segment", segment]));
    let mut play = Play::of(fills, &users, &arguments, "");
    let mut service = Service::start(&play.config, &[]);
    assert_eq!(play.venue.finished(), rows.len() as u64, "every row was played");
    shows(&mut service, count);
    stopped(service);

    let allowed = Allowed { origins: &["live"], gaps: Some(&breaks), late: false };
    judge::judge(&judge::stored(&play.data()), &expected, &allowed);
    verified(&play, count, &breaks);
    let (code, replayed, said) = play.ask(&["replay"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(replayed == judge::concatenated(&play.data(), "signals"), "replay gives the files byte for byte");
    println!("{segment:?}: {} accounts, {count} signals, {} breaks", users.len(), breaks.len());
    play
}

/// `verify` finds what the chain itself shows, each break by name and declared, and nothing else.
fn verified(play: &Play, count: usize, breaks: &BTreeSet<Event>) {
    let (code, report) = play.verify(&[]);
    assert_eq!(code, Some(0), "{report}");
    let wanted = [
        ("signals", count),
        ("duplicates", 0),
        ("orderBreaks", 0),
        ("chainBreaks", breaks.len()),
        ("declaredGaps", breaks.len()),
        ("undeclared", 0),
    ];
    for (key, wanted) in wanted {
        assert_eq!(report[key].as_u64(), Some(wanted as u64), "{key} in {report}");
    }
    assert_eq!(named(&report), *breaks);
    let (strict, _) = play.verify(&["--strict"]);
    assert_eq!(strict, Some(i32::from(!breaks.is_empty())), "with --strict declared breaks are findings");
}

/// What a report of `verify` names.
fn named(report: &Value) -> BTreeSet<Event> {
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let findings = report["findings"].as_array().expect("a list");
    findings
        .iter()
        .map(|found| (text(found, "influencerId"), text(found, "market"), text(found, "sourceEventId")))
        .collect()
}

fn first_ten(rows: &[Row]) -> Vec<String> {
    expected::users_with_perps(rows, ACCOUNTS)
}

/// Those with most TWAP slices, which travel on a channel of their own.
fn most_slices(rows: &[Row]) -> Vec<String> {
    let mut users = expected::users_with_perps(rows, usize::MAX);
    let slices =
        |user: &String| rows.iter().filter(|row| row.user == *user && row.fill["twapId"].is_number()).count();
    users.sort_by_cached_key(|user| std::cmp::Reverse(slices(user)));
    users.truncate(ACCOUNTS);
    users
}

/// Slices on their own channel and slices among the other fills are the same signals; only the raw events tell which it was.
fn slices_either_way(fills: &Path, segment: &str) {
    let mut rows = expected::rows(fills);
    rows.retain(|row| row.segment == segment);
    let users = most_slices(&rows);
    let slices =
        rows.iter().filter(|row| users.contains(&row.user) && row.fill["twapId"].is_number()).count();
    assert!(slices > 0, "no slices in {segment}");
    for (channel, wanted) in [("split", slices), ("inline", 0)] {
        let play = replay(fills, Some(segment), &[MAX, ["--twap", channel]].concat(), most_slices);
        let (code, raw, said) = play.ask(&["raw", "--type", "TWAP_FILL", "--json"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            raw.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(),
            wanted,
            "{channel}"
        );
    }
}

/// What tells keys apart where numbers of trades do not: both sides of one trade are followed, fills have no number, or no hash.
fn has_what_keys_must_tell_apart(rows: &[Row], users: &[String]) {
    let followed: Vec<&Row> = rows.iter().filter(|row| users.contains(&row.user)).collect();
    let both = |row: &&&Row| {
        let (user, tid) = (&row.user, &row.fill["tid"]);
        *tid != 0 && followed.iter().any(|other| other.user != *user && other.fill["tid"] == *tid)
    };
    assert_eq!(followed.iter().filter(both).count(), 2, "both sides of a trade");
    assert_eq!(followed.iter().filter(|row| row.fill["tid"] == 0).count(), 2, "fills without a number");
    let no_hash = format!("0x{:064}", 0);
    assert!(followed.iter().any(|row| row.fill["hash"] == no_hash.as_str()), "fills without a hash");
}

#[test]
fn our_fixture() {
    let mut rows = expected::rows(&fixture());
    rows.retain(|row| row.segment == "b");
    has_what_keys_must_tell_apart(&rows, &first_ten(&rows));
    replay(&fixture(), Some("b"), &MAX, first_ten);
    slices_either_way(&fixture(), "a");
}

#[test]
fn our_fixture_over_both_segments() {
    replay(&fixture(), None, &MAX, first_ten);
}

#[test]
fn recorded_segments() {
    let Some(folder) = recorded_data() else { return };
    for segment in ["s1", "s2", "s4", "s5", "s6", "s7", "s8"] {
        replay(&folder.join("fills.ndjson.gz"), Some(segment), &MAX, first_ten);
    }
}

#[test]
fn recorded_segment_s3() {
    let Some(folder) = recorded_data() else { return };
    let own_pace = std::env::vars().any(|(name, _)| name == "INGESTION_TEST_OWN_PACE");
    let pace = if own_pace { ["--speed", "1"] } else { MAX };
    replay(&folder.join("fills.ndjson.gz"), Some("s3"), &pace, first_ten);
}

#[test]
fn recorded_slices_on_either_channel() {
    let Some(folder) = recorded_data() else { return };
    slices_either_way(&folder.join("fills.ndjson.gz"), "s3");
}

#[test]
fn recorded_segments_in_a_row_break_where_an_account_and_coin_go_on_in_a_later_one() {
    let Some(folder) = recorded_data() else { return };
    replay(&folder.join("fills.ndjson.gz"), None, &MAX, first_ten);
}

/// Fills out of which somebody's wrong de-duplication lost a third: each break of a perp chain is a declared gap, spot has no chain.
#[test]
fn recorded_losses_are_declared() {
    let Some(folder) = recorded_data() else { return };
    let fills = folder.join("gappy_fills.ndjson.gz");
    let play = replay(&fills, None, &MAX, first_ten);
    let (code, report) = play.verify(&[]);
    assert_eq!((code, report["declaredGaps"].as_u64()), (Some(0), Some(199)), "{report}");
}

/// The same of our own fixture with a third taken out. Breaks that meet in a millisecond may lack nothing together: gaps are at most as
/// many as breaks.
#[test]
fn losses_of_our_fixture_are_declared() {
    let text = std::fs::read_to_string(fixture()).expect("the fixture is read");
    let kept = text.lines().enumerate().filter(|(number, _)| number % 3 != 1);
    let gappy: String = kept.map(|(_, line)| format!("{line}\n")).collect();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("gappy.ndjson");
    std::fs::write(&path, gappy).expect("written");
    let rows = expected::in_time(expected::rows(&path));
    let users = first_ten(&rows);
    let breaks = expected::breaks(&rows, &users);
    let mut play = Play::of(&path, &users, &MAX, "");
    let mut service = Service::start(&play.config, &[]);
    play.venue.finished();
    shows(&mut service, documents(&rows, &users).values().map(Vec::len).sum());
    stopped(service);
    let (code, report) = play.verify(&[]);
    let number = |key: &str| report[key].as_u64().expect("a number");
    assert_eq!((code, number("undeclared")), (Some(0), 0), "{report}");
    assert_eq!(number("chainBreaks"), breaks.len() as u64, "{report}");
    assert!((1..=breaks.len() as u64).contains(&number("declaredGaps")), "{report}");
    assert_eq!(named(&report), breaks);
    assert_eq!(play.verify(&["--strict"]).0, Some(1));
}
