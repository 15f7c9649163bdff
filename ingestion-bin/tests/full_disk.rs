//! The real binary on a disk that is really full.

mod support;

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use support::eventually;
use support::judge;
use support::scene::Scene;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

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
    let mut scene = Scene::new(250, |_| format!("static = [{{ address = {ALICE:?} }}]"), "");
    let Some(disk) = SmallDisk::mount(scene.data().join("journal")) else {
        println!("SKIPPED: no tmpfs can be mounted here; sick_disk.rs tries a full disk in memory");
        return;
    };
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    scene.play_many(ALICE, 20);
    scene.caught_up(&service);

    disk.fill();
    scene.play_many(ALICE, 400);
    let reason = eventually("503", || {
        let (code, body) = service.get("/ready");
        (code == 503).then_some(body)
    });
    assert!(reason.contains("journal") && reason.contains("No space left on device"), "{reason}");
    let printed = service.printed_status(&[]);
    assert!(printed.contains("ready      false journal: the disk fails: "), "in words: {printed}");
    let shown = ["ingestion_journal_failing", "ingestion_failures_total{operation=\"journal_write\"}"];
    eventually("metrics", || shown.iter().all(|series| service.metric(series) >= 1.0).then_some(()));
    // What is claimed is in the journal on the full disk, byte for byte; what is not there is not claimed.
    let claimed = judge::concatenated(&scene.data(), "signals");
    let kept = scene.ask(&["replay"]).stdout;
    assert!(kept.starts_with(&claimed), "{} bytes claimed, {} kept", claimed.len(), kept.len());
    let count = claimed.iter().filter(|byte| **byte == b'\n').count();
    assert!((20..420).contains(&count), "{count} signals are claimed");
    assert_eq!(service.get("/live").0, 200, "it lives, and keeps what it was given");

    disk.empty();
    scene.caught_up(&service);
    eventually("200", || (service.get("/ready").0 == 200).then_some(()));
    eventually("the alarm is over", || (service.metric(shown[0]) == 0.0).then_some(()));
    service.stop_well();
    scene.judge(ALICE);
    drop(disk);
}
