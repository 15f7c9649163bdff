//! The audit finds what is planted, and nothing else.

use rust_decimal::Decimal;

use super::{Audit, Declared, Entry, Report};

mod refused;

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

/// It begins where the wrong one did, and what follows goes on from it.
#[test]
fn a_correction_takes_the_place_of_what_it_corrects() {
    let wrong = Entry { source_event_id: "fill:3".to_owned(), ..entry(2, 2, 9) };
    let mut audit = Audit::default();
    for entry in [entry(1, 0, 2), wrong.clone(), entry(3, 2, 5), entry(4, 5, 6)] {
        audit.signal(&entry);
    }
    let report = audit.finish();
    assert_eq!((report.pairs, report.chain_breaks), (3, 0), "{report:?}");
    // Another event does not.
    let mut audit = Audit::default();
    for entry in [entry(1, 0, 2), Entry { source_event_id: "fill:2".to_owned(), ..wrong }, entry(3, 2, 5)] {
        audit.signal(&entry);
    }
    assert_eq!(audit.finish().undeclared, 1);
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
fn nothing_excuses_a_missing_number_where_the_journal_is_whole() {
    let mut audit = Audit::default();
    audit.journal_is_whole();
    audit.gap(Declared { market: None, ..gap("all", "history", "unfillable", (0, 100)) });
    [entry(2, 2, 3), entry(4, 5, 3)].iter().for_each(|entry| audit.signal(entry));
    let report = audit.finish();
    assert_eq!((report.order_breaks, report.undeclared), (2, 1), "{report:?}");
}

#[test]
fn a_break_without_a_jump_is_not_excused_by_a_gap_of_all_markets() {
    let mut audit = Audit::default();
    audit.gap(Declared { market: None, ..gap("all", "history", "unfillable", (0, 100)) });
    [entry(1, 0, 2), entry(2, 5, 3)].iter().for_each(|entry| audit.signal(entry));
    assert_eq!(audit.finish().undeclared, 1);
}

/// Nobody was followed in between, or the journal was lost: what moved then is no break of the next epoch's numbers.
#[test]
fn an_epoch_that_begins_behind_such_a_gap_may_begin_elsewhere() {
    let anew = || Entry { epoch: 8, ..entry(1, 5, 3) };
    for (gap_of, undeclared) in [((2, 40), 0), ((12, 15), 0), ((60, 70), 1)] {
        let mut audit = Audit::default();
        audit.gap(Declared { market: None, ..gap("away", "history", "unfillable", gap_of) });
        let anew = Entry { time: 50, signal_id: "anew".to_owned(), ..anew() };
        [entry(1, 0, 2), Entry { source_event_id: "fill:anew".to_owned(), ..anew }]
            .iter()
            .for_each(|entry| audit.signal(entry));
        let report = audit.finish();
        assert_eq!(
            (report.chain_breaks, report.undeclared, report.order_breaks),
            (1, undeclared, 0),
            "{report:?}"
        );
    }
}

#[test]
fn a_gap_that_is_named_and_whose_record_was_deleted_is_declared() {
    for deleted in [false, true] {
        let mut audit = Audit::default();
        if deleted {
            audit.older_gaps_deleted();
        }
        let named = Entry { gap_id: Some("old".to_owned()), ..entry(2, 5, 3) };
        [entry(1, 0, 2), named].iter().for_each(|entry| audit.signal(entry));
        assert_eq!(audit.finish().undeclared, u64::from(!deleted));
    }
}

#[test]
fn a_signal_that_was_written_and_is_in_no_file_is_found() {
    let mut audit = Audit::default();
    audit.signal(&entry(1, 0, 2));
    [entry(1, 0, 2), entry(2, 2, 3)].iter().for_each(|entry| audit.written(entry));
    let report = audit.finish();
    assert!(report.lost == 1 && !report.clean(false), "{report:?}");
}

mod history {
    //! History beside the log: each kind of difference is found, and told from what was declared.

    use signal_domain::{Decimal as Exact, Fill, Market, Number, Side, Size};

    use super::super::{Against, Beside, Finding, HistoryRow, Link, Logged, Window, timeline};
    use super::*;

    /// A trade of ETH at this time; `tid` is the time.
    fn row(time: u64, before: i64, after: i64) -> HistoryRow {
        let side = if after > before { Side::Buy } else { Side::Sell };
        let number = |value: i64| Number::parse(&value.to_string()).expect("a number");
        let size = Size::parse(&(after - before).abs().to_string()).expect("a size");
        let mut fill =
            Fill::new(Market::from_coin("ETH").expect("a coin"), side, number(2_400), size, time, time);
        fill.start_position = Some(number(before));
        HistoryRow {
            source_event_id: fill.source_event_id().expect("an id"),
            positions: (Decimal::from(before), Decimal::from(after)),
            slice: false,
            signal: true,
            fill,
        }
    }

    fn logged(row: &HistoryRow) -> Logged {
        Logged {
            signal_id: format!("id of {}", row.source_event_id),
            source_event_id: row.source_event_id.clone(),
            market: "ETH-PERP".to_owned(),
            time: i64::try_from(row.fill.time).expect("small"),
            price: row.fill.px.value(),
            delta: row.fill.signed_size(),
            after: row.positions.1,
            supersedes: None,
        }
    }

    fn compare(history: &[HistoryRow], log: &[Logged], beside: &Beside) -> (Against, Vec<Finding>) {
        let (mut against, mut findings) = (Against::default(), Vec::new());
        let window = Window { since: 10, until: 100, ..Window::default() };
        let told = timeline(history.to_vec(), Vec::new());
        against.account(window, &told, log, beside, |finding| findings.push(finding));
        (against, findings)
    }

    fn three() -> Vec<HistoryRow> {
        vec![row(10, 0, 2), row(20, 2, 5), row(30, 5, 4)]
    }

    #[test]
    fn the_same_on_both_sides_is_clean() {
        let rows = three();
        let log: Vec<Logged> = rows.iter().map(logged).collect();
        let (against, findings) = compare(&rows, &log, &Beside::default());
        assert!(against.clean(true) && findings.is_empty(), "{findings:?}");
        assert_eq!((against.compared, against.windows[0].rows), (3, 3));
        assert_eq!(against.windows[0].history_breaks, 0);
    }

    #[test]
    fn what_the_log_lacks_is_missing_unless_it_is_declared_or_explained() {
        let rows = three();
        let log = [logged(&rows[0]), logged(&rows[2])];
        let (against, findings) = compare(&rows, &log, &Beside::default());
        assert_eq!((against.missing, against.missing_declared), (1, 0));
        assert!(!against.clean(false) && findings[0].finding.contains("no gap says why"), "{findings:?}");

        let inside = |state| Beside { gaps: vec![gap("g", "outage", state, (10, 30))], ..Beside::default() };
        let (against, findings) = compare(&rows, &log, &inside("unfillable"));
        assert_eq!((against.missing, against.missing_declared), (0, 1));
        assert!(against.clean(false) && !against.clean(true));
        assert_eq!(findings[0].gap_id.as_deref(), Some("g"));
        // A gap that is said to be repaired excuses nothing, nor does one elsewhere.
        assert_eq!(compare(&rows, &log, &inside("repaired")).0.missing, 1);
        let elsewhere = Beside { gaps: vec![gap("g", "outage", "opened", (21, 30))], ..Beside::default() };
        assert_eq!(compare(&rows, &log, &elsewhere).0.missing, 1);

        let mut known = Beside::default();
        known.no_signal.insert(("ETH-PERP".to_owned(), rows[1].source_event_id.clone()), "filtered");
        let (against, _) = compare(&rows, &log, &known);
        assert!(against.clean(true) && against.explained == 1);

        let mut unwanted = rows.clone();
        unwanted[1].signal = false;
        assert!(compare(&unwanted, &log, &Beside::default()).0.clean(true), "it makes no signal");
    }

    #[test]
    fn what_history_lacks_is_a_phantom_unless_it_is_replaced_or_in_conflict() {
        let rows = three();
        let phantom = row(25, 5, 7);
        let mut log: Vec<Logged> = rows.iter().map(logged).collect();
        log.push(logged(&phantom));
        let (against, findings) = compare(&rows, &log, &Beside::default());
        assert_eq!((against.phantoms, findings[0].timestamp), (1, 25));
        let conflict =
            Beside { gaps: vec![gap("c", "conflict", "unfillable", (25, 25))], ..Beside::default() };
        let (against, _) = compare(&rows, &log, &conflict);
        assert_eq!((against.phantoms, against.phantoms_declared), (0, 1));
        let outage = Beside { gaps: vec![gap("o", "outage", "unfillable", (10, 30))], ..Beside::default() };
        assert_eq!(compare(&rows, &log, &outage).0.phantoms, 1, "an outage makes no phantoms");
        log[2].supersedes = Some(logged(&phantom).signal_id);
        assert_eq!(compare(&rows, &log, &Beside::default()).0.phantoms_declared, 1);
        // Older than what history still has: nobody can tell.
        let (against, _) = compare(&rows[1..], &[logged(&rows[0])], &conflict);
        assert_eq!((against.beyond_history, against.phantoms), (1, 0));
        // What the venue forgets may end inside a millisecond, and another row of it is still there.
        let other = Logged { source_event_id: "fill:20:other:B".to_owned(), ..logged(&rows[1]) };
        let (against, _) = compare(&rows[1..], &[other], &Beside::default());
        assert_eq!((against.beyond_history, against.phantoms), (1, 0));
    }

    #[test]
    fn other_content_is_different_and_the_last_signal_of_an_event_counts() {
        let rows = three();
        let mut log: Vec<Logged> = rows.iter().map(logged).collect();
        log[1].price = Exact::parse("1").expect("a number");
        let (against, findings) = compare(&rows, &log, &Beside::default());
        assert_eq!(against.different, 1);
        assert!(findings[0].finding.starts_with("price 1 in the log, 2400 in"), "{findings:?}");
        log.push(logged(&rows[1]));
        assert!(compare(&rows, &log, &Beside::default()).0.clean(true), "it was corrected");
    }

    #[test]
    fn nothing_outside_the_window_is_looked_at() {
        let rows = vec![row(9, 0, 2), row(50, 2, 5), row(101, 5, 4)];
        let (against, _) = compare(&rows, &[logged(&rows[1]), logged(&row(102, 4, 6))], &Beside::default());
        assert!(against.clean(true));
        assert_eq!((against.compared, against.windows[0].rows), (1, 1));
    }

    #[test]
    fn two_streams_become_one_in_the_order_of_the_chain() {
        let slice = |time, before, after| HistoryRow { slice: true, ..row(time, before, after) };
        // Inside one millisecond fills and slices alternate; each stream keeps its order.
        let mut fills = vec![row(10, 0, 1), row(20, 2, 3), row(20, 4, 5)];
        fills[2].source_event_id = "fill:20:other:B".to_owned();
        let mut slices = vec![slice(20, 1, 2), slice(20, 3, 4), slice(30, 5, 9)];
        slices[0].source_event_id = "fill:20:s:B".to_owned();
        slices[1].source_event_id = "fill:20:t:B".to_owned();
        let told = timeline(fills.clone(), slices.clone());
        let links: Vec<_> = told.iter().map(|told| (told.row.slice, told.link)).collect();
        let linked = Some(Link::Linked);
        let wanted = [
            (false, Some(Link::First)),
            (true, linked),
            (false, linked),
            (true, linked),
            (false, linked),
            (true, linked),
        ];
        assert_eq!(links, wanted);
        // Told on both streams it is one row; a row taken out breaks the chain where it was.
        let mut inline = fills.clone();
        inline.insert(1, HistoryRow { slice: false, ..slices[0].clone() });
        assert_eq!(timeline(inline, slices.clone()).len(), 6);
        slices.remove(1);
        let broken = timeline(fills, slices);
        let expected = broken.iter().filter_map(|told| match told.link {
            Some(Link::Broken { expected }) => Some(expected),
            _ => None,
        });
        assert_eq!(expected.collect::<Vec<_>>(), [Decimal::from(3)]);
    }
}
