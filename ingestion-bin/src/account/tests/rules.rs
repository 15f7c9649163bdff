//! A few rules shown by hand, where a seed would hide them.

use std::time::{Duration, Instant};

use dedup::FillKey;

use super::super::{
    Cause, Event, GapKind, Intake, Ledger, Machine, Output, Record, Retry, Row, Settings, Stream,
};
use super::super::{Fate, Market};
use super::venue::{digest, link};

pub(super) struct Rig {
    pub(super) machine: Machine<u32>,
    pub(super) now: Instant,
}

impl Rig {
    /// One listener, no TWAP stream, position 5 at venue time 1,000.
    pub(super) fn new() -> Self {
        let mut rig = Self::begin(false);
        rig.frame(true, &[row(1, 1_000, 0, 5)]);
        rig
    }

    pub(super) fn begin(twap: bool) -> Self {
        let now = Instant::now();
        let settings = Settings { twap, ..Settings::default() };
        let ledger = Ledger::new(&settings);
        let mut rig = Self { machine: Machine::new(settings, ledger, Cause::Start, 1, now), now };
        rig.machine.handle_listener_up(0, now);
        rig
    }

    /// The process is killed and starts again over its journal.
    pub(super) fn restart(&mut self, twap: bool) {
        let ledger = self.machine.ledger().clone();
        let epoch = ledger.epoch() + 1;
        let settings = Settings { twap, ..Settings::default() };
        self.machine = Machine::new(settings, ledger, Cause::Start, epoch, self.now);
        self.machine.handle_listener_up(0, self.now);
        self.records();
    }

    pub(super) fn frame(&mut self, snapshot: bool, rows: &[Row]) -> Vec<Record<u32>> {
        self.frame_of(Stream::Fills, snapshot, rows)
    }

    pub(super) fn frame_of(&mut self, stream: Stream, snapshot: bool, rows: &[Row]) -> Vec<Record<u32>> {
        self.clock(rows);
        let taken = self.machine.handle_frame(0, stream, snapshot, rows, |at| at as u32, self.now);
        assert_eq!(taken, Intake::Taken);
        self.records()
    }

    /// What is shown here is borne out elsewhere.
    fn clock(&mut self, rows: &[Row]) {
        if let Some(newest) = rows.iter().map(|row| row.time).max() {
            self.machine.handle_venue_time(newest, self.now);
        }
    }

    pub(super) fn wait(&mut self, millis: u64) -> Vec<Record<u32>> {
        self.now += Duration::from_millis(millis);
        self.machine.handle_timeout(self.now);
        self.records()
    }

    pub(super) fn records(&mut self) -> Vec<Record<u32>> {
        std::iter::from_fn(|| self.machine.poll_output())
            .filter_map(|output| match output {
                Output::Record(record) => Some(record),
                Output::Ask { .. } | Output::Recycle { .. } => None,
            })
            .collect()
    }

    /// The question that is asked at the next timer's instant, within `millis`.
    pub(super) fn asked(&mut self, millis: u64) -> Option<u64> {
        let end = self.now + Duration::from_millis(millis);
        loop {
            while let Some(output) = self.machine.poll_output() {
                if let Output::Ask { id, .. } = output {
                    return Some(id);
                }
            }
            self.now = self.machine.poll_timeout().filter(|at| *at <= end)?.max(self.now);
            self.machine.handle_timeout(self.now);
        }
    }

    pub(super) fn page(&mut self, id: u64, rows: &[Row]) {
        self.clock(rows);
        self.machine.handle_page(id, rows, |at| at as u32, self.now);
    }
}

pub(super) fn row(key: u128, time: i64, before: i64, after: i64) -> Row {
    Row {
        key: FillKey(key << 64 | key),
        digest: digest(100, (after - before).abs(), before, (after - before).signum()),
        market: Market::new("ETH-PERP"),
        strict: true,
        time,
        link: Some(link(before, after)),
        fate: Fate::Signal,
    }
}

pub(super) fn events(records: &[Record<u32>]) -> Vec<&Event<u32>> {
    records
        .iter()
        .filter_map(|record| if let Record::Event(event) = record { Some(event) } else { None })
        .collect()
}

#[test]
fn a_linking_row_goes_out_at_once_and_once() {
    let mut rig = Rig::new();
    let out = rig.frame(false, &[row(2, 1_010, 5, 7), row(3, 1_010, 7, 6)]);
    let seqs: Vec<_> = events(&out).iter().map(|event| (event.seq, event.more, event.late)).collect();
    assert_eq!(seqs, [(Some(1), true, false), (Some(2), false, false)]);
    assert!(events(&rig.frame(false, &[row(2, 1_010, 5, 7)])).is_empty());
    assert_eq!(rig.machine.summary().counts.duplicates, 1);
}

