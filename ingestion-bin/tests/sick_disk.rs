//! The disk fails while fills flow: full, EIO on write, EIO on fsync, the power goes. What the venue holds is the truth: when the
//! disk is well again every fill is a signal, once, in order; meanwhile nothing is claimed that is not there, and it shows.

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use messaging::storage::{FaultyStorage, IoFault};
use support::drill::{Drill, World};
use support::eventually;

/// What the journal's queue holds easily.
const FEW: usize = 300;
/// More frames than it has places for.
const MANY: usize = 2_000;
/// Batches the journal's queue takes at most.
const QUEUE_BATCHES: usize = 1_024;
/// Enough new rows for history to be read again at once, and enough venue time for it to certify what lies before.
const AFTERWARDS: usize = 1_600;

/// Fills flow, the journal's disk falls ill, `frames` more come, the disk recovers, fills flow on.
fn fall_ill_and_recover(frames: usize, fall_ill: impl Fn(&FaultyStorage)) {
    let mut world = World::new(7);
    let batches = QUEUE_BATCHES.to_string();
    let drill = Drill::start_with(&world, &[("journal.queue_batches", &batches)]);
    world.play(20);
    world.wait_all();

    fall_ill(&world.journal);
    world.play(frames);
    eventually("not ready because of the disk", || drill.reasons().contains("journal: ").then_some(()));
    let full = frames > QUEUE_BATCHES;
    if full {
        eventually("no room", || drill.service.status().worker().blocked.then_some(()));
        // How many depends on how soon a listener that shows nothing of what the other one brought is connected anew.
        eventually("frames are refused", || (drill.total("frames refused", "") > 0).then_some(()));
    }
    // The sinks follow what is durable; nothing has been since.
    world.judge_prefix(20);

    world.journal.heal();
    world.journal.set_capacity(None);
    world.play(1);
    world.wait_all();
    eventually("ready again", || drill.ready().then_some(()));
    if full {
        let opened =
            eventually("an outage", || Some(outages(&world, "opened")).filter(|gaps| !gaps.is_empty()));
        world.play(AFTERWARDS);
        eventually("its end", || outages(&world, "repaired").is_superset(&opened).then_some(()));
        world.wait_all();
    } else {
        assert_eq!(drill.total("frames refused", ""), 0);
    }
    let stopped = drill.stop();
    assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
    world.judge();
}

/// The ids of the outage gaps that were ever in this state.
fn outages(world: &World, state: &str) -> BTreeSet<String> {
    let mut gaps = world.lines("gaps");
    gaps.retain(|gap| gap["kind"] == "outage" && gap["state"] == state);
    gaps.iter().map(|gap| gap["gapId"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_full_disk() {
    fall_ill_and_recover(MANY, |disk| disk.set_capacity(Some(0)));
}

#[test]
fn writes_fail() {
    fall_ill_and_recover(FEW, |disk| disk.fail_writes(u32::MAX, IoFault::Device));
}

#[test]
fn fsyncs_fail() {
    fall_ill_and_recover(FEW, |disk| disk.fail_syncs(u32::MAX, IoFault::Device));
}

#[test]
fn the_disk_of_the_files_fails() {
    let mut world = World::new(8);
    let drill = Drill::start(&world);
    world.play(20);
    world.wait_all();
    for sick in 0..3 {
        match sick {
            0 => world.data.set_capacity(Some(0)),
            1 => world.data.fail_writes(u32::MAX, IoFault::Device),
            _ => world.data.fail_syncs(u32::MAX, IoFault::Device),
        }
        world.play(50);
        eventually("the sink says so", || {
            let status = drill.service.status().json();
            let sinks = status["sinks"].as_array().expect("sinks").clone();
            sinks.iter().any(|sink| sink["stream"] == "signals" && !sink["failing"].is_null()).then_some(())
        });
        world.data.heal();
        world.data.set_capacity(None);
        world.wait_all();
    }
    let stopped = drill.stop();
    assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
    world.judge();
}

#[test]
fn the_power_goes() {
    for seed in 0..2 {
        let mut world = World::new(100 + seed);
        let drill = Drill::start(&world);
        world.play(40);
        world.wait_all();
        // Some of these are durable when the power goes, some written, some on their way; or none since the disk lost its fsync.
        if seed == 1 {
            world.journal.fail_syncs(u32::MAX, IoFault::Device);
        }
        world.play(300);
        let some = 100 + 60 * seed;
        eventually("some arrived", || (drill.total("rows", "live") >= some).then_some(()));
        if seed == 1 {
            eventually("it shows", || drill.reasons().contains("journal: ").then_some(()));
        }
        world.journal.power_loss();
        world.data.power_loss();
        let _dead = drill.service.stop(Duration::from_millis(200));
        world.journal.heal();
        world.judge_claims();

        let drill = Drill::start(&world);
        world.play(30);
        world.wait_all();
        let stopped = drill.stop();
        assert!(stopped.clean, "seed {seed}: {stopped:?}");
        world.judge();
    }
}
