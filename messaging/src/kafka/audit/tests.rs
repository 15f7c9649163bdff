//! Acknowledgements, and what a partition holds of them, without a broker.

use std::time::{Duration, Instant};

use super::AuditPace;
use super::status::{AuditStatus, Differs};
use super::trail::{Acknowledged, LOOKS, Trail, hash_of, rolled};
use super::verify::Verify;
use crate::storage::Seed;

const TOPIC: &str = "numbers";

fn pace(records: u64) -> AuditPace {
    AuditPace { checkpoint_records: records, checkpoints_max: 4, ..AuditPace::default() }
}

fn record(offset: i64) -> Acknowledged {
    Acknowledged { partition: 3, offset, hash: hash_of(Some(&offset.to_le_bytes())), bytes: 100 }
}

fn acknowledge(trail: &mut Trail, offsets: impl IntoIterator<Item = i64>, now: Instant) {
    offsets.into_iter().for_each(|offset| trail.acknowledged(record(offset), now));
}

/// Reads back everything that waits from a partition that begins at `low` and holds `log`; what is told of it.
fn audit(trail: &mut Trail, now: Instant, low: i64, log: &[(i64, u64)]) -> Vec<(i64, i64, u64, Differs)> {
    let high = log.last().map_or(low, |record| record.0 + 1);
    let mut left = u64::MAX;
    for (partition, mut part) in trail.parts(now, &mut left, true) {
        if part.newest < high {
            part.is_whole = true;
            let mut verify = Verify::new(part, low, trail.may_compact);
            let from = verify.wants();
            log.iter()
                .filter(|record| from.is_some_and(|from| record.0 >= from))
                .for_each(|record| verify.take(record.0, record.1));
            verify.ended();
            part = verify.done();
        } else {
            part.ends = Some(high);
        }
        trail.give_back(partition, part);
    }
    let told = trail.settle("signals", TOPIC, None);
    told.into_iter().map(|told| (told.offsets.0, told.offsets.1, told.records, told.differs)).collect()
}

fn log(offsets: impl IntoIterator<Item = i64>) -> Vec<(i64, u64)> {
    offsets.into_iter().map(|offset| (offset, record(offset).hash)).collect()
}

/// The clock of these tests stands, and a checkpoint that is not full waits for it.
fn start() -> (Instant, Instant) {
    #[expect(clippy::disallowed_methods, reason = "an instant to begin with")]
    let now = Instant::now();
    (now, now + Duration::from_secs(60))
}

#[test]
fn the_hash_tells_contents_places_and_order_apart() {
    let (a, b) = (hash_of(Some(b"a")), hash_of(Some(b"b")));
    let none = hash_of(None);
    assert!(none != hash_of(Some(b"")) && a != b);
    let of = |records: &[(i64, u64)]| records.iter().fold(0, |hash, record| rolled(hash, record.0, record.1));
    let all = [
        of(&[(1, a), (2, b)]),
        of(&[(2, b), (1, a)]),
        of(&[(1, b), (2, a)]),
        of(&[(1, a), (3, b)]),
        of(&[(1, a)]),
    ];
    for (at, hash) in all.iter().enumerate() {
        assert!(all.iter().skip(at + 1).all(|other| other != hash));
    }
}

/// Of any acknowledged records, holes and strangers between them, exactly what is missing or changed is told.
#[test]
fn exactly_what_is_missing_or_changed_is_told() {
    let (now, later) = start();
    for seed in 0..2_000 {
        let mut seed = Seed(seed);
        let size = 1 + seed.below(9);
        let mut trail = Trail::new(pace(size), false);
        let (mut ours, mut there, mut lost, mut foreign) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let (hurts, changes) = (seed.chance(500), seed.chance(300));
        for offset in 0..i64::try_from(4 * size).unwrap() {
            if seed.chance(200) {
                there.push((offset, 7));
                continue;
            }
            ours.push(offset);
            match seed.below(10) {
                0 if hurts => lost.push(offset),
                _ => there.push((offset, record(offset).hash)),
            }
        }
        // The end is there: a part of the topic that is gone to its end is another matter.
        if let Some(last) = ours.last().copied() {
            lost.retain(|offset| *offset != last);
            there.retain(|record| record.0 < last);
            there.push((last, record(last).hash));
            foreign = there.iter().filter(|record| record.1 == 7 && ours[0] < record.0).count();
        }
        let changed = there.iter().position(|record| record.1 != 7 && changes && lost.is_empty());
        if let Some(at) = changed {
            there[at].1 ^= 1;
        }
        acknowledge(&mut trail, ours.iter().copied(), now);
        let told = audit(&mut trail, later, 0, &there);
        let status = trail.status();
        assert_eq!(status.foreign, foreign as u64, "{seed:?}");
        let missing: Vec<i64> =
            told.iter().filter(|told| told.3 == Differs::Missing).flat_map(|told| told.0..=told.1).collect();
        assert_eq!(missing, lost, "{seed:?}: {told:?}");
        let is_told = told.iter().any(|told| {
            told.3 == Differs::Changed && changed.is_some_and(|at| (told.0..=told.1).contains(&there[at].0))
        });
        assert_eq!(
            (is_told, told.len() > missing.len()),
            (changed.is_some(), changed.is_some()),
            "{seed:?}: {told:?}"
        );
        let AuditStatus { audited, lag, skipped, not_auditable, differing, .. } = status;
        assert_eq!(
            (lag, skipped, audited + not_auditable + differing),
            (0, 0, ours.len() as u64),
            "{seed:?}"
        );
    }
}