#[test]
fn a_break_waits_for_the_hold_and_goes_out_with_its_gap_before_it() {
    let mut rig = Rig::new();
    assert!(events(&rig.frame(false, &[row(3, 1_020, 7, 8)])).is_empty());
    assert!(events(&rig.wait(400)).is_empty());
    let out = rig.wait(101);
    let Some(Record::Gap(gap)) = out.first() else { panic!("no gap first: {out:?}") };
    assert_eq!((gap.id.kind, gap.id.from, gap.to), (GapKind::Chain, 1_000, 1_020));
    assert_eq!(events(&out).first().and_then(|event| event.gap.as_ref()), Some(&gap.id));
    // H2: what was missing comes late and closes the sum.
    let out = rig.frame(false, &[row(2, 1_010, 5, 7)]);
    assert!(events(&out).iter().all(|event| event.late));
    assert!(rig.machine.ledger().gaps().iter().all(super::super::Gap::adds_up));
}

#[test]
fn the_missing_row_inside_the_hold_puts_all_in_order() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(3, 1_020, 7, 8)]);
    rig.wait(300);
    let out = rig.frame(false, &[row(2, 1_010, 5, 7)]);
    let times: Vec<_> = events(&out).iter().map(|event| (event.time, event.late)).collect();
    assert_eq!(times, [(1_010, false), (1_020, false)]);
    assert!(rig.machine.ledger().gaps().is_empty());
}

#[test]
fn a_later_snapshot_brings_events_not_baseline() {
    let mut rig = Rig::new();
    rig.machine.handle_listener_down(0, rig.now);
    rig.machine.handle_listener_up(0, rig.now);
    let out = rig.frame(true, &[row(1, 1_000, 0, 5), row(2, 1_010, 5, 7)]);
    assert_eq!(events(&out).iter().map(|event| event.fate).collect::<Vec<_>>(), [Fate::Signal]);
    assert!(rig.machine.ledger().gaps().is_empty(), "the snapshot overlaps what is known");
}

#[test]
fn rows_that_pass_a_blind_stream_come_after_its_gap() {
    let now = Instant::now();
    let settings = Settings::default();
    let ledger = Ledger::new(&settings);
    let mut rig = Rig { machine: Machine::new(settings, ledger, Cause::Start, 1, now), now };
    rig.machine.handle_listener_up(0, now);
    rig.frame(true, &[row(1, 1_000, 0, 5)]);
    let slices = |rig: &mut Rig, rows: &[Row]| {
        let _ = rig.machine.handle_frame(0, Stream::Twap, true, rows, |at| at as u32, rig.now);
        rig.records()
    };
    slices(&mut rig, &[row(2, 1_010, 5, 7)]);
    rig.machine.handle_listener_down(0, rig.now);
    rig.machine.handle_listener_up(0, rig.now);
    // R4: the fills' snapshot is here, the slices' is not.
    assert!(events(&rig.frame(true, &[row(1, 1_000, 0, 5), row(3, 1_030, 7, 8)])).is_empty());
    let out = rig.wait(501);
    let Some(Record::Gap(gap)) = out.first() else { panic!("no gap first: {out:?}") };
    assert_eq!((gap.id.kind, gap.id.from), (GapKind::Outage, 1_010));
    assert_eq!(events(&out).len(), 1);
    // What it then brings from before lies inside that gap.
    let out = slices(&mut rig, &[row(2, 1_010, 5, 7), row(4, 1_020, 7, 7)]);
    assert!(events(&out).iter().all(|event| event.late));
    assert!(rig.machine.ledger().gaps().iter().any(|gap| gap.covers(1_020)));
}

#[test]
fn other_content_is_refused_and_declared() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    let out = rig.frame(false, &[row(2, 1_010, 5, 9)]);
    assert!(matches!(out.first(), Some(Record::Refused { .. })), "{out:?}");
    assert!(rig.machine.ledger().gaps().iter().any(|gap| gap.id.kind == GapKind::Conflict));
}

#[test]
fn the_gaps_of_an_account_are_bounded() {
    let now = Instant::now();
    let settings = Settings { twap: false, gap_cap: 4, ..Settings::default() };
    let ledger = Ledger::new(&settings);
    let mut machine: Machine<u32> = Machine::new(settings, ledger, Cause::Start, 1, now);
    for n in 0..20 {
        machine.declare_outage(n * 100, n * 100 + 10);
    }
    let gaps = machine.ledger().gaps();
    assert!(gaps.len() <= 4);
    assert!(
        (0..20).all(|n| gaps.iter().any(|gap| gap.covers(n * 100))),
        "every span is still declared: {gaps:?}"
    );
    let mut fold = Ledger::new(&Settings { twap: false, ..Settings::default() });
    while let Some(Output::Record(record)) = machine.poll_output() {
        fold.apply(&record);
    }
    assert_eq!(fold.gaps(), machine.ledger().gaps());
}

