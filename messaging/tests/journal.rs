//! The journal as its owner sees it: on a real disk, with its thread, and on a disk that fails.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use messaging::journal::{
    BatchBuilder, BatchError, Class, Fold, From, Fsync, Journal, JournalConfig, Limit, MAX_BODY_BYTES,
    NO_TIME, NewRecord, OpenError, Opened, Origin, Query, Read, Reader, Record, Refused, Ticket, Waited,
    fuzz_open,
};
use messaging::storage::{DiskStorage, FaultyStorage, IoFault, Seed, Storage};

const LONG: Duration = Duration::from_secs(60);

/// The sum of all first bytes, and how many.
#[derive(Debug, Default, Eq, PartialEq)]
struct Sum {
    records: u64,
    sum: u64,
}

impl Fold for Sum {
    fn apply(&mut self, record: &Record<'_>) {
        assert_ne!(record.body, b"panic", "asked for by the test");
        self.records += 1;
        self.sum += u64::from(record.body.first().copied().unwrap_or(0));
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.records.to_le_bytes());
        out.extend_from_slice(&self.sum.to_le_bytes());
    }
}

fn restore(saved: Option<&[u8]>) -> Result<Sum, String> {
    let Some(saved) = saved else { return Ok(Sum::default()) };
    let words: [u8; 16] = saved.try_into().map_err(|_| format!("{} bytes", saved.len()))?;
    let word = |at: usize| u64::from_le_bytes(words[at..at + 8].try_into().unwrap());
    Ok(Sum { records: word(0), sum: word(8) })
}

fn open(storage: Arc<dyn Storage>, config: &JournalConfig, now_ns: u64) -> Opened<Sum> {
    Journal::open(config.clone(), storage, now_ns, restore).unwrap()
}

fn small() -> JournalConfig {
    JournalConfig { segment_bytes: 4_000, max_bytes: 40_000, ..JournalConfig::default() }
}

fn record(number: u64, body: &[u8]) -> NewRecord<'_> {
    NewRecord { kind: (number % 3) as u8, partition: 1, key: number % 10, time: number as i64, body }
}

fn append(journal: &Journal, number: u64, body: &[u8]) -> Ticket {
    let mut batch = BatchBuilder::new();
    batch.push(&record(number, body)).unwrap();
    loop {
        match journal.appender().try_append(&mut batch, Class::Event) {
            Ok(ticket) => return ticket,
            Err(Refused::QueueFull) => {
                journal.progress().wait_synced_past(journal.progress().synced(), LONG);
            }
            Err(refused) => panic!("{refused}"),
        }
    }
}

fn append_durably(journal: &Journal, number: u64, body: &[u8]) {
    let ticket = append(journal, number, body);
    assert_eq!(journal.progress().wait_synced(ticket, LONG), Waited::Reached);
}

/// Waits for the journal to notice that its disk fails, by its own wake.
fn wait_until_failing(journal: &Journal) {
    let progress = journal.progress();
    let (moved, moves) = std::sync::mpsc::sync_channel(1);
    progress.on_move(move || {
        // Full is fine: a wake is waiting already.
        let _ = moved.try_send(());
    });
    while progress.alarms().failing.is_none() {
        moves.recv_timeout(LONG).unwrap();
    }
}

fn times(reader: &mut Reader) -> Vec<i64> {
    let mut seen = Vec::new();
    while let Some(read) = reader.next().unwrap() {
        match read {
            Read::Record(record) => seen.push(record.time),
            Read::Gone { from: 0, .. } => {}
            other @ (Read::Damage(_) | Read::Gone { .. }) => panic!("{other:?}"),
        }
    }
    seen
}

#[test]
fn what_was_closed_is_there_again_with_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path().join("journal")));
    let first = open(Arc::clone(&disk), &small(), 1_000);
    assert!(first.report.new);
    let id = first.journal.id();
    for number in 0..200 {
        append_durably(&first.journal, number, &[number as u8; 100]);
    }
    first.journal.close(LONG).unwrap();

    let again = open(Arc::clone(&disk), &small(), 5_000);
    assert_eq!((again.state.records, again.journal.id()), (200, id));
    assert_eq!(again.state.sum, (0..200).sum::<u64>());
    assert!(again.report.segments > 3 && again.report.segments_read <= 2, "{:?}", again.report);
    assert_eq!(again.report.torn_tail, None);
    assert_eq!(times(&mut again.journal.reader(0, Limit::Synced)), (0..200).collect::<Vec<_>>());
    append_durably(&again.journal, 200, b"x");
    let mut last = again.journal.reader(again.report.end, Limit::Synced);
    let Some(Read::Record(record)) = last.next().unwrap() else { panic!("one record is there") };
    assert_eq!(record.position, 5_000, "a run begins at the clock");
}

