//! The real binary on files that were changed behind its back: a journal with other bytes or without its beginning, signals that are gone.

mod support;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::eventually;
use support::judge;
use support::scene::Scene;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000000b0b002";
/// The smallest segments that can be configured: a thousand fills fill many.
const SMALL: &str = "[journal]\nsegment_bytes = 65536\nmax_bytes = 67108864";

/// Follows these from small segments.
fn following(users: &[&str]) -> Scene {
    let entries: Vec<String> = users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
    Scene::new(250, |_| format!("static = [{}]", entries.join(", ")), SMALL)
}

/// Waits until all that was played is counted.
fn counted(scene: &Scene, service: &Service) {
    let wanted = f64::from(u32::try_from(scene.chains.rows().len()).expect("few"));
    eventually("all are counted", || {
        (service.metric("ingestion_events_total{disposition=\"signal\"}") >= wanted).then_some(())
    });
}

/// The journal's segments, oldest first.
fn segments(scene: &Scene) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(scene.data().join("journal")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    paths.sort();
    paths
}

/// Runs until `count` fills more are signals, and stops gracefully.
fn run(scene: &mut Scene, count: usize) {
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    scene.play_many(ALICE, count);
    scene.caught_up(&service);
    service.stop_well();
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
    let mut scene = following(&[ALICE]);
    while segments(&scene).len() < 3 {
        run(&mut scene, 2_000);
    }
    let old = &segments(&scene)[1];
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
    run(&mut scene, 50);
    scene.judge(ALICE);
}

/// Files of signals that somebody took away are missed, also the newest ones and all, behind which no number jumps.
#[test]
fn signals_that_were_written_and_are_in_no_file_are_told() {
    let mut scene = following(&[ALICE]);
    let switched_off = Service::start(&scene.config, &["--set", "signals.sink=none"]);
    switched_off.wait_ready();
    scene.play_many(ALICE, 30);
    counted(&scene, &switched_off);
    switched_off.stop_well();
    // A sink that is new here begins at the end: it has written nothing yet, so nothing is missed.
    let service = Service::start(&scene.config, &["--set", "signals.rotate_bytes=16384"]);
    service.wait_ready();
    scene.verifies(&[], 0, &["signals 0,", "in no file 0"]);
    scene.play_many(ALICE, 100);
    eventually("they are written", || (judge::stored(&scene.data()).len() >= 100).then_some(()));
    service.stop_well();
    scene.verifies(&[], 0, &["signals 100,", "in no file 0"]);

    let (signals, aside) = (scene.data().join("signals"), scene.data().join("aside"));
    let mut files: Vec<PathBuf> =
        signals.read_dir().expect("there").map(|file| file.expect("an entry").path()).collect();
    files.sort();
    let newest = files.last().expect("some");
    let in_newest = std::fs::read_to_string(newest).expect("text").lines().count();
    std::fs::copy(newest, &aside).expect("copied");
    std::fs::remove_file(newest).expect("removed");
    let told = format!("in no file {in_newest},");
    scene.verifies(
        &[],
        1,
        &["order breaks 0", &told, "it was written, and is in the journal, and is not in the log"],
    );
    std::fs::rename(&aside, newest).expect("put back");
    scene.verifies(&[], 0, &["in no file 0"]);
    std::fs::rename(&signals, &aside).expect("taken away");
    scene.verifies(&[], 1, &["signals 0,", "in no file 100,"]);
    std::fs::rename(&aside, &signals).expect("put back");
    scene.verifies(&[], 0, &["in no file 0"]);
}

