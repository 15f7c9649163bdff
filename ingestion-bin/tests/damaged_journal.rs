//! The real binary on a disk that is really full, and on a journal whose bytes were changed behind its back.

mod support;

use std::collections::BTreeSet;
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
const BOB: &str = "0x0000000000000000000000000000000000b0b002";
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
        Self::following(&[ALICE])
    }

    fn following(users: &[&str]) -> Self {
        let mut sim = SimConfig::manual();
        sim.queue_frames = 1 << 16;
        let venue = SimVenue::start(sim).expect("the venue starts");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let entries: Vec<String> = users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
        let influencers = format!("static = [{}]", entries.join(", "));
        let config = configuration(directory.path(), &venue, &influencers, SMALL);
        Self { venue, chains: Chains::new(1_790_000_000_000, 250), directory, config }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn play(&mut self, count: usize) {
        self.play_for(ALICE, count);
    }

    fn play_for(&mut self, user: &str, count: usize) {
        for _ in 0..count {
            let block = self.chains.block(&[user], "ETH");
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
        let Ok(entries) = std::fs::read_dir(self.data().join("journal")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        paths.sort();
        paths
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        ingestion().args(arguments).arg("--config").arg(&self.config).output().expect("the binary starts")
    }

    /// `verify` ends with `code` and prints all of `texts`.
    fn verifies(&self, arguments: &[&str], code: i32, texts: &[&str]) {
        let verify = self.ask(&[&["verify"], arguments].concat());
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert!(texts.iter().all(|text| said.contains(text)), "{texts:?} in {said}");
        assert_eq!(verify.status.code(), Some(code), "{said}");
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

/// The first position of a segment, as it is named to people.
fn number(segment: &Path) -> String {
    segment.file_stem().expect("a name").to_string_lossy().trim_start_matches('0').to_owned()
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
    while scene.segments().len() < 3 {
        scene.run(2_000);
    }
    let segments = scene.segments();
    let old = &segments[1];
    let length = std::fs::metadata(old).expect("there").len();
    flip(old, length - length / 4);

    let stored = judge::stored(&scene.data());
    let replay = scene.ask(&["replay"]);
    let said = String::from_utf8_lossy(&replay.stderr).into_owned();
    assert_eq!(replay.status.code(), Some(1), "{said}");
    let number = number(old);
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

    let raw = scene.ask(&["raw"]);
    assert_eq!(raw.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&raw.stderr).contains(&number));
    // The sinks had what lay there, so nobody declared anything.
    scene.verifies(
        &[],
        1,
        &[&number, "; no sink has declared it", "unreadable parts of the journal 1 (0 declared)"],
    );

    // The service goes on, and its files stay whole.
    scene.run(50);
    scene.judge();
}

/// Where the oldest signals are no longer kept, the first ones that are there begin anywhere; where nothing says so, they are missed.
#[test]
fn a_log_whose_oldest_files_were_deleted_is_sound() {
    let mut scene = Scene::set();
    let bounds = ["--set", "signals.rotate_bytes=16384", "--set", "signals.max_bytes=65536"];
    let service = Service::start(&scene.config, &bounds);
    service.wait_ready();
    scene.play(600);
    eventually("all are counted", || {
        (service.metric("ingestion_events_total{disposition=\"signal\"}") >= 600.0).then_some(())
    });
    assert_eq!(service.stop().status.code(), Some(0));
    let first = judge::stored(&scene.data()).first().map(|signal| signal["seq"].as_u64());
    assert!(first > Some(Some(1)), "the oldest file is there: {first:?}");
    scene.verifies(&[], 0, &[]);

    std::fs::remove_file(scene.data().join("signals/older.deleted")).expect("it says why they are missing");
    scene.verifies(&[], 1, &["begins with seq"]);
}

/// A sink that comes later has what the journal still holds, or what comes from now on: what is older is nobody's loss.
#[test]
fn a_log_that_begins_later_than_its_journal_is_sound() {
    let mut scene = Scene::set();
    let bounds = ["--set", "signals.sink=none", "--set", "journal.max_bytes=262144"];
    let service = Service::start(&scene.config, &bounds);
    service.wait_ready();
    let first = eventually("a segment", || scene.segments().first().cloned());
    eventually("the oldest segment is deleted", || {
        scene.play(200);
        (!first.exists()).then_some(())
    });
    assert_eq!(service.stop().status.code(), Some(0));
    for (from, begins_with_1) in [("oldest", false), ("end", true)] {
        let service = Service::start(&scene.config, &["--set", &format!("signals.from={from}")]);
        service.wait_ready();
        scene.play(50);
        let (last, signals) = (scene.chains.rows().last().expect("played"), scene.data().join("signals"));
        let stored = eventually("the last one", || {
            let stored = service.lines("signals");
            (stored.last()?["timestamp"] == last.fill["time"]).then_some(stored)
        });
        assert_eq!(service.stop().status.code(), Some(0));
        assert_eq!(stored[0]["seq"] == 1, begins_with_1, "{from}: {}", stored[0]);
        assert_eq!(signals.join("older.deleted").exists(), !begins_with_1);
        scene.verifies(&[], 0, &["order breaks 0", "undeclared 0"]);
        // Gone, so that the next one is new.
        std::fs::remove_dir_all(&signals).expect("the files are there");
        std::fs::remove_file(scene.data().join("journal/cursors/signals.file.cursor")).expect("it is there");
    }
}

/// Where a fill that was played lies in a segment that is not the newest: the venue's own bytes of it.
fn in_an_old_segment(scene: &Scene, row: usize) -> Option<(PathBuf, u64)> {
    let row = scene.chains.rows().get(row).expect("played");
    let tid = format!("\"tid\":{}", row.fill.get("tid").expect("every fill has one"));
    let segments = scene.segments();
    let (_newest, old) = segments.split_last()?;
    old.iter().find_map(|path| {
        let bytes = std::fs::read(path).ok()?;
        let at = bytes.windows(tid.len()).position(|window| window == tid.as_bytes())?;
        Some((path.clone(), at as u64))
    })
}

/// Signals are in the journal and in no file yet when their records are damaged. Whatever is killed when: for each influencer and
/// market that lost some a gap record is on disk when the sink has passed, one for each loss, also where nothing came behind it.
#[test]
fn signals_lost_before_their_sink_had_them_are_declared() {
    let mut scene = Scene::following(&[ALICE, BOB]);
    let service = Service::start(&scene.config, &["--set", "signals.sink=paused"]);
    service.wait_ready();
    // One in the middle of a chain, one at its end; how soon a segment ends depends on how much is written at a time.
    let rows = [100, 299];
    for (user, count) in [(ALICE, 200), (BOB, 100), (ALICE, 2_000)] {
        scene.play_for(user, count);
    }
    eventually("both are in old segments", || {
        scene.play(100);
        let wanted = scene.chains.rows().len();
        eventually("all are counted", || {
            let counted = service.metric("ingestion_events_total{disposition=\"signal\"}");
            (counted >= f64::from(u32::try_from(wanted).expect("few"))).then_some(())
        });
        rows.iter().all(|row| in_an_old_segment(&scene, *row).is_some()).then_some(())
    });
    assert_eq!(service.stop().status.code(), Some(0));
    let played = scene.chains.rows().len();
    let named = rows.map(|row| {
        let (path, at) = in_an_old_segment(&scene, row).expect("found before");
        flip(&path, at + 10);
        format!(" of segment {}", number(&path))
    });
    let lost = ["positions ", " at offset ", "; no sink has declared it", "of the journal 2 (0 declared)"];
    scene.verifies(&[], 1, &[&lost[..], &[&named[0], &named[1]]].concat());

    // Killed somewhere on its way past the first hole.
    let mut service = Service::start(&scene.config, &[]);
    service.process.log_line("part of the journal cannot be read");
    service.process.kill();
    let service = Service::start(&scene.config, &[]);
    service.wait_lines("signals", played - 2);
    assert_eq!(service.stop().status.code(), Some(0));

    let time = |row: usize| scene.chains.rows()[row].fill["time"].as_u64().expect("a time");
    let wanted =
        BTreeSet::from([(ALICE.to_owned(), time(99), time(101)), (BOB.to_owned(), time(298), time(299))]);
    let said = |scene: &Scene| -> Vec<Value> {
        let mut gaps = support::service::lines(&scene.data(), "gaps");
        gaps.retain(|gap| gap["kind"] == "history");
        gaps
    };
    let spans = |gaps: &[Value]| -> BTreeSet<(String, u64, u64)> {
        let span = |gap: &Value| {
            assert_eq!((&gap["state"], &gap["market"]), (&"unfillable".into(), &"ETH-PERP".into()));
            let time = |key: &str| gap[key].as_u64().expect("a time");
            (gap["influencerId"].as_str().expect("text").to_owned(), time("fromTime"), time("toTime"))
        };
        gaps.iter().map(span).collect()
    };
    let ids = |gaps: &[Value]| -> BTreeSet<String> {
        gaps.iter().map(|gap| gap["gapId"].as_str().expect("text").to_owned()).collect()
    };
    let gaps = said(&scene);
    assert_eq!((spans(&gaps), ids(&gaps).len()), (wanted.clone(), 2));
    let verified = |scene: &Scene| {
        let declared = ["order breaks 0", "undeclared 0", "unreadable parts of the journal 2 (2 declared)"];
        scene.verifies(&[], 0, &declared);
        scene.verifies(&["--strict"], 1, &declared);
        scene.verifies(&[], 0, &[&named[0], &named[1], "; the signals in it are declared"]);
    };
    verified(&scene);

    // A later run says them again in its epoch, as the same gaps, and finds nothing new.
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    scene.play(50);
    service.wait_lines("signals", played + 48);
    assert_eq!(service.stop().status.code(), Some(0));
    let again = said(&scene);
    assert_eq!((spans(&again), ids(&again)), (wanted, ids(&gaps)));
    assert_eq!(again.len(), gaps.len() + 2);
    verified(&scene);
}

/// Nothing is lost by it, so nothing but a name tells of it: from every command that reads the journal, and from a sink that comes by.
#[test]
fn a_flipped_byte_in_front_of_an_old_segment_is_named() {
    let mut scene = Scene::set();
    let service = Service::start(&scene.config, &["--set", "signals.sink=paused"]);
    service.wait_ready();
    eventually("four segments", || {
        scene.play(200);
        (scene.segments().len() >= 4).then_some(())
    });
    let wanted = scene.chains.rows().len();
    eventually("all are counted", || {
        let counted = service.metric("ingestion_events_total{disposition=\"signal\"}");
        (counted >= f64::from(u32::try_from(wanted).expect("few"))).then_some(())
    });
    assert_eq!(service.stop().status.code(), Some(0));
    let segments = scene.segments();
    flip(&segments[1], 20);
    flip(&segments[2], 100);
    let named = [
        format!("the header of segment {}", number(&segments[1])),
        format!("the checkpoint of segment {}", number(&segments[2])),
    ];
    let named_by_verify: Vec<&str> = named.iter().map(String::as_str).collect();
    scene.verifies(&[], 1, &named_by_verify);
    for command in ["replay", "raw"] {
        let output = scene.ask(&[command]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(named.iter().all(|name| said.contains(name)), "{command}: {said}");
    }

    let service = Service::start(&scene.config, &[]);
    service.wait_lines("signals", wanted);
    assert!(service.metric("ingestion_journal_damage_total") >= 2.0);
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    assert!(end.log.contains("part=\"header\"") && end.log.contains("part=\"checkpoint\""), "{}", end.log);
    scene.judge();
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let mut scene = Scene::set();
    // How many segments there are depends on how much is written at a time; the first one's checkpoint is of nothing.
    while scene.segments().len() < 2 {
        scene.run(600);
    }
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
    let printed = service.printed_status(&[]);
    assert!(printed.contains("ready      false journal: the disk fails: "), "in words: {printed}");
    let shown = ["ingestion_journal_failing", "ingestion_failures_total{operation=\"journal_write\"}"];
    eventually("metrics", || shown.iter().all(|series| service.metric(series) >= 1.0).then_some(()));
    let durable = service.lines("signals").len();
    assert!(durable < 420, "{durable} signals are claimed");
    assert_eq!(service.get("/live").0, 200, "it lives, and keeps what it was given");

    disk.empty();
    scene.caught_up(&service);
    eventually("200", || (service.get("/ready").0 == 200).then_some(()));
    eventually("the alarm is over", || (service.metric(shown[0]) == 0.0).then_some(()));
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    scene.judge();
    drop(disk);
}