#[test]
fn another_process_reads_along_and_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let disk = || Arc::new(DiskStorage::new(dir.path()));
    let opened = open(disk(), &small(), 1);
    let refused = Journal::open(small(), disk(), 1, restore).unwrap_err();
    assert!(matches!(refused, OpenError::InUse), "{refused}");
    let mut outside = Reader::open(disk(), 0).unwrap();
    let mut inside = opened.journal.reader(0, Limit::Appended);
    let (mut seen_outside, mut seen_inside) = (Vec::new(), Vec::new());
    for number in 0..300 {
        append_durably(&opened.journal, number, &[1; 50]);
        if number % 7 == 0 {
            seen_outside.extend(times(&mut outside));
            seen_inside.extend(times(&mut inside));
            assert_eq!(seen_inside.len() as u64, number + 1);
            assert_eq!(seen_outside, seen_inside);
        }
    }
}

#[test]
fn records_are_found_without_reading_everything() {
    let disk = Arc::new(FaultyStorage::new(1));
    let config = JournalConfig { segment_bytes: 1 << 20, max_bytes: 1 << 30, ..JournalConfig::default() };
    let opened = open(disk, &config, 1);
    let mut batch = BatchBuilder::new();
    let mut ticket = Ticket(0);
    for number in 0..20_000u64 {
        let time = if number % 100 == 99 { NO_TIME } else { number as i64 };
        batch.push(&NewRecord { kind: 1, partition: 0, key: number / 500, time, body: &[7; 300] }).unwrap();
        if batch.len() == 50 {
            ticket = opened.journal.appender().try_append(&mut batch, Class::Event).unwrap();
        }
        if number % 1_000 == 999 {
            opened.journal.progress().wait_synced(ticket, LONG);
        }
    }
    let progress = opened.journal.progress();
    assert_eq!(progress.wait_synced(ticket, LONG), Waited::Reached);
    assert!(progress.counters().segments >= 5);
    let mut all = opened.journal.reader(0, Limit::Synced);
    let expected: Vec<i64> =
        times(&mut all).into_iter().filter(|time| (3_500..4_000).contains(time)).collect();
    let mut some = opened.journal.reader(0, Limit::Synced).select(Query {
        keys: vec![7],
        times: Some(0..=10_000),
        ..Query::default()
    });
    assert_eq!(times(&mut some), expected);
    assert_eq!(expected.len(), 495);
    assert!(some.bytes_read() * 2 < all.bytes_read(), "{} of {}", some.bytes_read(), all.bytes_read());
}

#[test]
fn a_cursor_holds_its_segments_and_the_reserve_lets_it_move() {
    let disk = Arc::new(FaultyStorage::new(1));
    let opened = open(disk, &small(), 1);
    let journal = &opened.journal;
    let mut cursor = journal.register_cursor("slow", From::Oldest).unwrap();
    assert_eq!(cursor.origin(), Origin::New);
    journal.allow_deletion();
    let mut batch = BatchBuilder::new();
    let mut taken = 0;
    loop {
        batch.push(&record(taken, &[1; 500])).unwrap();
        match journal.appender().try_append(&mut batch, Class::Event) {
            Ok(ticket) => journal.progress().wait_synced(ticket, LONG),
            Err(refused) => break assert_eq!(refused, Refused::DiskFull),
        };
        taken += 1;
    }
    assert!(taken > 50, "{taken}");
    assert!(journal.progress().alarms().nearly_full);
    let mut reserve = 0;
    for class in [Class::Control, Class::Unblock] {
        while let Ok(ticket) = journal.appender().try_append(&mut batch, class) {
            journal.progress().wait_synced(ticket, LONG);
            reserve += 1;
            batch.push(&record(taken, &[1; 500])).unwrap();
        }
        assert!(reserve > 0);
    }
    let moved = cursor.store(journal.progress().synced()).unwrap();
    assert_eq!(moved, journal.progress().synced());
    while let Err(refused) = journal.appender().try_append(&mut batch, Class::Event) {
        assert_eq!(refused, Refused::DiskFull, "until the writer has tidied up");
        std::thread::yield_now();
    }
    assert!(journal.progress().counters().segments_deleted > 0);
    let mut reader = journal.reader(1, Limit::Synced);
    assert!(matches!(reader.next().unwrap(), Some(Read::Gone { from: 1, .. })));
}

