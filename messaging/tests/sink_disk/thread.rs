//! A sink on its thread: followed by a reader, stopped in time, ended by a closed pipe or a panic.

use std::fs;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use messaging::journal::{From, Record};
use messaging::sink::lines::{Begin, Lines};
use messaging::sink::{
    Ended, FileSink, FileSinkConfig, Hole, LineKey, Owner, Pump, PumpConfig, Render, SinkThread, StdoutSink,
    Verdict,
};

use crate::sink_support::{LONG, Numbers, append_synced, number_of, truth};
use crate::{Place, drain, lines, start, wanted};

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
