//! The bytes on the disk: version 1 is read for ever, what is not ours is refused by name, any bytes are read as far as they are good.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use messaging::journal::{From, Journal, JournalConfig, Limit, OpenError, Origin, Read, Record, fuzz_open};
use messaging::storage::{DiskStorage, FaultyStorage, Seed};

use crate::{Sum, open, restore, small};

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