#[test]
fn cursors_survive_and_are_clamped_damaged_or_foreign_by_name() {
    let disk = Arc::new(FaultyStorage::new(1));
    let opened = open(disk.clone(), &small(), 100);
    append_durably(&opened.journal, 0, b"a");
    let mut cursor = opened.journal.register_cursor("a", From::End).unwrap();
    assert_eq!(cursor.position(), 101);
    append_durably(&opened.journal, 1, b"b");
    assert_eq!(cursor.store(u64::MAX).unwrap(), 102, "never past what is durable");
    assert!(opened.journal.register_cursor("a", From::End).is_err());
    assert!(opened.journal.register_cursor("../a", From::End).is_err());
    drop((cursor, opened));
    disk.power_loss();

    let opened = open(disk.clone(), &small(), 200);
    let cursor = opened.journal.register_cursor("a", From::Oldest).unwrap();
    assert_eq!((cursor.position(), cursor.origin()), (102, Origin::Resumed));
    drop((cursor, opened));
    assert!(disk.flip("cursors/a.cursor", 20, 3) && disk.flip("cursors/a.cursor", 4_096 + 20, 3));
    let opened = open(disk, &small(), 300);
    let cursor = opened.journal.register_cursor("a", From::End).unwrap();
    assert_eq!(
        (cursor.position(), cursor.origin()),
        (100, Origin::Damaged),
        "from the oldest, not from the end"
    );
}

#[test]
fn a_failing_disk_delays_and_loses_nothing() {
    let disk = Arc::new(FaultyStorage::new(9));
    let config = JournalConfig { queue_bytes: 2_000, fsync: Fsync::Always, ..small() };
    let opened = open(disk.clone(), &config, 1);
    let journal = &opened.journal;
    append_durably(journal, 0, &[1; 100]);
    disk.fail_syncs(u32::MAX, IoFault::Device);
    let mut batch = BatchBuilder::new();
    let mut taken = 1;
    let last = loop {
        batch.push(&record(taken, &[1; 100])).unwrap();
        match journal.appender().try_append(&mut batch, Class::Event) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(last, Refused::QueueFull);
    assert_eq!(batch.len(), 1, "what was refused is still the caller's");
    wait_until_failing(journal);
    assert_eq!(times(&mut journal.reader(0, Limit::Appended)), [0], "only what is sure, while it fails");
    disk.heal();
    let synced = journal.progress().wait_synced(Ticket(taken), LONG);
    assert_eq!(synced, Waited::Reached);
    assert_eq!(journal.progress().alarms().failing, None);
    assert_eq!(times(&mut journal.reader(0, Limit::Synced)), (0..taken as i64).collect::<Vec<_>>());
    drop(opened);
    disk.power_loss();
    assert_eq!(open(disk, &config, 1).state.records, taken);
}

#[test]
fn a_close_on_a_dead_disk_says_what_is_not_durable() {
    let disk = Arc::new(FaultyStorage::new(9));
    let opened = open(disk.clone(), &small(), 1);
    append_durably(&opened.journal, 0, b"a");
    disk.fail_syncs(u32::MAX, IoFault::Device);
    append(&opened.journal, 1, b"b");
    append(&opened.journal, 2, b"c");
    wait_until_failing(&opened.journal);
    let appender = opened.journal.appender();
    let lost = opened.journal.close(Duration::from_millis(50)).unwrap_err();
    assert_eq!((lost.batches, lost.synced), (2, Ticket(1)));
    assert!(lost.last_error.contains("fsync") || lost.last_error.contains("segment"), "{lost}");
    let mut batch = BatchBuilder::new();
    batch.push(&record(3, b"d")).unwrap();
    assert_eq!(appender.try_append(&mut batch, Class::Event), Err(Refused::Closed));
}

#[test]
fn a_panic_in_the_owners_fold_ends_the_journal_loudly() {
    let opened = open(Arc::new(FaultyStorage::new(1)), &small(), 1);
    let ticket = append(&opened.journal, 0, b"panic");
    assert_eq!(opened.journal.progress().wait_synced(ticket, LONG), Waited::Ended);
    let mut batch = BatchBuilder::new();
    batch.push(&record(3, b"d")).unwrap();
    assert_eq!(opened.journal.appender().try_append(&mut batch, Class::Event), Err(Refused::Closed));
}

#[test]
fn a_record_no_batch_takes_is_refused_at_the_door() {
    let mut batch = BatchBuilder::new();
    let huge = vec![0; MAX_BODY_BYTES + 1];
    assert_eq!(batch.push(&record(0, &huge)), Err(BatchError::TooLarge { bytes: MAX_BODY_BYTES + 1 }));
    batch.push(&record(0, &huge[1..])).unwrap();
    assert!(
        matches!(batch.push(&record(1, b"")), Err(BatchError::Full { records: 1, .. })),
        "a large one travels alone"
    );
    let opened = open(Arc::new(FaultyStorage::new(1)), &JournalConfig::default(), 1);
    let ticket = opened.journal.appender().try_append(&mut batch, Class::Event).unwrap();
    assert_eq!(opened.journal.progress().wait_synced(ticket, LONG), Waited::Reached);
    let mut reader = opened.journal.reader(1, Limit::Synced);
    let Some(Read::Record(record)) = reader.next().unwrap() else { panic!("it is there") };
    assert_eq!(record.body.len(), MAX_BODY_BYTES);
}

#[test]
fn what_a_start_must_refuse_it_refuses_by_name() {
    let config = JournalConfig { max_bytes: 3, ..small() };
    assert!(matches!(
        Journal::open(config, Arc::new(FaultyStorage::new(1)), 1, restore),
        Err(OpenError::Config(_))
    ));
    let late = Journal::open(small(), Arc::new(FaultyStorage::new(1)), u64::MAX, restore);
    assert!(matches!(late, Err(OpenError::Position(_))));

    let dir = fixture();
    let broken = |_: Option<&[u8]>| Err::<Sum, _>("an older state");
    let refused = Journal::open(small(), Arc::new(DiskStorage::new(dir.path())), 1, broken).unwrap_err();
    assert!(matches!(refused, OpenError::Restore { segment: 1_000, .. }), "{refused:?}");
    fs::remove_file(dir.path().join("identity")).unwrap();
    let refused = Journal::open(small(), Arc::new(DiskStorage::new(dir.path())), 1, restore).unwrap_err();
    assert!(matches!(refused, OpenError::Identity { segments: Some(_), .. }), "{refused:?}");
    fs::write(
        dir.path().join("identity"),
        "{\"journal\":\"00000000-0000-0000-0000-000000000001\",\"version\":1}",
    )
    .unwrap();
    let refused = Journal::open(small(), Arc::new(DiskStorage::new(dir.path())), 1, restore).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { segment: 1_000, .. }), "{refused:?}");
    fs::write(
        dir.path().join("identity"),
        "{\"journal\":\"00000000-0000-0000-0000-000000000001\",\"version\":2}",
    )
    .unwrap();
    let refused = Journal::open(small(), Arc::new(DiskStorage::new(dir.path())), 1, restore).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { version: 2, .. }), "{refused:?}");
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1")
}

