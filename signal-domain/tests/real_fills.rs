//! Whole files of fills: every one parses, every perp chain holds after rounding, no `dir` contradicts the arithmetic.
//!
//! Runs on real data where `INGESTION_TEST_DATA` names it, and always on a fixture of our own (`fixtures/fills.ndjson`:
//! three perps with float noise, spot, dust, an outcome).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::Value;
use signal_domain::{
    Account, Cause, Decimal, Dir, Fill, Liquidation, Market, MarketKind, Number, Side, Size,
};

const FIXTURE: &str = include_str!("fixtures/fills.ndjson");

#[derive(Debug, Default, Eq, PartialEq)]
struct Findings {
    fills: usize,
    perp_pairs: usize,
    /// Pairs that would break if positions were compared without rounding.
    noisy_pairs: usize,
    perp_breaks: usize,
    unknown_dirs: usize,
    contradictions: usize,
    ids_twice: usize,
}

fn text<'a>(fill: &'a Value, key: &str) -> Option<&'a str> {
    fill.get(key).and_then(Value::as_str)
}

fn number(fill: &Value, key: &str) -> Option<Number> {
    text(fill, key).map(|text| Number::parse(text).unwrap_or_else(|error| panic!("{key}: {error}")))
}

fn fill_of(row: &Value) -> Fill {
    Fill {
        start_position: number(row, "startPosition"),
        oid: row["oid"].as_u64(),
        dir: text(row, "dir").map(Into::into),
        closed_pnl: number(row, "closedPnl"),
        hash: text(row, "hash").map(Into::into),
        crossed: row["crossed"].as_bool(),
        fee: number(row, "fee"),
        fee_token: text(row, "feeToken").map(Into::into),
        builder_fee: number(row, "builderFee"),
        cloid: text(row, "cloid").map(Into::into),
        twap_id: row["twapId"].as_u64(),
        liquidation: row.get("liquidation").filter(|value| value.is_object()).map(|liquidation| {
            Liquidation {
                liquidated_user: text(liquidation, "liquidatedUser").map(|user| user.parse().unwrap()),
                mark_px: number(liquidation, "markPx"),
                method: text(liquidation, "method").map(Into::into),
            }
        }),
        ..Fill::new(
            Market::from_coin(text(row, "coin").unwrap()).unwrap(),
            text(row, "side").unwrap().parse::<Side>().unwrap(),
            number(row, "px").unwrap(),
            Size::parse(text(row, "sz").unwrap()).unwrap(),
            row["time"].as_u64().unwrap(),
            row["tid"].as_u64().unwrap(),
        )
    }
}

fn examine<'a>(lines: impl Iterator<Item = &'a str>) -> Findings {
    let mut findings = Findings::default();
    let mut ends: HashMap<(String, Account, Market), (Decimal, Decimal)> = HashMap::new();
    let mut ids = std::collections::HashSet::new();
    for line in lines {
        let row: Value = serde_json::from_str(line).unwrap();
        let fill = fill_of(&row["fill"]);
        let account: Account = text(&row, "user").unwrap().parse().unwrap();
        let transition = fill.transition().unwrap();
        findings.fills += 1;
        findings.ids_twice +=
            usize::from(!ids.insert((account, fill.market.clone(), fill.source_event_id().unwrap())));
        match Dir::parse(fill.dir.as_deref().unwrap()) {
            Some(dir) => findings.contradictions += usize::from(dir.contradicts(&transition)),
            None => findings.unknown_dirs += 1,
        }
        assert_ne!(Cause::of(&fill, account), Cause::Other, "{line}");
        if fill.market.kind() != MarketKind::Perp {
            continue;
        }
        let start = fill.start_position.unwrap().value();
        let exact_end = start.checked_add(fill.signed_size()).unwrap();
        let key = (row["segment"].as_str().unwrap_or_default().to_owned(), account, fill.market.clone());
        if let Some((end, exact)) = ends.insert(key, (transition.after(), exact_end)) {
            findings.perp_pairs += 1;
            findings.perp_breaks += usize::from(end != transition.before());
            findings.noisy_pairs += usize::from(end == transition.before() && exact != start);
        }
    }
    findings
}

/// Where real data is. Says so, past the test harness' capture, where there is none.
#[expect(clippy::disallowed_methods, reason = "real data is found through the environment, in tests only")]
fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("INGESTION_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        std::io::stdout().write_all(b"SKIPPED: INGESTION_TEST_DATA is not set\n").unwrap();
    }
    folder
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(BufReader::new(File::open(file).unwrap())).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_fixture_holds() {
    let findings = examine(FIXTURE.lines());
    assert_eq!((findings.fills, findings.perp_breaks, findings.contradictions), (68, 0, 0), "{findings:?}");
    assert_eq!((findings.unknown_dirs, findings.ids_twice), (0, 0), "{findings:?}");
    assert!(findings.perp_pairs > 40 && findings.noisy_pairs > 0, "{findings:?}");
}

/// The same check finds what is missing: each inner perp fill of the fixture taken out breaks its chain, unless it left
/// the position where it was.
#[test]
fn a_fill_taken_out_of_the_fixture_is_missed() {
    let lines: Vec<&str> = FIXTURE.lines().collect();
    let whole = examine(lines.iter().copied()).perp_pairs;
    let mut inner = 0;
    for without in 0..lines.len() {
        let rest = lines.iter().enumerate().filter(|(at, _)| *at != without).map(|(_, line)| *line);
        let findings = examine(rest);
        let first_or_last_or_spot = findings.perp_breaks == 0;
        inner += usize::from(!first_or_last_or_spot);
        assert!(findings.perp_breaks <= 1, "{without}: {findings:?}");
    }
    // Seven chains: each pair but one per chain of two or more has an inner fill behind it.
    let chains = 7;
    assert_eq!(inner, whole - chains, "every inner fill is missed");
}

#[test]
fn real_chains_hold_and_real_breaks_are_found() {
    let Some(folder) = real_data() else { return };

    let whole = examine(unpacked(&folder.join("fills.ndjson.gz")).lines());
    assert_eq!((whole.fills, whole.perp_breaks, whole.contradictions), (8_301, 0, 0), "{whole:?}");
    assert_eq!((whole.unknown_dirs, whole.ids_twice), (0, 0), "{whole:?}");
    assert!(whole.noisy_pairs > 0, "{whole:?}");

    // Somebody's wrong de-duplication lost about a third of these.
    let gappy = examine(unpacked(&folder.join("gappy_fills.ndjson.gz")).lines());
    assert_eq!((gappy.perp_breaks, gappy.perp_pairs), (199, 607), "{gappy:?}");
}
