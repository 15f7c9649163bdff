//! Rotation, retention, and lines that are torn, huge or changed by another.

use std::fs;
use std::sync::Arc;

use messaging::journal::From;
use messaging::sink::lines::{Begin, Lines};
use messaging::sink::{FileSink, FileSinkConfig, Next, Pump, PumpConfig, Sink};
use messaging::storage::DiskStorage;

use crate::sink_support::{LINE, Numbers, append_synced, line_of, open_journal, stored};
use crate::{Place, drain, lines, run, start, wanted};

fn older_deleted(place: &Place) -> bool {
    Lines::open(place.disk(), "signals", Begin::Oldest).unwrap().older_deleted().unwrap()
}

#[test]
fn an_empty_sink_says_that_older_records_were_deleted_before_it_came() {
    let place = Place::new();
    let sink = place.sink(400, 1_000);
    assert!(sink.is_empty() && !older_deleted(&place));
    sink.older_deleted().unwrap();
    assert!(older_deleted(&place));
    assert!(place.sink(400, 1_000).is_empty(), "it is no file of lines");
}

#[test]
fn retention_deletes_the_oldest_files_and_never_the_one_being_written() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let cursor = journal.register_cursor("signals-file", From::Oldest).unwrap();
    let mut pump = Pump::new(place.sink(400, 1_000), &journal, cursor, Box::new(()), PumpConfig::default());
    let mut now = start();
    append_synced(&journal, &lines(1, 200));
    drain(&mut pump, &mut now);
    let tally = pump.watch().status().tally;
    assert!(tally.deleted_files > 3 && tally.stored_bytes <= 1_000 && tally.files == 2, "{tally:?}");
    assert!(older_deleted(&place));
    assert_eq!(tally.deleted_bytes + tally.stored_bytes, tally.bytes);
    let kept = place.numbers();
    assert_eq!(kept, wanted(200)[wanted(200).len() - kept.len()..]);
    drop((pump, journal));

    let journal = place.journal(2_000);
    let cursor = journal.register_cursor("signals-file", From::Oldest).unwrap();
    let mut pump = Pump::new(place.sink(400, 1), &journal, cursor, Box::new(()), PumpConfig::default());
    drain(&mut pump, &mut now);
    assert_eq!(pump.watch().status().tally.files, 1, "a smaller bound is applied at the start");
    assert_eq!(place.numbers().last(), Some(&199));
}

#[test]
fn a_file_changed_by_another_is_left_alone_and_a_new_one_begun() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let mut pump = place.pump(&journal, 1 << 20);
    let mut now = start();
    append_synced(&journal, &lines(1, 10));
    let _ = run(&mut pump, &mut now);
    let file = fs::read_dir(place.dir()).unwrap().next().unwrap().unwrap().path();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(0).unwrap();
    append_synced(&journal, &lines(10, 20));
    let next = run(&mut pump, &mut now);
    assert!(matches!(next, Next::At(_)) && pump.watch().status().failing.is_some());
    drain(&mut pump, &mut now);
    assert_eq!(fs::read_dir(place.dir()).unwrap().count(), 2);
    assert_eq!(place.numbers(), [11, 12, 13, 14, 16, 17, 18, 19]);
}

#[test]
fn a_torn_last_line_is_cut_and_written_again() {
    let place = Place::new();
    let mut now = start();
    for (run_number, torn) in
        ["{\"id\":9", "\0\0\0\0\n\0\0", "{\"id\":77,\"pad\":\"\"}"].into_iter().enumerate()
    {
        let at = 1_000 * (run_number as u64 + 1);
        let journal = place.journal(at);
        let first = run_number as u64 * 10 + 1;
        append_synced(&journal, &lines(first, first + 10));
        let mut pump = place.pump(&journal, 300);
        drain(&mut pump, &mut now);
        drop((pump, journal));
        assert_eq!(place.numbers(), wanted(first + 10));

        // Half of the last line is missing, or garbage follows it.
        let newest = fs::read_dir(place.dir()).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
        let whole = fs::read(&newest).unwrap();
        let kept = whole.len() - if run_number == 0 { 12 } else { 0 };
        fs::write(&newest, [&whole[..kept], torn.as_bytes()].concat()).unwrap();
        let journal = place.journal(at + 500);
        let mut pump = place.pump(&journal, 300);
        assert!(pump.watch().status().tally.cut_bytes > 0);
        drain(&mut pump, &mut now);
        assert_eq!(place.numbers(), wanted(first + 10), "even when the cursor was past it");
    }
}

#[test]
fn a_huge_line_gets_a_file_of_its_own() {
    let place = Place::new();
    let journal =
        open_journal(Arc::new(DiskStorage::new(place.root.path().join("journal"))), 1_000, 16 << 20);
    let mut pump = place.pump(&journal, 1_000);
    let huge = 20 << 20;
    append_synced(&journal, &[(LINE, 1, 10)]);
    append_synced(&journal, &[(LINE, 2, huge)]);
    append_synced(&journal, &[(LINE, 3, 10)]);
    drain(&mut pump, &mut start());
    let found = stored(place.disk(), "signals");
    assert_eq!(
        found.iter().map(|(_, offset, number)| (*offset, *number)).collect::<Vec<_>>(),
        [(0, 1), (0, 2), (0, 3)]
    );
    let size = fs::metadata(place.dir().join(format!("{:020}.ndjson", found[1].0))).unwrap().len();
    assert_eq!(size, line_of(2, huge).len() as u64 + 1);
    drop(pump);
    let config = FileSinkConfig { rotate_bytes: 1_000, ..FileSinkConfig::new("signals") };
    assert_eq!(FileSink::open(place.disk(), config, Numbers).unwrap().tally().cut_bytes, 0);
}