/// Where the oldest signals are no longer kept, the first ones that are there begin anywhere; where nothing says so, they are missed.
#[test]
fn a_log_whose_oldest_files_were_deleted_is_sound() {
    let mut scene = following(&[ALICE]);
    let bounds = ["--set", "signals.rotate_bytes=16384", "--set", "signals.max_bytes=65536"];
    let service = Service::start(&scene.config, &bounds);
    service.wait_ready();
    scene.play_many(ALICE, 600);
    counted(&scene, &service);
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
    let mut scene = following(&[ALICE]);
    let bounds = ["--set", "signals.sink=none", "--set", "journal.max_bytes=262144"];
    let service = Service::start(&scene.config, &bounds);
    service.wait_ready();
    let first = eventually("a segment", || segments(&scene).first().cloned());
    eventually("the oldest segment is deleted", || {
        scene.play_many(ALICE, 200);
        (!first.exists()).then_some(())
    });
    assert_eq!(service.stop().status.code(), Some(0));
    for (from, begins_with_1) in [("oldest", false), ("end", true)] {
        let service = Service::start(&scene.config, &["--set", &format!("signals.from={from}")]);
        service.wait_ready();
        scene.play_many(ALICE, 50);
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

/// With the journal everything is lost that it stood for; the files say since when, so it is declared, also where the list does not.
#[test]
fn a_lost_journal_is_declared() {
    let mut scene = following(&[ALICE, BOB]);
    run(&mut scene, 40);
    let newest = scene.chains.rows().last().expect("played").fill["time"].as_u64();
    for lost in ["journal", "segments"] {
        scene.play_many(ALICE, 10);
        if lost == "journal" {
            std::fs::remove_dir_all(scene.data().join("journal")).expect("it is there");
            scene.verifies(&[], 0, &["there is no journal"]);
        } else {
            segments(&scene).iter().for_each(|path| std::fs::remove_file(path).expect("it is there"));
            scene.verifies(
                &[],
                1,
                &["unreadable: positions", "unreadable parts of the journal 1 (0 declared)"],
            );
            assert_eq!(scene.ask(&["replay"]).status.code(), Some(1));
        }
        let before = support::service::lines(&scene.data(), "signals").len();
        let service = Service::start(&scene.config, &[]);
        service.wait_ready();
        scene.play_many(ALICE, 20);
        service.wait_lines("signals", before + 20);
        service.stop_well();
        let gaps = support::service::lines(&scene.data(), "gaps");
        let of = |id: &str| {
            gaps.iter().filter(|gap| gap["kind"] == "history" && gap["influencerId"] == id).count()
        };
        assert_eq!((of(ALICE), of(BOB)), (if lost == "journal" { 1 } else { 2 }, 0), "{gaps:?}");
        let told = ["chain breaks ", "undeclared 0", "order breaks 0"];
        scene.verifies(&[], 0, &told);
        // The journal says so, too.
        std::fs::rename(scene.data().join("gaps"), scene.data().join("aside")).expect("it is there");
        if lost == "journal" {
            scene.verifies(&[], 0, &told);
        }
        std::fs::rename(scene.data().join("aside"), scene.data().join("gaps")).expect("it is there");
    }
    let gaps = support::service::lines(&scene.data(), "gaps");
    let first = gaps.iter().find(|gap| gap["kind"] == "history").expect("declared");
    assert_eq!(first["fromTime"].as_u64(), newest);
}

/// Where a fill that was played lies in a segment that is not the newest: the venue's own bytes of it.
fn in_an_old_segment(scene: &Scene, row: usize) -> Option<(PathBuf, u64)> {
    let row = scene.chains.rows().get(row).expect("played");
    let tid = format!("\"tid\":{}", row.fill.get("tid").expect("every fill has one"));
    let paths = segments(scene);
    let (_newest, old) = paths.split_last()?;
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
    let mut scene = following(&[ALICE, BOB]);
    let service = Service::start(&scene.config, &["--set", "signals.sink=paused"]);
    service.wait_ready();
    // One in the middle of a chain, one at its end; how soon a segment ends depends on how much is written at a time.
    let rows = [100, 299];
    for (user, count) in [(ALICE, 200), (BOB, 100), (ALICE, 2_000)] {
        scene.play_many(user, count);
    }
    eventually("both are in old segments", || {
        scene.play_many(ALICE, 100);
        counted(&scene, &service);
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
    scene.play_many(ALICE, 50);
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
    let mut scene = following(&[ALICE]);
    let service = Service::start(&scene.config, &["--set", "signals.sink=paused"]);
    service.wait_ready();
    eventually("four segments", || {
        scene.play_many(ALICE, 200);
        (segments(&scene).len() >= 4).then_some(())
    });
    let wanted = scene.chains.rows().len();
    counted(&scene, &service);
    assert_eq!(service.stop().status.code(), Some(0));
    let paths = segments(&scene);
    flip(&paths[1], 20);
    flip(&paths[2], 100);
    let named = [
        format!("the header of segment {}", number(&paths[1])),
        format!("the checkpoint of segment {}", number(&paths[2])),
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
    scene.judge(ALICE);
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let mut scene = following(&[ALICE]);
    // How many segments there are depends on how much is written at a time; the first one's checkpoint is of nothing.
    while segments(&scene).len() < 2 {
        run(&mut scene, 600);
    }
    let newest = segments(&scene).pop().expect("a segment");
    // Behind the segment's header of 64 bytes lies the checkpoint.
    flip(&newest, 100);

    let service = Service::start(&scene.config, &[]);
    service.process.log_line("a damaged checkpoint was passed over");
    service.wait_ready();
    scene.play_many(ALICE, 50);
    scene.caught_up(&service);
    service.stop_well();
    scene.judge(ALICE);
}
