//! `verify --fills`: every break of a perp chain in a file of fills is named, and nothing else.
//!
//! What is broken is stated a second time by `support/expected.rs`.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic and says what it saw"
)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::expected::{self, Row};
use support::judge::Event;
use support::process::run;
use support::{fixture, recorded_data};

/// Exit code, report of `--json`, and the lines for people.
fn verify(path: &Path) -> (Option<i32>, Value, String) {
    let path = path.to_str().expect("a path in UTF-8");
    let json = run(&["--json", "verify", "--fills", path]);
    let words = run(&["verify", "--fills", path]);
    assert_eq!(json.status.code(), words.status.code());
    assert_eq!(String::from_utf8_lossy(&json.stderr), "");
    let report = serde_json::from_slice(&json.stdout).expect("one JSON document");
    (json.status.code(), report, String::from_utf8(words.stdout).expect("text"))
}

/// Breaks per account and coin inside each segment, and how many pairs there were.
fn stated(rows: &[Row]) -> (BTreeSet<Event>, usize) {
    let (mut breaks, mut pairs) = (BTreeSet::new(), 0);
    let segments: BTreeSet<&String> = rows.iter().map(|row| &row.segment).collect();
    for segment in segments {
        let rows: Vec<Row> = rows.iter().filter(|row| row.segment == *segment).cloned().collect();
        let users = expected::users_with_perps(&rows, usize::MAX);
        breaks.extend(expected::breaks(&rows, &users));
        let signals = expected::signals(&rows, &users);
        pairs += signals.values().map(|signals| signals.len() - 1).sum::<usize>();
    }
    (breaks, pairs)
}

/// The report names exactly the stated breaks, in JSON and in words.
fn agrees(path: &Path) -> usize {
    let rows = expected::rows(path);
    let (breaks, pairs) = stated(&rows);
    let (code, report, words) = verify(path);
    assert_eq!(code, Some(i32::from(!breaks.is_empty())), "{words}");
    let number = |key: &str| report[key].as_u64().expect("a number");
    let wanted = breaks.len() as u64;
    assert_eq!((number("signals"), number("pairs")), (rows.len() as u64, pairs as u64));
    assert_eq!((number("chainBreaks"), number("undeclared")), (wanted, wanted));
    assert_eq!((number("duplicates"), number("orderBreaks"), number("declaredGaps")), (0, 0, 0));
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let findings = report["findings"].as_array().expect("a list");
    let named: BTreeSet<Event> = findings
        .iter()
        .map(|found| (text(found, "influencerId"), text(found, "market"), text(found, "sourceEventId")))
        .collect();
    assert_eq!(findings.len(), named.len(), "each break is named once");
    assert_eq!(named, breaks);
    for (user, market, event) in &breaks {
        let line = format!("{user} {market} {event}: position ");
        assert!(words.contains(&line), "no line {line:?} in:\n{words}");
    }
    breaks.len()
}

#[test]
fn our_fixture_is_whole_and_loses_what_is_taken_out() {
    assert_eq!(agrees(&fixture()), 0);
    let text = std::fs::read_to_string(fixture()).expect("the fixture is read");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut found = 0;
    for third in 0..3 {
        let kept = text.lines().enumerate().filter(|(number, _)| number % 3 != third);
        let gappy: String = kept.map(|(_, line)| format!("{line}\n")).collect();
        let path = directory.path().join(format!("gappy-{third}.ndjson"));
        std::fs::write(&path, gappy).expect("written");
        found += agrees(&path);
    }
    assert!(found > 100, "only {found} breaks came of taking out a third of the fixture");
}

#[test]
fn recorded_fills_are_whole() {
    let Some(folder) = recorded_data() else { return };
    assert_eq!(agrees(&folder.join("fills.ndjson.gz")), 0);
}

#[test]
fn recorded_losses_are_all_named() {
    let Some(folder) = recorded_data() else { return };
    let path = folder.join("gappy_fills.ndjson.gz");
    assert_eq!(agrees(&path), 199);
    assert_eq!(verify(&path).1["pairs"], 607, "as documented with the data");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_line() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("broken.ndjson");
    let good = std::fs::read_to_string(fixture()).expect("the fixture is read");
    let first = good.lines().next().expect("a line");
    std::fs::write(&path, format!("{first}\n{{\"user\":\"0x01\"}}\n")).expect("written");
    for (path, said) in [(path.clone(), "broken.ndjson line 2: "), (path.with_file_name("none"), "none: ")] {
        let output = run(&["verify", "--fills", path.to_str().expect("a path in UTF-8")]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.lines().count() == 1 && errors.contains(said), "{errors}");
    }
}
