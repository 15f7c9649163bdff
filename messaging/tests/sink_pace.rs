//! When a pump does what: nothing to do is nothing done, the cursor is stored in time, and a cursor that cannot be stored
//! stops the sink only before more lines lie past it than a restart recognises.

#![expect(clippy::unwrap_used, reason = "a helper of a test that panics is a test that fails")]

mod sink_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use messaging::journal::{From, Journal};
use messaging::sink::{FileSink, FileSinkConfig, Next, Pump, PumpConfig, REMEMBERED};
use messaging::storage::{FaultyStorage, IoFault};

use sink_support::{LINE, Numbers, SILENT, append_synced, numbers, open_journal, stored};

fn pump(journal: &Journal, files: &FaultyStorage, config: PumpConfig) -> Pump<FileSink<Numbers>> {
    let cursor = journal.register_cursor("lines", From::Oldest).unwrap();
    let sink = FileSink::open(Arc::new(files.clone()), FileSinkConfig::new("lines"), Numbers).unwrap();
    Pump::new(sink, journal, cursor, Box::new(()), config)
}

#[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn an_idle_sink_wants_one_more_step_for_its_cursor_and_then_none() {
    let (disk, files) = (FaultyStorage::new(1), FaultyStorage::new(2));
    let journal = open_journal(Arc::new(disk), 1_000, 1 << 20);
    let mut pump = pump(&journal, &files, PumpConfig::default());
    let (now, config) = (start(), PumpConfig::default());
    assert_eq!(pump.step(now, false), Next::Idle(None), "nothing has ever happened");

    append_synced(&journal, &[(LINE, 1, 10), (SILENT, 2, 10)]);
    let syncs = files.syncs();
    let Next::At(at) = pump.step(now, false) else { panic!("a part of a batch") };
    assert_eq!(at, now + config.deliver_interval, "deliveries are at least this far apart");
    assert_eq!(files.syncs(), syncs + 1, "one sync for the batch");
    append_synced(&journal, &[(SILENT, 3, 10)]);
    assert_eq!(pump.step(now, false), Next::At(at), "too early");
    assert_eq!(pump.step(at, false), Next::At(at + config.deliver_interval));
    let after = at + config.deliver_interval;
    let due = now + config.cursor_interval;
    assert_eq!(pump.step(after, false), Next::Idle(Some(due)));
    assert_eq!((pump.watch().status().delivered, pump.watch().status().stored), (1_003, 1_000));
    assert_eq!(pump.step(due, false), Next::Idle(None));
    assert_eq!(
        (pump.watch().status().stored, files.syncs()),
        (1_003, syncs + 1),
        "a record without a line needs no sync"
    );
}

#[test]
fn draining_waits_for_nothing() {
    let journal = open_journal(Arc::new(FaultyStorage::new(1)), 1_000, 1 << 20);
    let mut pump = pump(&journal, &FaultyStorage::new(2), PumpConfig::default());
    let now = start();
    append_synced(&journal, &[(LINE, 1, 10)]);
    assert_eq!(pump.step(now, true), Next::Now);
    assert_eq!(pump.step(now, true), Next::Drained);
    assert_eq!(pump.watch().status().stored, 1_001);
}

#[test]
fn lines_go_on_while_the_cursor_cannot_be_stored_up_to_what_a_restart_recognises() {
    let (disk, files) = (FaultyStorage::new(1), FaultyStorage::new(2));
    let journal = open_journal(Arc::new(disk.clone()), 1_000, 8 << 20);
    let total = REMEMBERED as u64 + 3_000;
    for chunk in (0..total).collect::<Vec<_>>().chunks(1_000) {
        append_synced(&journal, &chunk.iter().map(|number| (LINE, *number, 0)).collect::<Vec<_>>());
    }
    let config = PumpConfig { cursor_records: 1, ..PumpConfig::default() };
    let mut first = pump(&journal, &files, config);
    disk.fail_writes(u32::MAX, IoFault::Device);
    let mut now = start();
    let mut went_on_without = false;
    for _ in 0..200 {
        now += Duration::from_secs(2);
        let _ = first.step(now, false);
        let status = first.watch().status();
        went_on_without |=
            status.failing.is_none() && status.last_error.is_some() && status.tally.lines > 5_000;
    }
    let status = first.watch().status();
    assert!(
        went_on_without && status.failing.unwrap().error.contains("cannot store the cursor"),
        "it says why"
    );
    assert_eq!(status.stored, 1_000);
    let lines = status.tally.lines;
    assert!(lines <= REMEMBERED as u64 && lines > REMEMBERED as u64 / 2, "{lines}");
    drop(first);
    disk.kill();
    files.kill();
    drop(journal);
    disk.heal();
    // What failed to be stored is not on the disk.
    assert!(disk.flip("cursors/lines.cursor", 4_096 + 16, 1));

    let journal = open_journal(Arc::new(disk), 9_000_000, 8 << 20);
    let mut second = pump(&journal, &files, PumpConfig::default());
    for _ in 0..1_000 {
        now += Duration::from_secs(2);
        if second.step(now, true) == Next::Drained {
            break;
        }
    }
    assert_eq!(second.watch().status().tally.repeats, lines);
    assert_eq!(numbers(&stored(Arc::new(files), "lines")), (0..total).collect::<Vec<_>>());
}
