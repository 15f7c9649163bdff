//! The real binary on a disk that is really full, and on a journal whose bytes were changed behind its back.

mod support;

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hyperliquid_client::sim::{SimConfig, SimHandle, SimVenue};
use serde_json::Value;
use support::document::documents;
use support::eventually;
use support::judge::{self, Allowed};
use support::market::Chains;
use support::process::ingestion;
use support::service::{Service, configuration};

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
/// The smallest segments that can be configured: a thousand fills fill many.
const SMALL: &str = "[journal]\nsegment_bytes = 65536\nmax_bytes = 67108864";

/// A venue and a place for one service after the other.
struct Scene {
    venue: SimHandle,
    chains: Chains,
    directory: tempfile::TempDir,
    config: PathBuf,
}

impl Scene {
    fn set() -> Self {
        let mut sim = SimConfig::manual();
        sim.queue_frames = 1 << 16;
        let venue = SimVenue::start(sim).expect("the venue starts");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let influencers = format!("static = [{{ address = {ALICE:?} }}]");
        let config = configuration(directory.path(), &venue, &influencers, SMALL);
        Self { venue, chains: Chains::new(1_790_000_000_000, 250), directory, config }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn play(&mut self, count: usize) {
        for _ in 0..count {
            let block = self.chains.block(&[ALICE], "ETH");
            self.venue.play(&block);
        }
    }

    /// Waits until all that was played is on disk.
    fn caught_up(&self, service: &Service) {
        service.wait_lines("signals", self.chains.rows().len());
    }

    fn judge(&self) {
        let expected = documents(self.chains.rows(), &[ALICE.to_owned()]);
        let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
        judge::judge(&judge::stored(&self.data()), &expected, &allowed);
    }

    /// The segments, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data().join("journal")).expect("readable");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        paths.sort();
        paths
    }

    fn ask(&self, command: &str) -> Output {
        ingestion().arg(command).arg("--config").arg(&self.config).output().expect("the binary starts")
    }

    /// Runs until `count` fills are signals, and stops gracefully.
    fn run(&mut self, count: usize) {
        let service = Service::start(&self.config, &[]);
        service.wait_ready();
        self.play(count);
        self.caught_up(&service);
        let end = service.stop();
        assert_eq!(end.status.code(), Some(0), "{}", end.log);
    }
}

/// Inverts one bit.
fn flip(path: &Path, offset: u64) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).expect("opens");
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset)).expect("seeks");
    file.read_exact(&mut byte).expect("reads");
    file.seek(SeekFrom::Start(offset)).expect("seeks");
    file.write_all(&[byte[0] ^ 4]).expect("writes");
}

#[test]
fn a_flipped_byte_in_an_old_segment_is_named_and_the_rest_is_readable() {
    let mut scene = Scene::set();
    scene.run(2_000);
    let segments = scene.segments();
    assert!(segments.len() >= 3, "{segments:?}");
    let old = &segments[1];
    let length = std::fs::metadata(old).expect("there").len();
    flip(old, length - length / 4);

    let stored = judge::stored(&scene.data());
    let replay = scene.ask("replay");
    let said = String::from_utf8_lossy(&replay.stderr).into_owned();
    assert_eq!(replay.status.code(), Some(1), "{said}");
    let number = old.file_stem().expect("a name").to_string_lossy().trim_start_matches('0').to_owned();
    assert!(said.contains("unreadable") && said.contains(&number), "the segment {number} is named: {said}");
    let lines: Vec<Value> = replay
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert!(
        lines.len() < stored.len() && lines.len() + 400 > stored.len(),
        "{} of {}",
        lines.len(),
        stored.len()
    );
    assert!(lines.iter().all(|line| stored.contains(line)), "what is readable is as it was");
    assert_eq!(lines.last(), stored.last(), "what lies behind the damage is readable");

    let raw = scene.ask("raw");
    assert_eq!(raw.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&raw.stderr).contains(&number));

    // The service goes on, and its files stay whole.
    scene.run(50);
    scene.judge();
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let mut scene = Scene::set();
    scene.run(600);
    let newest = scene.segments().pop().expect("a segment");
    // Behind the segment's header of 64 bytes lies the checkpoint.
    flip(&newest, 100);

    let service = Service::start(&scene.config, &[]);
    service.process.log_line("a damaged checkpoint was passed over");
    service.wait_ready();
    scene.play(50);
    scene.caught_up(&service);
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    scene.judge();
}

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).expect("made");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&path).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("made");
        for size in [4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_really_full() {
    let mut scene = Scene::set();
    let Some(disk) = SmallDisk::mount(scene.data().join("journal")) else {
        println!("SKIPPED: no tmpfs can be mounted here; sick_disk.rs tries a full disk in memory");
        return;
    };
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    scene.play(20);
    scene.caught_up(&service);

    disk.fill();
    scene.play(400);
    let reason = eventually("503", || {
        let (code, body) = service.get("/ready");
        (code == 503).then_some(body)
    });
    assert!(reason.contains("journal") && reason.contains("No space left on device"), "{reason}");
    assert!(service.printed_status(&[]).contains("ready      false"));
    let durable = service.lines("signals").len();
    assert!(durable < 420, "{durable} signals are claimed");
    assert_eq!(service.get("/live").0, 200, "it lives, and keeps what it was given");

    disk.empty();
    scene.caught_up(&service);
    eventually("200", || (service.get("/ready").0 == 200).then_some(()));
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    scene.judge();
    drop(disk);
}
