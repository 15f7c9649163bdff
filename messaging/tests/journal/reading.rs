//! What was appended is read again: by the next run, by another process, by key and time.

use std::sync::Arc;

use messaging::journal::{
    BatchBuilder, Class, Fold, From, Journal, JournalConfig, Limit, NO_TIME, NewRecord, OpenError,
    PassedOver, Query, Read, Reader, Record, Ticket, Waited, label,
};
use messaging::storage::{DiskStorage, FaultyStorage, Storage};

use crate::{LONG, append_durably, open, restore, small, times};

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
fn a_flipped_byte_in_front_of_a_segment_is_named_once_and_costs_no_record() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Storage> = Arc::new(DiskStorage::new(dir.path()));
    let opened = open(Arc::clone(&disk), &small(), 1_000);
    for number in 0..200 {
        append_durably(&opened.journal, number, &[number as u8; 100]);
    }
    let mut segments = disk.list("").unwrap();
    segments.retain(|name| name.ends_with(".seg"));
    segments.sort();
    // A byte of the header; a byte of the checkpoint behind it and its checksum.
    let flips = [(&segments[1], 20, true), (&segments[2], 70, false)];
    for (name, offset, _) in flips {
        let file = disk.open(name).unwrap();
        let mut byte = [0];
        file.read_full_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 4], offset).unwrap();
    }
    let expected = flips.map(|(name, _, header)| PassedOver { segment: name[..20].parse().unwrap(), header });
    for mut reader in [Reader::open(disk, 0).unwrap(), opened.journal.reader(0, Limit::Synced)] {
        let (mut named, mut records) = (Vec::new(), 0);
        while let Some(read) = reader.next().unwrap() {
            match read {
                Read::Record(_) => records += 1,
                Read::PassedOver(damaged) => named.push(damaged),
                Read::Gone { .. } => {}
                Read::Damage(damage) => panic!("{damage:?}"),
            }
        }
        assert_eq!((named, records), (expected.to_vec(), 200));
    }
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

/// A torn end is what a crash leaves. Where a sink had read it, it was durable: then it is damage, whatever of it is wrong.
#[test]
fn an_end_that_cannot_be_read_is_damage_where_a_sink_had_read_it() {
    for with_sink in [false, true] {
        let disk: Arc<dyn Storage> = Arc::new(FaultyStorage::new(1));
        let opened = open(Arc::clone(&disk), &JournalConfig::default(), 1_000);
        let mut cursor = with_sink.then(|| opened.journal.register_cursor("sink", From::Oldest).unwrap());
        append_durably(&opened.journal, 0, b"first");
        append_durably(&opened.journal, 1, b"second");
        let end = opened.journal.progress().synced();
        cursor.iter_mut().for_each(|cursor| assert_eq!(cursor.store(end).unwrap(), end));
        drop(cursor);
        opened.journal.close(LONG).unwrap();
        let name = disk.list("").unwrap().into_iter().find(|name| name.ends_with(".seg")).unwrap();
        let file = disk.open(&name).unwrap();
        let mut whole = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
        file.read_full_at(&mut whole, 0).unwrap();
        let second = whole.windows(6).rposition(|bytes| bytes == b"second").unwrap();
        let first = whole.windows(5).rposition(|bytes| bytes == b"first").unwrap();
        for at in first + 5..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            file.write_all_at(&flipped, 0).unwrap();
            let damage = judge_end(&disk, &format!("bit at {at} flipped"));
            assert_eq!(damage, with_sink.then_some((1_001, end)), "bit at {at} flipped");
        }
        for size in [first + 5, second - 1, second + 3, whole.len() - 1] {
            file.write_all_at(&whole, 0).unwrap();
            file.truncate(size as u64).unwrap();
            assert_eq!(judge_end(&disk, "cut"), with_sink.then_some((1_001, end)), "cut to {size}");
        }
    }
}