#[test]
fn damage_opens_a_gap_since_certified_and_no_snapshot_is_believed() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 1_010, 5, 7)]);
    let settings = Settings { twap: false, ..Settings::default() };
    let ledger = rig.machine.ledger().clone();
    rig.machine = Machine::new(settings, ledger, Cause::Start, 2, rig.now);
    rig.machine.handle_damage(rig.now);
    let gaps = rig.machine.ledger().gaps();
    assert!(gaps.iter().any(|gap| gap.id.kind == GapKind::Outage && gap.id.from == 1_000 && gap.to == 1_010));
    rig.records();
    rig.machine.handle_listener_up(0, rig.now);
    // The snapshot holds a known row; it proves nothing all the same.
    let out = rig.frame(true, &[row(2, 1_010, 5, 7), row(3, 1_020, 7, 8)]);
    assert!(events(&out).is_empty(), "it waits for history: {out:?}");
    assert!(rig.machine.summary().waiting);
    let out = rig.wait(5_001);
    assert_eq!(events(&out).len(), 1, "no longer than the repair hold");
}

#[test]
fn a_lost_state_is_declared_before_the_new_baseline() {
    let now = Instant::now();
    let settings = Settings { twap: false, ..Settings::default() };
    let ledger = Ledger::new(&settings);
    let mut rig = Rig { machine: Machine::new(settings, ledger, Cause::Start, 1, now), now };
    rig.machine.handle_no_state(400);
    rig.machine.handle_listener_up(0, now);
    rig.records();
    let out = rig.frame(true, &[row(1, 1_000, 0, 5)]);
    let [Record::Gap(gap), Record::Baseline { at: 1_000, .. }, ..] = out.as_slice() else {
        panic!("{out:?}")
    };
    assert_eq!((gap.id.kind, gap.id.from, gap.to), (GapKind::History, 400, 1_000));
}

#[test]
fn a_stream_that_begins_late_takes_nothing_since_the_first_event_as_baseline() {
    let mut rig = Rig::begin(true);
    rig.frame(true, &[row(1, 1_000, 0, 5)]);
    // Killed before the slices' snapshot came; a fill and a slice happen meanwhile.
    rig.restart(true);
    let waits = rig.frame_of(Stream::Twap, true, &[row(9, 900, -1, 0), row(3, 60_020, 7, 9)]);
    assert!(events(&waits).is_empty(), "the fills of the meantime are not known yet");
    let mut out = rig.frame(true, &[row(1, 1_000, 0, 5), row(2, 60_010, 5, 7)]);
    out.extend(rig.wait(5_000));
    let signals: Vec<_> = events(&out)
        .iter()
        .filter(|event| event.seq.is_some())
        .map(|event| (event.time, event.gap.is_some()))
        .collect();
    assert_eq!(signals, [(60_010, false), (60_020, false)]);
}

#[test]
fn what_a_stream_switched_off_did_is_said_by_a_gap() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 200_000, 5, 7)]);
    rig.restart(true);
    rig.frame(true, &[row(1, 1_000, 0, 5), row(2, 200_000, 5, 7)]);
    // The slice was executed while nobody wanted slices.
    let out = rig.frame_of(Stream::Twap, true, &[row(3, 260_000, 7, 9)]);
    assert!(events(&out).iter().all(|event| event.fate == Fate::Baseline));
    let out = rig.frame(false, &[row(4, 270_000, 9, 10)]);
    let gap =
        out.iter().find_map(|record| if let Record::Gap(gap) = record { Some(gap.clone()) } else { None });
    let gap = gap.expect("a gap");
    assert_eq!((gap.id.kind, gap.id.from, gap.to), (GapKind::Chain, 200_000, 270_000));
    assert_eq!(events(&out).first().expect("an event").gap, Some(gap.id));
}

