//! Cursors hold their segments, survive a restart, and are never believed past what is durable.

use std::sync::Arc;

use messaging::journal::{BatchBuilder, Class, From, Limit, Origin, Read, Refused};
use messaging::storage::FaultyStorage;

use crate::{LONG, append_durably, open, record, small};

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
    while let Ok(ticket) = journal.appender().try_append(&mut batch, Class::Control) {
        journal.progress().wait_synced(ticket, LONG);
        reserve += 1;
        batch.push(&record(taken, &[1; 500])).unwrap();
    }
    assert!(reserve > 0);
    // The reserve is used up too: what a cursor waits for is taken all the same.
    for _ in 0..20 {
        let ticket = journal.appender().try_append(&mut batch, Class::Unblock).unwrap();
        journal.progress().wait_synced(ticket, LONG);
        batch.push(&record(taken, &[1; 500])).unwrap();
    }
    assert!(journal.appender().is_disk_full());
    let moved = cursor.store(journal.progress().synced()).unwrap();
    assert_eq!(moved, journal.progress().synced());
    while let Err(refused) = journal.appender().try_append(&mut batch, Class::Event) {
        assert_eq!(refused, Refused::DiskFull, "until the writer has tidied up");
        std::thread::yield_now();
    }
    assert!(journal.progress().counters().segments_deleted > 0);
    assert!(!journal.appender().is_disk_full() && !journal.progress().alarms().nearly_full);
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