/// Reads everything as another process: the first record, and what damage is told behind it, once.
fn judge_end(disk: &Arc<dyn Storage>, what: &str) -> Option<(u64, u64)> {
    let mut reader = Reader::open(Arc::clone(disk), 1_000).unwrap();
    let Some(Read::Record(record)) = reader.next().unwrap() else { panic!("{what}: the first is there") };
    assert_eq!(record.body, b"first", "{what}");
    let damage = reader.next().unwrap().map(|read| {
        let Read::Damage(damage) = read else { panic!("{what}: {read:?}") };
        (damage.from, damage.to)
    });
    assert_eq!(reader.next().unwrap(), None, "{what}");
    damage
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

/// A fold whose records are found by the first byte of their bodies.
struct First;

impl Fold for First {
    fn apply(&mut self, _: &Record<'_>) {}

    fn apply_labelled(&mut self, record: &Record<'_>, add: &mut dyn FnMut(u64)) {
        record.body.first().into_iter().for_each(|byte| add(label(&byte.to_string())));
    }

    fn save(&self, _: &mut dyn std::io::Write) -> std::io::Result<()> {
        Ok(())
    }
}

/// Also by what the next run adds to the index of a segment that it goes on with.
#[test]
fn records_are_found_by_their_labels() {
    let disk = FaultyStorage::new(1);
    let config = JournalConfig { segment_bytes: 1 << 20, max_bytes: 1 << 30, ..JournalConfig::default() };
    let rare = |number: u64| (7_300..7_310).contains(&number);
    let mut now = 1;
    for run in 0..4_u64 {
        let opened =
            Journal::open(config.clone(), Arc::new(disk.clone()), now, |_| Ok::<_, String>(First)).unwrap();
        let mut batch = BatchBuilder::new();
        let mut ticket = Ticket(0);
        for number in run * 5_000..(run + 1) * 5_000 {
            let body = [if rare(number) { 9 } else { 1 + (number % 2) as u8 }; 300];
            batch
                .push(&NewRecord { kind: 1, partition: 0, key: 0, time: number as i64, body: &body })
                .unwrap();
            if batch.len() == 50 {
                ticket = opened.journal.appender().try_append(&mut batch, Class::Event).unwrap();
            }
            if number % 1_000 == 999 {
                opened.journal.progress().wait_synced(ticket, LONG);
            }
        }
        assert_eq!(opened.journal.progress().wait_synced(ticket, LONG), Waited::Reached);
        now = opened.journal.progress().synced();
        opened.journal.close(LONG).unwrap();
    }
    let opened = Journal::open(config, Arc::new(disk), now, |_| Ok::<_, String>(First)).unwrap();
    let mut all = opened.journal.reader(0, Limit::Synced);
    assert_eq!(times(&mut all), (0..20_000).collect::<Vec<_>>());
    let found = |labels: &[&str]| {
        let labels = labels.iter().map(|text| label(text)).collect();
        let mut some = opened.journal.reader(0, Limit::Synced).select(Query { labels, ..Query::default() });
        (times(&mut some), some.bytes_read())
    };
    let (rarely, read) = found(&["9"]);
    assert!(rarely.iter().filter(|time| rare(**time as u64)).count() == 10, "{rarely:?}");
    assert!(read * 2 < all.bytes_read(), "{read} of {}", all.bytes_read());
    assert_eq!(found(&["1", "2"]).0.len(), 20_000, "what lies together is not told apart");
    let (none, read) = found(&["3"]);
    assert!(none.len() < 10_000 && read * 2 < all.bytes_read(), "{} of {}", read, all.bytes_read());
}

#[test]
fn a_checkpoint_says_what_the_records_before_it_added_up_to() {
    let disk = FaultyStorage::new(3);
    let opened = open(Arc::new(disk.clone()), &small(), 1_000);
    for number in 0..200 {
        append_durably(&opened.journal, number, &[1; 100]);
    }
    let reader = opened.journal.reader(0, Limit::Synced);
    let at = |position: u64| {
        let (first, saved) = reader.checkpoint(position).unwrap()?;
        Some((first, restore(Some(&saved)).unwrap().records))
    };
    // Positions count from 1,000, so each says how many records lie before it.
    let (first, records) = at(1_150).unwrap();
    assert!(first > 1_000 && first <= 1_150 && records == first - 1_000, "{first}: {records}");
    let (before, _) = at(first - 1).unwrap();
    assert_eq!(at(999), None);
    assert_eq!(times(&mut reader.fork(first)), (first as i64 - 1_000..200).collect::<Vec<_>>());

    // A damaged one is passed over.
    assert!(disk.flip(&format!("{first:020}.seg"), 70, 1));
    assert_eq!(at(1_150), Some((before, before - 1_000)));
}