#[test]
fn keys_that_are_known_by_rule_stay_known_when_a_stream_is_switched_on() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 2_000, 5, 7), row(3, 900_000, 7, 9)]);
    let certified = Record::<u32>::Certified { stream: Stream::Fills, to: 800_000, anchor: None };
    let mut ledger = rig.machine.ledger().clone();
    ledger.apply(&certified);
    assert!(ledger.keys().get(row(2, 2_000, 5, 7).key).is_none(), "older than the floor, no longer kept");
    let settings = Settings { twap: true, ..Settings::default() };
    rig.machine = Machine::new(settings, ledger, Cause::Start, 2, rig.now);
    rig.machine.handle_listener_up(0, rig.now);
    let mut out = rig.frame(true, &[row(2, 2_000, 5, 7), row(3, 900_000, 7, 9)]);
    out.extend(rig.wait(10_000));
    assert!(events(&out).is_empty(), "published already: {out:?}");
}

#[test]
fn what_a_stream_switched_on_cannot_take_of_its_start_is_declared() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 900_000, 5, 7)]);
    let mut ledger = rig.machine.ledger().clone();
    ledger.apply(&Record::<u32>::Certified { stream: Stream::Fills, to: 800_000, anchor: None });
    let settings = Settings { twap: true, start: Some(1_500), ..Settings::default() };
    rig.machine = Machine::new(settings, ledger, Cause::Start, 2, rig.now);
    rig.machine.handle_listener_up(0, rig.now);
    let question = rig.asked(0).expect("slices are read from the start");
    // The certificate of the fills is past the first one: whether it was published nobody can tell any more.
    rig.page(question, &[row(3, 400_000, 7, 8), row(4, 850_000, 8, 9)]);
    let said = rig.records();
    let gap = said.iter().find_map(|record| if let Record::Gap(gap) = record { Some(gap) } else { None });
    let gap = gap.expect("a gap");
    assert_eq!((gap.id.kind, gap.id.from, gap.to), (GapKind::History, 1_499, 400_000));
}

#[test]
fn a_read_ends_where_it_has_caught_up_with_what_comes_live() {
    let mut rig = Rig::new();
    let old = [row(1, 1_000, 0, 5), row(2, 1_010, 5, 7), row(3, 1_020, 7, 6)];
    let first = rig.asked(120_000).expect("the first sweep");
    rig.page(first, &old);
    let second = rig.asked(0).expect("a full page is followed by another");
    // Newer than anything known when the read began, and shorter than the first page: the rest comes live.
    rig.page(second, &[row(3, 1_020, 7, 6), row(4, 1_030, 6, 5)]);
    let proof = rig.asked(0);
    assert_eq!(proof, None, "the read chases a live tail");
}

#[test]
fn a_stream_that_is_read_again_and_again_rests_longer_each_time() {
    let mut rig = Rig::new();
    let mut began = Vec::new();
    for _ in 0..6 {
        // A connection that comes back wants a read each time.
        let snapshot = [row(1, 1_000, 0, 5)];
        let taken = rig.machine.handle_frame(0, Stream::Fills, true, &snapshot, |at| at as u32, rig.now);
        assert_eq!(taken, Intake::Taken);
        let id = rig.asked(60_000).expect("a question");
        began.push(rig.now);
        rig.page(id, &[row(1, 1_000, 0, 5)]);
        let id = rig.asked(0).expect("the page that ends the read");
        rig.page(id, &[row(1, 1_000, 0, 5)]);
    }
    let pauses: Vec<_> = began.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert_eq!(pauses, [1_500, 3_000, 6_000, 12_000, 12_000]);
}

#[test]
fn what_moved_between_removal_and_adding_is_said() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 200_000, 5, 7)]);
    rig.machine.handle_removed(210_000, rig.now);
    rig.records();
    let ledger = rig.machine.ledger().clone();
    let settings = Settings { twap: false, ..Settings::default() };
    rig.machine = Machine::new(settings, ledger, Cause::Added, 2, rig.now);
    rig.machine.handle_listener_up(0, rig.now);
    rig.records();
    let out = rig.frame(true, &[row(2, 200_000, 5, 7), row(3, 260_000, 7, 9)]);
    let declared = out.iter().find_map(|record| match record {
        Record::Gap(gap) if gap.id.kind == GapKind::History => Some((gap.id.from, gap.to)),
        _ => None,
    });
    assert_eq!(declared, Some((210_000, 260_000)), "nobody listened then");
    let out = rig.frame(false, &[row(4, 270_000, 9, 10)]);
    let gap = events(&out).first().expect("an event").gap.clone().expect("the signals do not link");
    assert_eq!((gap.kind, gap.from), (GapKind::Chain, 200_000));
}

