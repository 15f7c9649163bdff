//! A failing disk, a dead one, a panic in the owner's fold, a record that is too large: each is told, none loses another's record.

use std::sync::Arc;
use std::time::Duration;

use messaging::journal::{
    BatchBuilder, BatchError, Class, Fsync, Journal, JournalConfig, Limit, MAX_BODY_BYTES, Read, Refused,
    Ticket, Waited,
};
use messaging::storage::{FaultyStorage, IoFault};

use crate::{LONG, append, append_durably, open, record, small, times};

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
