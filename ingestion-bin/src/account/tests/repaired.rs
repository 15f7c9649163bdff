//! A row repaired by hand takes its place once, whatever is asked of it.

use super::super::{GapState, Output, Record, Row, RowStand, Stream};
use super::rules::{Rig, events, row};

/// Position 5 at 1,000; 5 to 7 at 2,000 is never shown; 7 to 6 at 3,000 is. History is read until all of that is far behind.
fn broken() -> Rig {
    let mut rig = Rig::new();
    let shown = [row(1, 1_000, 0, 5), row(3, 3_000, 7, 6)];
    let _ = rig.frame(false, &shown[1..]);
    for second in 0..400 {
        let mut asked = None;
        while let Some(output) = rig.machine.poll_output() {
            if let Output::Ask { id, start, .. } = output {
                asked = Some((id, start));
            }
        }
        if let Some((id, start)) = asked {
            let page: Vec<Row> = shown.iter().filter(|row| row.time >= start).cloned().collect();
            rig.page(id, &page);
        } else if rig.machine.ledger().floor() > 3_000 {
            break;
        } else if let Some(at) = rig.machine.poll_timeout() {
            rig.now = rig.now.max(at);
            rig.machine.handle_timeout(rig.now);
        }
        rig.machine.handle_venue_time(403_000 + second * 1_000, rig.now);
    }
    assert!(rig.machine.ledger().floor() > 3_000, "{}", rig.machine.ledger().floor());
    rig.records();
    rig
}

#[test]
fn an_old_row_takes_its_place_late_and_once() {
    let mut rig = broken();
    let lost = row(2, 2_000, 5, 7);
    let gap = rig.machine.ledger().gaps().first().expect("the chain broke").clone();
    assert_eq!(gap.state, GapState::Unfillable);
    assert_eq!(rig.machine.handle_repaired(Stream::Fills, &lost, 9, rig.now), RowStand::Old);
    let records = rig.records();
    let out = events(&records);
    assert_eq!(out.len(), 1, "{records:?}");
    assert_eq!((out[0].key, out[0].late, out[0].seq, out[0].payload), (lost.key, true, Some(2), 9));
    let repaired = |record: &Record<u32>| matches!(record, Record::Gap(end) if end.id == gap.id && end.state == GapState::Repaired);
    assert!(records.iter().any(repaired), "{records:?}");
    // It is known now, and asked again nothing comes of it.
    assert_eq!(rig.machine.handle_repaired(Stream::Fills, &lost, 9, rig.now), RowStand::Known);
    assert!(events(&rig.records()).is_empty());
    // What follows goes on from the head as if nothing had been.
    let next = row(4, 900_000, 6, 8);
    let records = rig.frame(false, std::slice::from_ref(&next));
    let out = events(&records);
    assert_eq!((out.len(), out[0].late, out[0].seq), (1, false, Some(3)));
}

#[test]
fn what_is_no_event_and_what_history_may_bring_is_left_alone() {
    let mut rig = broken();
    let newest = rig.machine.ledger().floor();
    for (row, stand) in [
        (row(7, 1_000, 0, 5), RowStand::Before),
        (row(8, 900, 0, 5), RowStand::Before),
        (row(9, newest, 6, 8), RowStand::Young),
    ] {
        assert_eq!(rig.machine.handle_repaired(Stream::Fills, &row, 0, rig.now), stand);
        assert!(events(&rig.records()).is_empty());
    }
    let slice = row(9, 2_000, 5, 7);
    assert_eq!(rig.machine.stand_of(Stream::Twap, &slice), RowStand::Before, "the stream is not followed");
}