/// A start is no way to be told again what was told before the removal.
#[test]
fn a_start_before_it_was_last_followed_is_where_that_ended() {
    let mut rig = Rig::new();
    rig.frame(false, &[row(2, 200_000, 5, 7)]);
    rig.machine.handle_removed(210_000, rig.now);
    rig.records();
    let removed = rig.machine.ledger().clone();
    let mut begin = |start: i64| {
        let settings = Settings { twap: false, start: Some(start), ..Settings::default() };
        rig.machine = Machine::new(settings, removed.clone(), Cause::Added, 2, rig.now);
        rig.machine.handle_listener_up(0, rig.now);
        let baseline = rig.machine.ledger().stream(Stream::Fills).baseline;
        let asked = std::iter::from_fn(|| rig.machine.poll_output()).find_map(|output| match output {
            Output::Ask { start, .. } => Some(start),
            Output::Record(_) | Output::Recycle { .. } => None,
        });
        let gaps = rig.machine.ledger().gaps().iter().filter(|gap| gap.id.kind == GapKind::History);
        (baseline, asked, gaps.map(|gap| (gap.id.from, gap.to)).max())
    };
    // Everything since the removal is read, so nothing more of it is declared.
    let removal = Some((1_000, 210_000));
    assert_eq!(begin(500), (Some(210_000), Some(210_000), removal));
    let left_out = Some((210_000, 229_999));
    assert_eq!(begin(230_000), (Some(229_999), Some(229_999), left_out), "what is left out is declared");

    // Nothing was told since it was added: another start may reach back to the removal all the same.
    let settings = Settings { twap: false, start: Some(500), ..Settings::default() };
    let ledger = rig.machine.ledger().clone();
    let again = Machine::<u32>::new(settings, ledger, Cause::Added, 3, rig.now);
    assert_eq!(again.ledger().stream(Stream::Fills).baseline, Some(210_000));
}

#[test]
fn a_question_that_fails_waits_as_it_is_told_to() {
    let mut rig = Rig::new();
    let pauses = |rig: &mut Rig| {
        let mut pauses = Vec::new();
        for _ in 0..5 {
            let id = rig.asked(120_000).expect("a question");
            let failed = rig.now;
            rig.machine.handle_page_failed(id, rig.now);
            let id = rig.asked(120_000).expect("it is asked again");
            pauses.push((rig.now - failed).as_secs());
            rig.machine.handle_page_failed(id, rig.now);
        }
        pauses
    };
    assert_eq!(pauses(&mut rig), [2, 8, 30, 30, 30]);
    rig.machine.set_retry(Retry { first: Duration::from_secs(5), most: Duration::from_secs(7) });
    assert_eq!(pauses(&mut rig), [7; 5]);
    let id = rig.asked(120_000).expect("a question");
    rig.page(id, &[row(1, 1_000, 0, 5)]);
    let id = rig.asked(120_000).expect("the page that ends the read");
    let failed = rig.now;
    rig.machine.handle_page_failed(id, rig.now);
    rig.asked(120_000).expect("it is asked again");
    assert_eq!((rig.now - failed).as_secs(), 5, "an answer makes it begin anew");
}

#[test]
fn what_nobody_could_hear_is_told_by_neither_death_nor_removal_only_once() {
    let now = Instant::now();
    let settings = Settings { twap: false, ..Settings::default() };
    let begin = |ledger: Ledger, cause, epoch| Rig {
        machine: Machine::new(settings.clone(), ledger, cause, epoch, now),
        now,
    };
    let spans = |rig: &Rig| -> Vec<(GapKind, i64, i64)> {
        let gaps = rig.machine.ledger().gaps();
        gaps.iter().map(|gap| (gap.id.kind, gap.id.from, gap.to)).collect()
    };
    let unheard = || {
        let mut rig = begin(Ledger::new(&settings), Cause::Start, 1);
        rig.machine.handle_no_state(400);
        assert!(!rig.machine.handle_unheard(400) && rig.machine.handle_unheard(500));
        rig
    };

    // Killed, and there is room the next time.
    let mut rig = begin(unheard().machine.ledger().clone(), Cause::Start, 2);
    rig.machine.handle_listener_up(0, now);
    rig.frame(true, &[row(1, 1_000, 0, 5)]);
    assert_eq!(spans(&rig), [(GapKind::History, 400, 500), (GapKind::History, 500, 1_000)]);

    // Removed, and added again.
    let mut rig = unheard();
    rig.machine.handle_removed(700, now);
    assert_eq!(spans(&rig), [(GapKind::History, 400, 700)]);
    let mut rig = begin(rig.machine.ledger().clone(), Cause::Added, 2);
    rig.machine.handle_listener_up(0, now);
    rig.frame(true, &[row(1, 1_000, 0, 5)]);
    assert_eq!(spans(&rig), [(GapKind::History, 400, 700), (GapKind::History, 700, 1_000)]);
}
