//! File sinks on a real disk: threads, rotation, deleted and locked directories, torn and huge lines.

#![expect(clippy::unwrap_used, reason = "a helper of a test that panics is a test that fails")]

mod sink_support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use messaging::journal::{From, Journal, Record};
use messaging::sink::lines::{Begin, Lines};
use messaging::sink::{
    Ended, FileSink, FileSinkConfig, Hole, LineKey, Next, Owner, Pump, PumpConfig, Render, Sink, SinkThread,
    StdoutSink, Verdict,
};
use messaging::storage::{DiskStorage, Storage};

use sink_support::{
    LINE, LONG, Numbers, SILENT, append_synced, line_of, number_of, numbers, open_journal, stored, truth,
};

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn disk(&self) -> Arc<dyn Storage> {
        Arc::new(DiskStorage::new(self.root.path()))
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("signals")
    }

    fn journal(&self, now_ns: u64) -> Journal {
        open_journal(Arc::new(DiskStorage::new(self.root.path().join("journal"))), now_ns, 1 << 20)
    }

    fn sink(&self, rotate_bytes: u64, max_bytes: u64) -> FileSink<Numbers> {
        let config = FileSinkConfig { rotate_bytes, max_bytes, ..FileSinkConfig::new("signals") };
        FileSink::open(self.disk(), config, Numbers).unwrap()
    }

    fn pump(&self, journal: &Journal, rotate_bytes: u64) -> Pump<FileSink<Numbers>> {
        let cursor = journal.register_cursor("signals-file", From::Oldest).unwrap();
        Pump::new(self.sink(rotate_bytes, u64::MAX), journal, cursor, Box::new(()), PumpConfig::default())
    }

    fn numbers(&self) -> Vec<u64> {
        numbers(&stored(self.disk(), "signals"))
    }
}

fn lines(from: u64, to: u64) -> Vec<(u8, u64, usize)> {
    (from..to).map(|number| (if number % 5 == 0 { SILENT } else { LINE }, number, 20)).collect()
}

fn wanted(to: u64) -> Vec<u64> {
    (1..to).filter(|number| number % 5 != 0).collect()
}

/// Tells how far the sink is.
struct Tell(SyncSender<u64>);

impl Owner for Tell {
    fn on_hole(&mut self, _: &Hole) -> Verdict {
        Verdict::Pass
    }
    fn on_delivered(&mut self, position: u64) {
        let _ = self.0.try_send(position);
    }
}

fn wait_for(delivered: &Receiver<u64>, position: u64) {
    while delivered.recv_timeout(LONG).expect("the sink goes on") < position {}
}

#[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
fn start() -> Instant {
    Instant::now()
}

/// Steps through the pauses, on a clock of its own, until there is nothing to do or it fails.
fn run<K: Sink>(pump: &mut Pump<K>, now: &mut Instant) -> Next {
    loop {
        let next = pump.step(*now, false);
        match next {
            Next::At(at) if pump.watch().status().failing.is_none() => *now = at,
            Next::Now => {}
            Next::At(_) | Next::Idle(_) | Next::Drained | Next::Ended => return next,
        }
    }
}

fn drain<K: Sink>(pump: &mut Pump<K>, now: &mut Instant) {
    for _ in 0..1_000 {
        *now += Duration::from_secs(2);
        if pump.step(*now, true) == Next::Drained {
            return;
        }
    }
    panic!("not drained: {:?}", pump.watch().status());
}