#[test]
fn memory_is_bounded_however_far_behind_it_is_and_what_is_skipped_is_counted() {
    let (now, later) = start();
    let mut trail = Trail::new(pace(10), false);
    acknowledge(&mut trail, 0..1_005, now);
    let status = trail.status();
    assert_eq!((status.lag, status.skipped), (45, 960), "four checkpoints wait, and what is open");
    assert_eq!(audit(&mut trail, later, 0, &log(0..1_005)), []);
    assert_eq!(trail.status(), AuditStatus { audited: 40, skipped: 965, ..AuditStatus::default() });
    // Where strangers write between all of ours, a checkpoint is closed by its many runs.
    let mut trail = Trail::new(pace(u64::MAX), false);
    acknowledge(&mut trail, (0..20_000).step_by(2), now);
    let mut left = u64::MAX;
    let parts = trail.parts(later, &mut left, false);
    let runs: Vec<usize> =
        parts.values().flat_map(|part| &part.checkpoints).map(|of| of.runs.len()).collect();
    assert_eq!(runs, [256; 4]);
}

#[test]
fn what_was_deleted_at_the_beginning_is_no_alarm() {
    let (now, later) = start();
    let mut trail = Trail::new(pace(10), false);
    acknowledge(&mut trail, 0..30, now);
    assert_eq!(audit(&mut trail, later, 15, &log(15..30)), []);
    assert_eq!(trail.status(), AuditStatus { audited: 10, not_auditable: 20, ..AuditStatus::default() });
}

#[test]
fn an_end_that_went_back_is_told_when_it_is_so_ten_times() {
    let (now, later) = start();
    let mut trail = Trail::new(pace(10), false);
    acknowledge(&mut trail, 0..30, now);
    assert_eq!(audit(&mut trail, later, 0, &log(0..30)), []);
    // A new leader knows the end a little later.
    for _ in 1..LOOKS {
        assert_eq!(audit(&mut trail, later, 0, &log(0..25)), []);
    }
    assert_eq!(audit(&mut trail, later, 0, &log(0..30)), []);
    let told: Vec<_> = (0..2 * LOOKS).flat_map(|_| audit(&mut trail, later, 0, &log(0..25))).collect();
    assert_eq!(told, [(25, 29, 5, Differs::EndWentBack)]);
    // What comes now is compared with what is there now.
    acknowledge(&mut trail, 25..35, now);
    assert_eq!(audit(&mut trail, later, 0, &log(0..35)), []);
    assert_eq!((trail.status().audited, trail.status().differing), (40, 5));
}

#[test]
fn an_acknowledgement_where_one_was_before_says_that_it_is_gone() {
    let (now, later) = start();
    let mut trail = Trail::new(pace(10), false);
    acknowledge(&mut trail, (0..10).chain(12..25), now);
    // The first answer to these two was lost, and they were there already.
    acknowledge(&mut trail, 10..12, now);
    assert_eq!(trail.status().skipped, 2);
    acknowledge(&mut trail, 5..8, now);
    let told = audit(&mut trail, later, 0, &log(0..8));
    assert_eq!(told, [(5, 24, 18, Differs::EndWentBack)]);
    // The first five were in one checkpoint with some that are gone.
    assert_eq!(
        trail.status(),
        AuditStatus {
            audited: 3,
            skipped: 7,
            differing: 18,
            difference: trail.status().difference,
            ..AuditStatus::default()
        }
    );
    let said = "topic numbers, partition 3, offsets 5 to 24: 18 acknowledged records are gone, the partition's end went back";
    assert_eq!(trail.status().difference.as_deref(), Some(said));
}

#[test]
fn a_compacted_topic_may_forget() {
    let (now, later) = start();
    let mut trail = Trail::new(pace(10), true);
    acknowledge(&mut trail, 0..20, now);
    assert_eq!(audit(&mut trail, later, 0, &log([0, 3].into_iter().chain(10..20))), []);
    assert_eq!(trail.status(), AuditStatus { audited: 10, not_auditable: 10, ..AuditStatus::default() });
}

#[test]
fn an_acknowledgement_without_an_offset_cannot_be_read_back() {
    let (now, _) = start();
    let mut trail = Trail::new(pace(10), true);
    acknowledge(&mut trail, [-1001], now);
    assert_eq!(trail.status(), AuditStatus { skipped: 1, ..AuditStatus::default() });
}
