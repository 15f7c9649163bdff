//! The second statement of the rules, checked against the recorded data's own facts before anything is judged by it.

mod support;

use std::collections::BTreeMap;

use support::{expected, fixture, recorded_data};

/// Chain breaks per (segment, user, coin), perps only, with the statement's own rounding.
fn breaks(rows: &[expected::Row], by_segment: bool) -> (usize, usize) {
    let mut last: BTreeMap<(String, String, String), i128> = BTreeMap::new();
    let (mut pairs, mut breaks) = (0, 0);
    for row in rows.iter().filter(|row| expected::is_perp(&row.fill)) {
        let fill = &row.fill;
        let segment = if by_segment { row.segment.clone() } else { String::new() };
        let key = (segment, row.user.clone(), fill["coin"].as_str().expect("a coin").to_owned());
        let start = expected::scaled(fill["startPosition"].as_str().expect("text"));
        let size = expected::scaled(fill["sz"].as_str().expect("text"));
        let after = if fill["side"] == "B" { start + size } else { start - size };
        if let Some(left) = last.insert(key, expected::rounded(after)) {
            pairs += 1;
            breaks += usize::from(left != expected::rounded(start));
        }
    }
    (pairs, breaks)
}

#[test]
fn the_chain_holds_in_our_fixture_inside_a_segment() {
    let rows = expected::rows(&fixture());
    let (pairs, inside) = breaks(&rows, true);
    assert!(pairs > 100, "{pairs} pairs are too few to show anything");
    assert_eq!(inside, 0);
    assert!(breaks(&rows, false).1 > 0, "the second segment goes on elsewhere");
}

#[test]
fn the_chain_holds_in_recorded_fills() {
    let Some(folder) = recorded_data() else { return };
    let rows = expected::rows(&folder.join("fills.ndjson.gz"));
    assert_eq!(breaks(&rows, true).1, 0, "inside a segment the chain is whole");
    assert_eq!(breaks(&rows, false).1, 107, "as documented with the data");
    let gappy = expected::rows(&folder.join("gappy_fills.ndjson.gz"));
    assert_eq!(breaks(&gappy, true), (607, 199), "as documented with the data");
}