#[test]
fn a_thread_follows_the_journal_and_a_reader_follows_the_files() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let (tell, delivered) = sync_channel(1_000);
    let cursor = journal.register_cursor("signals-file", From::Oldest).unwrap();
    let pump =
        Pump::new(place.sink(1_000, u64::MAX), &journal, cursor, Box::new(Tell(tell)), PumpConfig::default());
    let thread = SinkThread::spawn("signals", pump).unwrap();
    let mut tail = Lines::open(place.disk(), "signals", Begin::Oldest).unwrap();
    let mut followed = Vec::new();
    for round in 0..20 {
        append_synced(&journal, &lines(round * 10 + 1, round * 10 + 11));
        wait_for(&delivered, journal.progress().synced());
        while let Some(line) = tail.poll_new().unwrap() {
            followed.push(number_of(line.bytes).unwrap());
        }
    }
    assert_eq!(followed, wanted(201));
    append_synced(&journal, &lines(201, 301));
    let watch = thread.watch().clone();
    assert_eq!(thread.stop(LONG), Ended::Drained);
    let status = watch.status();
    assert_eq!(
        (status.delivered, status.stored, status.lag),
        (journal.progress().synced(), journal.progress().synced(), 0)
    );
    assert_eq!((status.records, status.tally.lines, status.ended), (300, 240, true));
    assert!(status.tally.files > 5 && status.failing.is_none() && status.last_error.is_none(), "{status:?}");
    assert_eq!(place.numbers(), wanted(301));
    let first = truth(&journal, 0)[0].0;
    assert!(place.dir().join(format!("{first:020}.ndjson")).exists(), "named after its first line");
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
fn a_directory_deleted_while_running_is_noticed_and_writing_goes_on_when_it_is_back() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let mut pump = place.pump(&journal, 1 << 20);
    let mut now = start();
    append_synced(&journal, &lines(1, 50));
    let _ = run(&mut pump, &mut now);
    let delivered = pump.watch().status().delivered;

    fs::remove_dir_all(place.dir()).unwrap();
    append_synced(&journal, &lines(50, 100));
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let Next::At(at) = pump.step(now, false) else { panic!("it must fail: {:?}", pump.watch().status()) };
        pauses.push(at - now);
        now = at;
    }
    let status = pump.watch().status();
    let failing = status.failing.as_ref().unwrap();
    assert_eq!((status.delivered, failing.attempts), (delivered, 12), "the cursor stays");
    assert!(failing.error.contains("signals/"), "{failing:?}");
    assert!(
        pauses.is_sorted() && pauses[0] == Duration::from_millis(10) && pauses[11] == Duration::from_secs(1),
        "{pauses:?}"
    );
    assert!(!place.dir().exists(), "not made again: it may have been a mount");

    fs::create_dir(place.dir()).unwrap();
    drain(&mut pump, &mut now);
    assert!(pump.watch().status().failing.is_none());
    assert!(pump.watch().status().last_error.is_some(), "still told");
    assert_eq!(
        place.numbers(),
        wanted(100)[wanted(50).len()..],
        "what was deleted stays deleted, the rest is there once"
    );
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
fn a_directory_that_takes_no_new_files_stops_the_sink_at_the_rotation() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let mut pump = place.pump(&journal, 500);
    let mut now = start();
    append_synced(&journal, &lines(1, 5));
    let _ = run(&mut pump, &mut now);
    fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o555)).unwrap();
    let root = fs::write(place.dir().join("probe"), "").is_ok();
    if root {
        println!("SKIPPED: this user ignores permissions; another obstacle is used");
        fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(place.dir(), place.root.path().join("aside")).unwrap();
        fs::write(place.dir(), "a file where the directory was").unwrap();
    }
    append_synced(&journal, &lines(5, 60));
    let _ = run(&mut pump, &mut now);
    let status = pump.watch().status();
    assert!(status.failing.is_some() && status.delivered < journal.progress().synced(), "{status:?}");
    if root {
        fs::remove_file(place.dir()).unwrap();
        fs::rename(place.root.path().join("aside"), place.dir()).unwrap();
    }
    fs::set_permissions(place.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    drain(&mut pump, &mut now);
    assert_eq!(place.numbers(), wanted(60));
}

#[test]
fn a_start_in_a_directory_that_cannot_be_written_is_an_error_that_names_it() {
    let place = Place::new();
    fs::write(place.dir(), "a file where the directory should be").unwrap();
    let error = FileSink::open(place.disk(), FileSinkConfig::new("signals"), Numbers).unwrap_err();
    assert!(error.to_string().contains("\"signals\"") && !error.is_final(), "{error}");
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

#[test]
fn a_stop_that_cannot_drain_ends_in_time_and_the_next_run_goes_on() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let pump = place.pump(&journal, 1 << 20);
    fs::remove_dir_all(place.dir()).unwrap();
    append_synced(&journal, &lines(1, 30));
    let thread = SinkThread::spawn("signals", pump).unwrap();
    assert_eq!(thread.stop(Duration::from_millis(50)), Ended::TimedOut);
    drop(journal);
    let journal = place.journal(2_000);
    drain(&mut place.pump(&journal, 1 << 20), &mut start());
    assert_eq!(place.numbers(), wanted(30));
}

/// Renders until it meets number 7.
struct Breaks;

impl Render for Breaks {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        let key = Numbers.render(record, line);
        assert!(number_of(line) != Some(7), "planted");
        key
    }
    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        Numbers.key_of_line(line)
    }
}

/// A pipe whose reader has gone after `left` bytes.
struct Pipe {
    left: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        Ok(taken)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_and_a_panic_are_ends_that_can_be_told_apart() {
    let place = Place::new();
    let journal = place.journal(1_000);
    let cursor = journal.register_cursor("stdout", From::Oldest).unwrap();
    let sink = StdoutSink::new(Pipe { left: 40 }, Numbers);
    let pump = Pump::new(sink, &journal, cursor, Box::new(()), PumpConfig::default());
    let thread = SinkThread::spawn("stdout", pump).unwrap();
    append_synced(&journal, &lines(1, 10));
    let watch = thread.watch().clone();
    assert_eq!(thread.stop(LONG), Ended::Failed);
    assert_eq!(watch.status().last_error.as_deref(), Some("the reader of the stream is gone"));

    let config = FileSinkConfig::new("signals");
    let sink = FileSink::open(place.disk(), config, Breaks).unwrap();
    let cursor = journal.register_cursor("signals-file", From::Oldest).unwrap();
    let thread =
        SinkThread::spawn("signals", Pump::new(sink, &journal, cursor, Box::new(()), PumpConfig::default()))
            .unwrap();
    let watch = thread.watch().clone();
    assert_eq!(thread.stop(LONG), Ended::Panicked);
    assert!(watch.status().ended && watch.status().last_error.unwrap().contains("panic"));
}

#[test]
fn a_directory_of_other_peoples_files_is_left_as_it_is() {
    let place = Place::new();
    fs::create_dir(place.dir()).unwrap();
    let notes: &Path = &place.dir().join("notes.txt");
    fs::write(notes, "not a line").unwrap();
    let journal = place.journal(1_000);
    append_synced(&journal, &lines(1, 10));
    drain(&mut place.pump(&journal, 100), &mut start());
    assert_eq!(fs::read_to_string(notes).unwrap(), "not a line");
    assert_eq!(place.numbers(), wanted(10));
}
