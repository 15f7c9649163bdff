//! `replay` derives from the journal alone, byte for byte, what the signal files say in name order: over rotated files, after stops
//! and a SIGKILL in the middle of the flow, and whatever `[streams]` were in force before, between and now. Slices nobody wanted for a
//! while leave no break that no gap tells of.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::document::documents;
use support::expected::{self, Row, is_perp};
use support::judge::{self, Allowed};
use support::play::{Play, shows, stopped};
use support::service::Service;
use support::{eventually, fixture, recorded_data};

/// Small files: a run fills several.
const ROTATE: &str = "[signals]\nrotate_bytes = 65536\n";

/// `[streams]` of one run after the other.
type Streams<'a> = [&'a [&'a str]];

/// Accounts with perp fills, those with most other fills first: `[streams]` makes a difference for them.
fn with_most_others(rows: &[Row]) -> Vec<String> {
    let mut users = expected::users_with_perps(rows, usize::MAX);
    let others = |user: &String| rows.iter().filter(|row| row.user == *user && !is_perp(&row.fill)).count();
    users.sort_by_cached_key(|user| std::cmp::Reverse(others(user)));
    users.truncate(10);
    users
}

/// One service after the other over the same data while the venue plays; the last sees the end. Every second one is killed.
/// `all` says whether what must be there in the end is there.
fn run_in_turn(play: &mut Play, streams: &Streams<'_>, share: usize, all: impl Fn(&[Value]) -> bool) {
    let last = streams.len() - 1;
    for (turn, streams) in streams.iter().enumerate() {
        let sets: Vec<String> = streams.iter().map(|set| format!("--set=streams.{set}")).collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let mut service = Service::start(&play.config, &sets);
        if turn == last {
            play.venue.finished();
            eventually("all perp signals that must come", || all(&stored_perps(play)).then_some(()));
            stopped(service);
        } else {
            shows(&mut service, share);
            if turn % 2 == 0 {
                stopped(service);
            } else {
                service.process.kill();
            }
        }
    }
}

fn stored_perps(play: &Play) -> Vec<Value> {
    // A service may be writing: a half line at the end is not there yet.
    let mut signals = support::service::lines(&play.data(), "signals");
    signals.retain(|signal| signal["market"].as_str().is_some_and(|market| market.ends_with("-PERP")));
    signals
}

/// Byte for byte, under any configuration of now.
fn replays(play: &Play) {
    let files = judge::concatenated(&play.data(), "signals");
    assert!(judge::files(&play.data(), "signals") > 1, "{} bytes went into one file", files.len());
    for now in [&["replay"][..], &["--set=streams.spot=true", "--set=streams.twap=false", "replay"]] {
        let (code, replayed, said) = play.ask(now);
        assert_eq!(code, Some(0), "{said}");
        assert!(replayed == files, "{now:?} gives {} bytes, the files have {}", replayed.len(), files.len());
    }
    let (code, report) = play.verify(&[]);
    assert_eq!(code, Some(0), "{report}");
}

/// Spot and outcomes switched on and off: perps come through exactly, and some of the others too.
fn other_markets_in_between(fills: &Path, segment: Option<&str>, pace: &[&str]) {
    let mut rows = expected::in_time(expected::rows(fills));
    rows.retain(|row| segment.is_none_or(|segment| row.segment == segment));
    let users = with_most_others(&rows);
    let expected = documents(&rows, &users);
    let perps: usize = expected.values().map(Vec::len).sum();
    let mut arguments = pace.to_vec();
    arguments.extend(segment.iter().flat_map(|segment| ["--segment", segment]));
    let mut play = Play::of(fills, &users, &arguments, ROTATE);
    let streams: [&[&str]; 4] = [&[], &["spot=true", "outcomes=true"], &["spot=true"], &["outcomes=true"]];
    run_in_turn(&mut play, &streams, perps / 5, |stored| stored.len() >= perps);
    let signals = judge::stored(&play.data());
    let (found, others): (Vec<Value>, Vec<Value>) = signals
        .into_iter()
        .partition(|signal| signal["market"].as_str().is_some_and(|m| m.ends_with("-PERP")));
    assert!(!others.is_empty(), "no signal of another market: the streams made no difference");
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    judge::judge(&found, &expected, &allowed);
    replays(&play);
}

/// Slices switched off and on: all other fills come through, once, and every break that is left is declared.
fn slices_in_between(fills: &Path, segment: Option<&str>, pace: &[&str]) {
    let mut rows = expected::in_time(expected::rows(fills));
    rows.retain(|row| segment.is_none_or(|segment| row.segment == segment));
    // Few accounts: each start asks for the history of all, and the budget is one for all starts of a minute.
    let mut users = expected::users_with_perps(&rows, usize::MAX);
    let slices = |user: &String| {
        rows.iter()
            .filter(|row| row.user == *user && row.fill.get("twapId").is_some_and(Value::is_number))
            .count()
    };
    users.sort_by_cached_key(|user| std::cmp::Reverse(slices(user)));
    users.truncate(3);
    let signals: Vec<Value> = documents(&rows, &users).into_values().flatten().collect();
    let ids = |wanted: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        signals.iter().filter(|signal| wanted(signal)).map(|signal| signal["signalId"].to_string()).collect()
    };
    let all = ids(&|_| true);
    let fills_alone = ids(&|signal| signal["cause"] != "twap");
    assert!(fills_alone.len() < all.len(), "no slice to leave out");
    let mut arguments = pace.to_vec();
    arguments.extend(segment.iter().flat_map(|segment| ["--segment", segment]));
    let mut play = Play::of(fills, &users, &arguments, "");
    let streams: [&[&str]; 4] = [&["twap=false"], &[], &["twap=false"], &[]];
    run_in_turn(&mut play, &streams, fills_alone.len() / 5, |stored| {
        let stored: BTreeSet<String> = stored.iter().map(|signal| signal["signalId"].to_string()).collect();
        fills_alone.is_subset(&stored)
    });
    let stored: Vec<String> =
        judge::stored(&play.data()).iter().map(|signal| signal["signalId"].to_string()).collect();
    let once: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(once.len(), stored.len(), "an id is there twice");
    assert!(once.is_subset(&all), "signals of no fill: {:?}", once.difference(&all));
    let (code, report) = play.verify(&[]);
    assert_eq!(code, Some(0), "a break that no gap tells of: {report}");
    let (_, replayed, said) = play.ask(&["replay"]);
    assert!(replayed == judge::concatenated(&play.data(), "signals"), "replay differs: {said}");
}

#[test]
fn our_fixture_with_slices_switched_off_in_between() {
    slices_in_between(&fixture(), Some("a"), &["--max-gap-ms", "20"]);
}

#[test]
fn recorded_fills_with_slices_switched_off_in_between() {
    let Some(folder) = recorded_data() else { return };
    slices_in_between(&folder.join("fills.ndjson.gz"), Some("s3"), &["--speed", "10"]);
}

#[test]
fn our_fixture_with_other_markets_in_between() {
    other_markets_in_between(&fixture(), None, &["--max-gap-ms", "40"]);
}

#[test]
fn recorded_fills_with_other_markets_in_between() {
    let Some(folder) = recorded_data() else { return };
    other_markets_in_between(&folder.join("fills.ndjson.gz"), Some("s3"), &["--speed", "10"]);
}
