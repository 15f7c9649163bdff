//! What a topic refused counts as there, and may come behind.

use super::{Audit, Report, entry};

/// A topic that shows these numbers, in this order, and refused those.
fn audited(refused: &[u64], shown: &[u64]) -> Report {
    let of = |seq: u64| entry(seq, i64::try_from(seq - 1).unwrap(), i64::try_from(seq).unwrap());
    let mut audit = Audit::default();
    refused.iter().for_each(|seq| audit.refused(of(*seq)));
    shown.iter().for_each(|seq| audit.signal(&of(*seq)));
    (1..=5).for_each(|seq| audit.written(&of(seq)));
    audit.finish()
}

#[test]
fn what_was_refused_is_not_missed() {
    let report = audited(&[1, 3, 3, 5], &[2, 4]);
    assert!(report.clean(false), "{report:?}");
    // Two letters of one record are one record.
    assert_eq!((report.signals, report.refused, report.redriven), (2, 3, 0));
}

#[test]
fn what_was_redriven_is_late_and_no_duplicate() {
    for shown in [&[2, 4, 1, 3, 5][..], &[2, 1, 3, 4, 5], &[1, 2, 3, 4, 5], &[2, 4, 5, 3, 1]] {
        let report = audited(&[1, 3, 5], shown);
        assert!(report.clean(false), "{report:?}");
        assert_eq!((report.signals, report.refused, report.redriven), (5, 3, 3), "{shown:?}");
    }
}

#[test]
fn what_came_late_without_a_letter_is_found() {
    let report = audited(&[1], &[2, 4, 1, 3, 5]);
    assert_eq!((report.order_breaks, report.redriven), (4, 1), "{report:?}");
    assert_eq!(audited(&[1], &[1, 1, 2, 3, 4, 5]).duplicates, 1);
}
