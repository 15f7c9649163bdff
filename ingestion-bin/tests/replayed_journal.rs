//! `replay` derives from the journal alone, byte for byte, what the signal files say in name order: over rotated files, after stops
//! and a SIGKILL in the middle of the flow, and whatever `[streams]` were in force before, between and now.

mod support;

use std::path::Path;

use serde_json::Value;
use support::document::documents;
use support::expected::{self, Row, is_perp};
use support::judge::{self, Allowed};
use support::play::{Play, shows, stopped};
use support::service::Service;
use support::{eventually, fixture, recorded_data};

/// Small files: a run fills several. A short hold: what is held at a stop comes again only with the next read of history.
const ROTATE: &str = "[signals]\nrotate_bytes = 65536\n[listeners]\nhold_ms = 50\n";

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
fn run_in_turn(play: &mut Play, streams: &Streams<'_>, perps: usize) {
    let share = perps / (streams.len() + 1);
    let last = streams.len() - 1;
    for (turn, streams) in streams.iter().enumerate() {
        let sets: Vec<String> = streams.iter().map(|set| format!("--set=streams.{set}")).collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let mut service = Service::start(&play.config, &sets);
        if turn == last {
            play.venue.finished();
            eventually(&format!("all {perps} perp signals"), || {
                (stored_perps(play).len() >= perps).then_some(())
            });
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
    run_in_turn(&mut play, &streams, perps);
    let signals = judge::stored(&play.data());
    let (found, others): (Vec<Value>, Vec<Value>) = signals
        .into_iter()
        .partition(|signal| signal["market"].as_str().is_some_and(|m| m.ends_with("-PERP")));
    assert!(!others.is_empty(), "no signal of another market: the streams made no difference");
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    judge::judge(&found, &expected, &allowed);
    replays(&play);
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
