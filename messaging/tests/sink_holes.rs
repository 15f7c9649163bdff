//! What a sink does where the journal has a hole: everything before it is delivered, then the owner is asked.

#![expect(clippy::unwrap_used, reason = "a helper of a test that panics is a test that fails")]

mod sink_support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use messaging::journal::{From, Journal};
use messaging::sink::{
    FileSink, FileSinkConfig, Hole, Next, Owner, PausedSink, Pump, PumpConfig, Sink, StdoutSink, Verdict,
};
use messaging::storage::FaultyStorage;

use sink_support::{LINE, Numbers, append_synced, numbers, open_journal, stored, truth};

/// Says `Wait` so many times, and notes what it was asked and what was delivered by then.
#[derive(Clone, Default)]
struct Asked {
    waits: u32,
    holes: Arc<Mutex<Vec<(Hole, u64)>>>,
    delivered: u64,
}

impl Owner for Asked {
    fn on_hole(&mut self, hole: &Hole) -> Verdict {
        self.holes.lock().unwrap().push((*hole, self.delivered));
        if self.waits == 0 {
            return Verdict::Pass;
        }
        self.waits -= 1;
        Verdict::Wait
    }
    fn on_delivered(&mut self, position: u64) {
        self.delivered = position;
    }
}

fn pump(journal: &Journal, disk: &FaultyStorage, asked: &Asked) -> Pump<FileSink<Numbers>> {
    let cursor = journal.register_cursor("lines", From::Oldest).unwrap();
    let sink = FileSink::open(Arc::new(disk.clone()), FileSinkConfig::new("lines"), Numbers).unwrap();
    Pump::new(sink, journal, cursor, Box::new(asked.clone()), PumpConfig::default())
}

#[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
fn start() -> Instant {
    Instant::now()
}

fn drain<K: Sink>(pump: &mut Pump<K>) -> u32 {
    let mut now = start();
    for stuck in 0..100 {
        loop {
            match pump.step(now, true) {
                Next::Now => {}
                Next::Drained => return stuck,
                Next::At(at) => {
                    now = at;
                    break;
                }
                Next::Idle(_) | Next::Ended => panic!("{:?}", pump.watch().status()),
            }
        }
    }
    panic!("never drained: {:?}", pump.watch().status());
}

fn damaged_journal() -> (FaultyStorage, Vec<(u64, u64)>, Journal) {
    let disk = FaultyStorage::new(5);
    let journal = open_journal(Arc::new(disk.clone()), 1_000, 1 << 20);
    for number in 0..20 {
        append_synced(&journal, &[(LINE, number, 100)]);
    }
    let all = truth(&journal, 0);
    drop(journal);
    // Somewhere in the middle of the only segment's batches.
    assert!(disk.flip("00000000000000001000.seg", 1_700, 3));
    let journal = open_journal(Arc::new(disk.clone()), 5_000, 1 << 20);
    (disk, all, journal)
}

#[test]
fn damage_is_the_owners_and_is_passed_when_it_says_so() {
    let (disk, all, journal) = damaged_journal();
    let asked = Asked { waits: 3, ..Asked::default() };
    let mut pump = pump(&journal, &disk, &asked);
    assert_eq!(drain(&mut pump), 3, "asked again after each pause");

    let holes = asked.holes.lock().unwrap().clone();
    assert_eq!(holes.len(), 4);
    let (Hole::Damage(damage), delivered) = holes[0] else { panic!("{holes:?}") };
    assert_eq!(delivered, damage.from, "everything before it was delivered first");
    assert!(holes.iter().all(|other| *other == holes[0]));

    let status = pump.watch().status();
    assert_eq!((status.holes, status.lost_positions), (1, damage.to - damage.from));
    assert!(status.last_error.unwrap().contains("nobody has declared it"));
    let lost = |position: &u64| (damage.from..damage.to).contains(position);
    let left: Vec<u64> = all.iter().filter(|(at, _)| !lost(at)).map(|(_, number)| *number).collect();
    assert!(left.len() < all.len() && left.len() > 15);
    assert_eq!(numbers(&stored(Arc::new(disk), "lines")), left);
}

#[test]
fn a_hole_that_was_passed_is_not_told_again_and_one_that_was_not_is() {
    let (disk, _, journal) = damaged_journal();
    let waiting = Asked { waits: u32::MAX, ..Asked::default() };
    let mut first = pump(&journal, &disk, &waiting);
    let mut now = start();
    for _ in 0..20 {
        let _ = first.step(now, false);
        now += Duration::from_secs(2);
    }
    assert!(waiting.holes.lock().unwrap().len() > 5);
    let hole = waiting.holes.lock().unwrap()[0].0;
    assert_eq!(first.watch().status().stored, hole.span().0);
    drop((first, journal));

    let journal = open_journal(Arc::new(disk.clone()), 6_000, 1 << 20);
    let asked = Asked::default();
    let mut second = pump(&journal, &disk, &asked);
    drain(&mut second);
    assert_eq!(asked.holes.lock().unwrap().iter().map(|(hole, _)| *hole).collect::<Vec<_>>(), [hole]);
    drop((second, journal));

    let journal = open_journal(Arc::new(disk.clone()), 7_000, 1 << 20);
    let asked = Asked::default();
    drain(&mut pump(&journal, &disk, &asked));
    assert!(asked.holes.lock().unwrap().is_empty());
}

