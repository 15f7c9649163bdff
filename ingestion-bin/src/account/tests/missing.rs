//! How many events the gaps say are missing: at least one while any is open or unfillable, none where what was wrong is
//! corrected, the same in the journal's fold.

use std::time::{Duration, Instant};

use super::super::{GapKind, GapState, Ledger, Output, Record, Row, Settings, Stream};
use super::rules::{Rig, events, row};

/// Two listeners, an honest history, a venue whose clock goes on.
struct Day {
    rig: Rig,
    began: Instant,
    history: Vec<Row>,
    journal: Vec<Record<u32>>,
    /// What was missing as the journal's fold has it, one number for each change.
    missing: Vec<u64>,
    fold: Ledger,
}

impl Day {
    fn new() -> Self {
        let mut rig = Rig::new();
        let history = vec![row(1, 1_000, 0, 5)];
        let began = rig.now;
        rig.machine.handle_listener_up(1, began);
        let mut day = Self {
            rig,
            began,
            history,
            journal: Vec::new(),
            missing: vec![0],
            fold: Ledger::new(&Settings { twap: false, ..Settings::default() }),
        };
        day.show(1, true, &[row(1, 1_000, 0, 5)]);
        day
    }

    fn show(&mut self, listener: usize, snapshot: bool, rows: &[Row]) {
        let now = self.rig.now;
        let _ = self.rig.machine.handle_frame(listener, Stream::Fills, snapshot, rows, |at| at as u32, now);
        self.drain();
    }

    /// Time passes, whatever is asked is answered.
    fn pass(&mut self, seconds: u64) {
        let end = self.rig.now + Duration::from_secs(seconds);
        while self.rig.now < end {
            let next = self.rig.machine.poll_timeout().map_or(end, |at| at.min(end));
            self.rig.now = next.max(self.rig.now + Duration::from_millis(1));
            let passed = self.rig.now.duration_since(self.began).as_millis() as i64;
            self.rig.machine.handle_venue_time(1_000 + passed, self.rig.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.rig.machine.poll_output() {
            match output {
                Output::Record(record) => {
                    self.fold.apply(&record);
                    let now = self.fold.missing(i64::MIN);
                    if self.missing.last() != Some(&now) {
                        self.missing.push(now);
                    }
                    self.journal.push(record);
                }
                Output::Ask { start, id, .. } => {
                    let page: Vec<Row> =
                        self.history.iter().filter(|row| row.time >= start).cloned().collect();
                    self.rig.machine.handle_page(id, &page, |at| at as u32, self.rig.now);
                }
                Output::Recycle { .. } => {}
            }
        }
        assert_eq!(
            self.fold.missing(i64::MIN),
            self.rig.machine.ledger().missing(i64::MIN),
            "as the journal has it"
        );
    }

    /// The kinds and states of the gaps that are kept.
    fn gaps(&self) -> Vec<(GapKind, GapState)> {
        let ledger = self.rig.machine.ledger();
        ledger.gaps().iter().map(|gap| (gap.id.kind, gap.state)).collect()
    }
}

#[test]
fn a_gap_counts_until_it_is_repaired() {
    let mut day = Day::new();
    day.history.extend([row(2, 1_010, 5, 7), row(3, 1_020, 7, 8)]);
    // Hidden from both, and history has it.
    day.show(0, false, &[row(3, 1_020, 7, 8)]);
    day.pass(1);
    assert_eq!(day.gaps(), [(GapKind::Chain, GapState::Opened)]);
    assert_eq!(day.rig.machine.ledger().missing(1_020), 1, "its end is inside");
    assert_eq!(day.rig.machine.ledger().missing(1_021), 0, "it ends before");
    day.pass(900);
    assert_eq!((day.gaps().as_slice(), day.missing.as_slice()), ([].as_slice(), [0, 1, 0].as_slice()));
}

#[test]
fn an_unfillable_gap_counts_for_ever() {
    let mut day = Day::new();
    day.history.push(row(3, 1_020, 7, 8));
    day.show(0, false, &[row(3, 1_020, 7, 8)]);
    day.pass(900);
    assert_eq!(day.gaps(), [(GapKind::Chain, GapState::Unfillable)]);
    assert_eq!(day.missing, [0, 1]);
}

/// The row under the tid that arrived, instead of its own.
fn flipped(key: u128, true_row: &Row) -> Row {
    Row { key: row(key, 0, 0, 1).key, ..true_row.clone() }
}

#[test]
fn a_phantom_that_went_out_counts_until_it_is_replaced() {
    let mut day = Day::new();
    let fill = row(2, 1_010, 5, 7);
    day.history.push(fill.clone());
    day.show(0, false, &[flipped(9, &fill)]);
    day.show(1, false, &[fill]);
    day.pass(900);
    assert_eq!(day.missing, [0, 1, 0]);
    assert_eq!(day.gaps(), [(GapKind::Conflict, GapState::Unfillable)], "told, and corrected");
    let replaced: Vec<_> =
        events(&day.journal).into_iter().filter(|event| event.supersedes.is_some()).collect();
    assert_eq!(replaced.len(), 1);
    // A new process knows it from the journal.
    day.rig.restart(false);
    assert_eq!(day.rig.machine.ledger().missing(i64::MIN), 0);
}

#[test]
fn a_phantom_that_never_went_out_is_nothing_missing() {
    let mut day = Day::new();
    let fill = row(2, 1_010, 5, 7);
    day.history.push(fill.clone());
    day.show(0, false, std::slice::from_ref(&fill));
    day.show(1, false, &[flipped(9, &fill)]);
    day.pass(900);
    assert_eq!(day.gaps(), [(GapKind::Conflict, GapState::Unfillable)], "told");
    assert_eq!(day.missing, [0]);
}

#[test]
fn a_phantom_that_nothing_replaces_counts() {
    let mut day = Day::new();
    day.show(0, false, &[row(2, 1_010, 5, 7)]);
    day.history.push(row(3, 900_000, 5, 6));
    day.pass(1_200);
    assert_eq!(day.gaps(), [(GapKind::Conflict, GapState::Unfillable)]);
    // The chain it broke counts until the conflict explains it.
    assert_eq!(day.missing, [0, 1, 2, 1]);
}
