//! A directory that is deleted, locked, no directory at all, or shared with others.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, io};

use messaging::sink::{FileSink, FileSinkConfig, Next};
use messaging::storage::{Storage, StorageLock, StoredFile};

use crate::sink_support::{Numbers, append_synced};
use crate::{Place, drain, lines, run, start, wanted};

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

/// A disk on which the directory is moved aside at the worst moment: the lines are written, and then looked up by the file's name.
#[derive(Clone, Debug)]
struct MovedAside {
    disk: Arc<dyn Storage>,
    root: PathBuf,
    /// Look-ups by name until it happens; 0 for never.
    look_ups: Arc<AtomicUsize>,
}

impl Storage for MovedAside {
    fn create(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.disk.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.disk.open(name)
    }
    fn open_read(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        let left = self.look_ups.load(Ordering::SeqCst);
        self.look_ups.store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 1 {
            fs::rename(self.root.join("signals"), self.root.join("aside")).unwrap();
        }
        self.disk.open_read(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.create_dir(dir)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn lock(&self, name: &str) -> io::Result<Box<dyn StorageLock>> {
        self.disk.lock(name)
    }
}

#[test]
fn a_directory_moved_away_and_back_holds_every_line_once() {
    for look_ups in [1, 2] {
        let place = Place::new();
        let journal = place.journal(1_000);
        let storage = MovedAside {
            disk: place.disk(),
            root: place.root.path().to_owned(),
            look_ups: Arc::new(AtomicUsize::new(0)),
        };
        let counter = Arc::clone(&storage.look_ups);
        let mut pump = place.pump_on(Arc::new(storage), &journal, 1 << 20);
        let mut now = start();
        append_synced(&journal, &lines(1, 50));
        let _ = run(&mut pump, &mut now);
        counter.store(look_ups, Ordering::SeqCst);
        append_synced(&journal, &lines(50, 100));
        let _ = run(&mut pump, &mut now);
        assert!(pump.watch().status().failing.is_some() && !place.dir().exists());
        fs::rename(place.root.path().join("aside"), place.dir()).unwrap();
        drain(&mut pump, &mut now);
        assert_eq!(place.numbers(), wanted(100), "moved before look-up {look_ups}");
    }
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