#[test]
fn what_was_deleted_while_a_sink_was_away_is_gone_by_name() {
    let disk = FaultyStorage::new(7);
    let journal = open_journal(Arc::new(disk.clone()), 1_000, 1 << 10);
    append_synced(&journal, &[(LINE, 0, 10), (LINE, 1, 10)]);
    let mut first = pump(&journal, &disk, &Asked::default());
    drain(&mut first);
    let at = first.watch().status().stored;
    drop((first, journal));

    // The sink was removed from the configuration: nothing registers, so nothing holds the journal.
    let journal = open_journal(Arc::new(disk.clone()), 10_000, 1 << 10);
    journal.allow_deletion();
    for number in 2..200 {
        append_synced(&journal, &[(LINE, number, 200)]);
    }
    let oldest = journal.oldest().unwrap();
    assert!(oldest > at);
    let left: Vec<u64> = truth(&journal, 0).into_iter().map(|(_, number)| number).collect();
    assert!(left.len() < 190);

    let asked = Asked::default();
    let mut second = pump(&journal, &disk, &asked);
    drain(&mut second);
    let holes = asked.holes.lock().unwrap().clone();
    let (Hole::Gone { from, to }, delivered) = holes[0] else { panic!("{holes:?}") };
    assert_eq!((from, delivered, holes.len()), (at, 0, 1));
    assert!(to >= oldest);
    let mut expected = vec![0, 1];
    expected.extend(left.iter().filter(|number| **number > 1));
    assert_eq!(numbers(&stored(Arc::new(disk), "lines")), expected);
}

#[test]
fn a_lost_cursor_is_found_again_in_the_files() {
    let disk = FaultyStorage::new(9);
    let journal = open_journal(Arc::new(disk.clone()), 1_000, 1 << 20);
    for number in 0..30 {
        append_synced(&journal, &[(LINE, number, 30)]);
    }
    drain(&mut pump(&journal, &disk, &Asked::default()));
    drop(journal);
    for slot in [0, 4_096] {
        for offset in 0..64 {
            disk.flip("cursors/lines.cursor", slot + offset, 1);
        }
    }
    let journal = open_journal(Arc::new(disk.clone()), 5_000, 1 << 20);
    for number in 30..40 {
        append_synced(&journal, &[(LINE, number, 30)]);
    }
    let asked = Asked::default();
    let mut again = pump(&journal, &disk, &asked);
    drain(&mut again);
    assert_eq!(again.watch().status().tally.repeats, 30);
    assert!(asked.holes.lock().unwrap().is_empty());
    assert_eq!(numbers(&stored(Arc::new(disk), "lines")), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_lost_journal_repeats_no_line() {
    let disk = FaultyStorage::new(11);
    let files = FaultyStorage::new(12);
    let mut expected = Vec::new();
    for (run, range) in [(0..30), (10..50)].into_iter().enumerate() {
        // The second journal is a new one; the venue's history brought some events once more.
        let journal_disk = if run == 0 { disk.clone() } else { FaultyStorage::new(13) };
        let journal = open_journal(Arc::new(journal_disk), 1_000 + 100_000 * run as u64, 1 << 20);
        for number in range {
            append_synced(&journal, &[(LINE, number, 30)]);
            if !expected.contains(&number) {
                expected.push(number);
            }
        }
        drain(&mut pump(&journal, &files, &Asked::default()));
        assert_eq!(numbers(&stored(Arc::new(files.clone()), "lines")), expected);
    }
}

#[test]
fn a_new_sink_begins_at_the_end_or_at_the_oldest_and_a_paused_one_keeps_its_place() {
    let disk = FaultyStorage::new(1);
    let journal = open_journal(Arc::new(disk.clone()), 1_000, 1 << 20);
    append_synced(&journal, &[(LINE, 1, 0), (LINE, 2, 0)]);
    let paused = PausedSink::new(journal.register_cursor("paused", From::End).unwrap());
    let mut ends = [From::End, From::Oldest].map(|from| {
        let cursor = journal.register_cursor(&format!("{from:?}"), from).unwrap();
        Pump::new(StdoutSink::new(Vec::new(), Numbers), &journal, cursor, Box::new(()), PumpConfig::default())
    });
    append_synced(&journal, &[(LINE, 3, 0)]);
    for end in &mut ends {
        drain(end);
    }
    assert_eq!(ends.map(|end| end.watch().status().tally.lines), [1, 3]);
    assert_eq!((paused.position(), paused.is_behind()), (1_002, true));
    let status = paused.watch().status();
    assert_eq!((status.paused, status.delivered, status.lag), (true, 1_002, 1));
    drop(journal);

    disk.power_loss();
    let journal = open_journal(Arc::new(disk), 5_000, 1 << 20);
    let back = PausedSink::new(journal.register_cursor("paused", From::End).unwrap());
    let mut pump = Pump::new(
        StdoutSink::new(Vec::new(), Numbers),
        &journal,
        back.resume(),
        Box::new(()),
        PumpConfig::default(),
    );
    drain(&mut pump);
    assert_eq!(pump.watch().status().tally.lines, 1, "it goes on where it was paused");
}
