//! The audit finds what is planted, and nothing else.

use rust_decimal::Decimal;

use super::{Audit, Declared, Entry, Report};

fn entry(seq: u64, before: i64, after: i64) -> Entry {
    Entry {
        signal_id: format!("id-{seq}"),
        key: ("whale".to_owned(), "ETH-PERP".to_owned()),
        epoch: 7,
        seq,
        time: i64::try_from(seq).expect("small") * 10,
        before: Some(Decimal::from(before)),
        after: Decimal::from(after),
        late: false,
        gap_id: None,
        source_event_id: format!("fill:{seq}"),
    }
}

fn gap(id: &str, kind: &str, state: &str, span: (i64, i64)) -> Declared {
    Declared {
        gap_id: id.to_owned(),
        influencer_id: "whale".to_owned(),
        market: Some("ETH-PERP".to_owned()),
        kind: kind.to_owned(),
        state: state.to_owned(),
        span,
    }
}

fn audit(entries: Vec<Entry>, gaps: &[(&str, &str)]) -> Report {
    let mut audit = Audit::default();
    gaps.iter().for_each(|(id, state)| audit.gap(gap(id, "chain", state, (0, 0))));
    entries.into_iter().for_each(|entry| audit.signal(&entry));
    audit.finish()
}

#[test]
fn a_whole_log_is_clean() {
    let report = audit(vec![entry(1, 0, 2), entry(2, 2, 3), entry(3, 3, 0)], &[]);
    assert!(report.clean(true), "{report:?}");
    assert_eq!((report.signals, report.pairs), (3, 2));
}

#[test]
fn a_break_without_a_record_is_undeclared() {
    let report = audit(vec![entry(1, 0, 2), entry(2, 5, 3)], &[]);
    assert_eq!((report.chain_breaks, report.undeclared), (1, 1));
    assert!(!report.clean(false));
}

#[test]
fn a_break_with_a_record_is_declared_and_strict_minds() {
    let mut second = entry(2, 5, 3);
    second.gap_id = Some("gap".to_owned());
    let report = audit(vec![entry(1, 0, 2), second.clone()], &[("gap", "opened"), ("gap", "unfillable")]);
    assert_eq!((report.chain_breaks, report.undeclared, report.declared_gaps), (1, 0, 1));
    let named: Vec<Option<&str>> = report.findings.iter().map(|finding| finding.gap_id.as_deref()).collect();
    assert_eq!(named, [Some("gap")], "a declared break is named with its gap");
    assert!(report.clean(false) && !report.clean(true));
    let repaired = audit(vec![entry(1, 0, 2), second.clone()], &[("gap", "opened"), ("gap", "repaired")]);
    assert!(repaired.clean(true));
    let unknown = audit(vec![entry(1, 0, 2), second], &[]);
    assert_eq!(unknown.undeclared, 1, "a gapId without a record declares nothing");
}

#[test]
fn late_ones_are_numbered_but_not_chained() {
    let mut late = entry(3, 9, 9);
    (late.late, late.time) = (true, 1);
    let report = audit(vec![entry(1, 0, 2), entry(2, 2, 3), late, entry(4, 3, 4)], &[]);
    assert!(report.clean(true), "{report:?}");
}

#[test]
fn duplicates_holes_and_time_are_found() {
    let mut early = entry(4, 3, 4);
    early.time = 1;
    let report = audit(vec![entry(1, 0, 2), entry(1, 0, 2), entry(3, 2, 3), early], &[]);
    assert_eq!((report.duplicates, report.order_breaks), (1, 2), "{report:?}");
}

#[test]
fn a_log_whose_older_part_was_deleted_begins_anywhere_and_a_whole_one_with_one() {
    let in_epoch = |epoch, seq, market: &str| {
        let mut entry = entry(seq, 0, 2);
        (entry.epoch, entry.key.1, entry.before) = (epoch, market.to_owned(), None);
        entry.signal_id = format!("{market}-{epoch}-{seq}");
        entry.time += i64::try_from(epoch).expect("small") * 1_000;
        entry
    };
    let report = |deleted: bool, log: Vec<Entry>| {
        let mut audit = Audit::default();
        if deleted {
            audit.older_deleted();
        }
        log.iter().for_each(|entry| audit.signal(entry));
        audit.finish()
    };
    let log = || vec![in_epoch(7, 10, "ETH-PERP"), in_epoch(7, 4, "BTC-PERP"), in_epoch(7, 5, "BTC-PERP")];
    assert!(report(true, log()).clean(true));
    assert_eq!(report(false, log()).order_breaks, 2);
    let hole = vec![in_epoch(7, 10, "ETH-PERP"), in_epoch(7, 12, "ETH-PERP")];
    assert_eq!(report(true, hole).order_breaks, 1, "behind the first line nothing may be missing");
    for market in ["ETH-PERP", "BTC-PERP"] {
        let later = vec![in_epoch(7, 10, "ETH-PERP"), in_epoch(8, 2, market)];
        assert_eq!(report(true, later).order_breaks, 1, "epoch 8 began inside the log: {market}");
    }
}

#[test]
fn signals_that_never_came_are_excused_by_the_gap_that_says_so_alone() {
    let log = || vec![entry(1, 0, 2), entry(4, 5, 3), entry(5, 3, 4)];
    let with = |gap: Declared| {
        let mut audit = Audit::default();
        audit.gap(gap);
        log().iter().for_each(|entry| audit.signal(entry));
        audit.finish()
    };
    let declared = with(gap("lost", "history", "unfillable", (10, 40)));
    assert!(declared.clean(false) && !declared.clean(true), "{declared:?}");
    let wide = with(Declared { market: None, ..gap("all", "history", "unfillable", (10, 40)) });
    assert!(wide.clean(false) && !wide.clean(true), "{wide:?}");
    assert_eq!((declared.chain_breaks, declared.findings[0].gap_id.as_deref()), (1, Some("lost")));
    for other in
        [gap("elsewhen", "history", "unfillable", (41, 50)), gap("other", "chain", "unfillable", (10, 40))]
    {
        let report = with(other);
        assert_eq!((report.order_breaks, report.undeclared), (1, 1), "{report:?}");
    }
}

#[test]
fn a_break_without_a_jump_is_not_excused_by_a_gap_of_all_markets() {
    let mut audit = Audit::default();
    audit.gap(Declared { market: None, ..gap("all", "history", "unfillable", (0, 100)) });
    [entry(1, 0, 2), entry(2, 5, 3)].iter().for_each(|entry| audit.signal(entry));
    assert_eq!(audit.finish().undeclared, 1);
}