/// A copy of the journal that format version 1 wrote.
fn fixture() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("cursors")).unwrap();
    for name in ["identity", "00000000000000001000.seg", "cursors/sink.cursor"] {
        fs::copy(fixtures().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

/// Twelve records in three batches and a cursor behind the eighth, as version 1 wrote them; never made anew.
#[test]
fn a_journal_of_format_version_1_is_read_for_ever() {
    let dir = fixture();
    let opened = open(Arc::new(DiskStorage::new(dir.path())), &small(), 2_000);
    assert_eq!(opened.state, Sum { records: 12, sum: (0..12).map(|number| 65 + number).sum() });
    assert_eq!((opened.report.end, opened.report.segments_read, opened.report.damage.len()), (1_012, 1, 0));
    let mut reader = opened.journal.reader(1_000, Limit::Synced);
    for number in 0..12u64 {
        let Some(Read::Record(read)) = reader.next().unwrap() else { panic!("record {number} is there") };
        let body = vec![65 + number as u8; 1 + number as usize];
        assert_eq!(
            read,
            Record {
                position: 1_000 + number,
                kind: number as u8,
                partition: 3,
                key: number * 7,
                time: -5 + number as i64,
                body: &body
            }
        );
    }
    let cursor = opened.journal.register_cursor("sink", From::End).unwrap();
    assert_eq!((cursor.position(), cursor.origin()), (1_008, Origin::Resumed));
}

/// Mutations of a good segment: it says something and does not panic. What fuzzing found is in `fuzz_corpus.rs`.
#[test]
fn any_bytes_are_read_as_far_as_they_are_good() {
    let golden = fs::read(fixtures().join("00000000000000001000.seg")).unwrap();
    assert_eq!(fuzz_open(1_000, &golden), (12, Vec::new()));
    let mut seed = Seed(1);
    for _ in 0..20_000 {
        let mut bytes = golden.clone();
        for _ in 0..=seed.index(4) {
            let at = seed.index(bytes.len());
            match seed.index(5) {
                0 => bytes[at] ^= 1 << seed.index(8),
                1 => bytes.truncate(at.max(1)),
                2 => bytes[at] = 0xFF,
                3 => bytes.extend_from_within(at..),
                _ => {
                    let upto = (at + seed.index(100)).min(bytes.len());
                    bytes[at..upto].fill(0);
                }
            }
        }
        let (records, damage) = fuzz_open(1_000, &bytes);
        let missing: u64 = damage.iter().map(|damage| damage.to - damage.from).sum();
        assert!(records + missing <= 12, "{records} and {damage:?}");
    }
}
