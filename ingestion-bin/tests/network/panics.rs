//! A panic in state code: the worker ends at once and takes the service with it; the next start has everything from journal and history.
//! Planted from outside: the worker looks up what it published in its journal, through a storage that panics there when it is told to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyperliquid_client::sim::SimConfig;
use ingestion_bin::account::Settings;
use ingestion_bin::runtime::{Service, Storages};
use messaging::storage::{DiskStorage, Storage, StorageLock, StoredFile};

use super::support::eventually;
use super::support::inside::Inside;
use super::support::judge::Allowed;
use super::support::legs::{Legs, Setting};
use super::support::service::lines;

/// The disk; whoever reads from it on a worker's thread panics while armed.
#[derive(Clone, Debug)]
struct Mined {
    disk: DiskStorage,
    armed: Arc<AtomicBool>,
}

impl Storage for Mined {
    fn create(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.disk.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        self.disk.open(name)
    }
    fn open_read(&self, name: &str) -> io::Result<Box<dyn StoredFile>> {
        let on_worker = std::thread::current().name().is_some_and(|name| name.starts_with("worker"));
        assert!(!(on_worker && self.armed.load(Ordering::Acquire)), "planted");
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

fn start(legs: &Legs, armed: &Arc<AtomicBool>) -> Service {
    let journal = Mined { disk: DiskStorage::new(legs.data().join("journal")), armed: Arc::clone(armed) };
    let storages = Storages { data: Arc::new(DiskStorage::new(legs.data())), journal: Arc::new(journal) };
    Inside::start(legs, storages, Settings::clone).service
}

#[test]
fn a_panic_in_state_code_ends_the_service_and_a_start_restores_it() {
    let armed = Arc::new(AtomicBool::new(false));
    let mut legs = Legs::new(2, &SimConfig::manual(), &Setting::default());
    let service = start(&legs, &armed);
    let on_disk = |legs: &Legs| {
        let wanted = legs.chains.rows().len();
        eventually("signals on disk", || (lines(&legs.data(), "signals").len() >= wanted).then_some(()));
    };
    legs.play(20);
    on_disk(&legs);

    // Copies that differ: what was published is looked up, to tell both contents.
    armed.store(true, Ordering::Release);
    legs.a.venue.add_fault("mismatch".parse().expect("a fault"));
    legs.play(1);
    eventually("the worker has ended", || service.has_failed().then_some(()));
    let stopped = service.stop(Duration::from_secs(20));
    assert!(!stopped.clean, "{stopped:?}");
    legs.play(10);

    armed.store(false, Ordering::Release);
    let service = start(&legs, &armed);
    legs.play(10);
    on_disk(&legs);
    let stopped = service.stop(Duration::from_secs(20));
    assert!(stopped.clean, "{stopped:?}");
    legs.judge(&Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true });
}
