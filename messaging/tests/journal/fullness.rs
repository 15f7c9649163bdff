//! Full means only that a cursor is behind: whatever the settings and the size of the state, a journal whose records are
//! delivered takes the next one, and stays inside its share of the disk wherever that is large enough.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use messaging::journal::{BatchBuilder, Class, Fold, From, Journal, JournalConfig, Opened, Record, Refused};
use messaging::storage::FaultyStorage;

use crate::{LONG, record};

/// A state of so many bytes.
struct Bulk(usize);

impl Fold for Bulk {
    fn apply(&mut self, _: &Record<'_>) {}

    fn save(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        out.write_all(&vec![7; self.0])
    }
}

fn open(segment_bytes: u64, max_bytes: u64, state: usize) -> Opened<Bulk> {
    let config = JournalConfig { segment_bytes, max_bytes, ..JournalConfig::default() };
    let disk = Arc::new(FaultyStorage::new(1));
    Journal::open(config, disk, 1, |_| Ok::<_, Infallible>(Bulk(state))).unwrap()
}

/// Appends `count` records of `bytes`, each delivered when it is durable; the most bytes on the disk, and whether an alarm rang.
fn flow(journal: &Journal, count: usize, bytes: usize) -> (u64, bool) {
    flow_of(journal, std::iter::repeat_n(bytes, count))
}

/// The same of records of these sizes.
fn flow_of(journal: &Journal, sizes: impl Iterator<Item = usize>) -> (u64, bool) {
    let moves = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&moves);
    let progress = journal.progress();
    progress.on_move(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let mut cursor = journal.register_cursor("sink", From::Oldest).unwrap();
    journal.allow_deletion();
    let (mut batch, mut most, mut alarm) = (BatchBuilder::new(), 0, false);
    for (number, bytes) in (0..).zip(sizes) {
        batch.push(&record(number, &vec![1; bytes])).unwrap();
        let mut refused = 0;
        let ticket = loop {
            let before = moves.load(Ordering::SeqCst);
            match journal.appender().try_append(&mut batch, Class::Event) {
                Ok(ticket) => break ticket,
                Err(Refused::DiskFull) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            // Everything is durable and delivered, and the writer has looked what it can delete, again and again.
            assert!(
                refused < 100,
                "record {number} of {bytes} bytes: full for good, and no cursor is behind"
            );
            while moves.load(Ordering::SeqCst) == before {
                std::thread::yield_now();
            }
        };
        progress.wait_synced(ticket, LONG);
        cursor.store(progress.synced()).unwrap();
        most = most.max(progress.counters().disk_bytes);
        alarm |= progress.alarms().nearly_full;
    }
    (most, alarm)
}

#[test]
fn a_share_that_is_large_enough_is_kept_to() {
    // The state is small, or so large that four times as much of records would be much of the share, or all of it.
    for (segment, max, state, bytes) in [
        (4_000, 40_000, 16, 500),
        (100_000, 600_000, 59_000, 1_500),
        (65_536, 600_000, 90_000, 3_000),
        (65_536, 600_000, 150_000, 3_000),
        (65_536, 262_144, 16, 20_000),
    ] {
        let Opened { journal, .. } = open(segment, max, state);
        let (most, alarm) = flow(&journal, 400, bytes);
        let deleted = journal.progress().counters().segments_deleted;
        assert!(most <= max && deleted > 0, "{most} of {max} bytes, {deleted} deleted");
        assert_eq!(journal.progress().alarms().too_small, None);
        assert!(!alarm, "a journal that deletes what is delivered is not nearly full: {max}");
    }
}

#[test]
fn a_share_that_is_too_small_is_exceeded_and_never_stops_the_flow() {
    // Records of half the share or more than all of it; states of a third of the share, of half, of more than all.
    for (segment, max, state, bytes) in [
        (65_536, 262_144, 16, 140_000),
        (65_536, 262_144, 16, 1_000_000),
        (65_536, 600_000, 200_000, 3_000),
        (65_536, 600_000, 310_000, 3_000),
        (65_536, 600_000, 2_000_000, 3_000),
    ] {
        let Opened { journal, .. } = open(segment, max, state);
        let (most, _) = flow(&journal, 60, bytes);
        // Two segments, the next one's state, and a record: nothing piles up.
        let records = segment.max(state as u64).max(bytes as u64);
        let bound = max.max(3 * state as u64 + 3 * records + 10_000);
        assert!(most <= bound, "{most} bytes, {bound} were to be expected ({max}, {state}, {bytes})");
        let enough = (state as u64 > max / 15 * 4).then_some(15 * state as u64);
        assert_eq!(journal.progress().alarms().too_small, enough, "{max}, {state}");
    }
}

/// Room for one more segment is none for a batch that is larger.
#[test]
fn a_batch_that_is_larger_than_a_segment_gets_the_room_it_wants() {
    let Opened { journal, .. } = open(65_536, 600_000, 16);
    let sizes = [3_000; 150].into_iter().chain([400_000, 3_000, 3_000, 500_000, 3_000]);
    let (most, _) = flow_of(&journal, sizes);
    assert!(most <= 600_000 + 65_536, "{most}");
}

#[test]
fn a_share_of_the_size_that_was_said_to_be_enough_is_enough() {
    let Opened { journal, .. } = open(65_536, 15 * 200_000, 200_000);
    let (most, alarm) = flow(&journal, 800, 9_000);
    assert!(most <= 15 * 200_000 && !alarm, "{most}");
    assert_eq!(journal.progress().alarms().too_small, None);
}
