//! The journal's disk fails while everything goes to a real Kafka: full, EIO, an fsync that hangs, the power goes (fault rows 55, 56, 58,
//! 61). The topic has every signal, in order, and a repeat has an id that is there already.
#![cfg(feature = "kafka")]
#![allow(clippy::print_stdout, reason = "a test says what it saw")]

mod support;

use std::time::Duration;

use messaging::kafka::{KafkaConfig, Topic, create_topics};
use messaging::storage::{FaultyStorage, IoFault};
use support::drill::{Drill, World};
use support::eventually;
use support::topics::{LONG, signals};
use test_services::{kcat, or_skip, shared_kafka, until};

const NAME: &str = "sick_disk_kafka";
/// Fewer frames than the journal's queue has places for: nothing is refused, all of it waits.
const FEW: usize = 300;

/// A world whose signals go to a topic of their own.
struct Scene {
    world: World,
    brokers: String,
    topic: String,
}

impl Scene {
    fn set(name: &str, seed: u64) -> Option<Self> {
        let brokers = or_skip(NAME, shared_kafka())?;
        or_skip(NAME, kcat(&["-V"]))?;
        let topic = format!("{NAME}-{name}");
        let wanted = Topic { name: topic.clone(), partitions: 3, replication: None, settings: Vec::new() };
        let made = create_topics(&KafkaConfig::new(&brokers), &[wanted], LONG).expect("the cluster answers");
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        Some(Self { world: World::new(seed), brokers, topic })
    }

    fn start(&self) -> Drill {
        let sets =
            [("kafka.brokers", &*self.brokers), ("signals.sink", "kafka"), ("signals.topic", &*self.topic)];
        Drill::start_with(&self.world, &sets)
    }

    /// Waits until every fill played so far is a signal in the topic, and judges them; how many repeats there are.
    fn wait_all(&self) -> usize {
        let wanted = self.world.chains.rows().len();
        let found = until(LONG, || {
            Some(signals(&self.brokers, &self.topic)).filter(|(found, _)| found.len() >= wanted)
        });
        let (found, repeats) = found
            .unwrap_or_else(|| panic!("{} of {wanted} signals", signals(&self.brokers, &self.topic).0.len()));
        self.world.judge_signals(found, wanted);
        repeats
    }
}

/// Fills flow, the disk falls ill, more come, it recovers, fills flow on.
fn falls_ill_and_recovers(name: &str, fall_ill: impl Fn(&FaultyStorage)) {
    let Some(mut scene) = Scene::set(name, 7) else { return };
    let drill = scene.start();
    scene.world.play(20);
    scene.wait_all();
    fall_ill(&scene.world.journal);
    scene.world.play(FEW);
    eventually("not ready because of the disk", || drill.reasons().contains("journal: ").then_some(()));
    assert_eq!(drill.total("frames refused", ""), 0);
    scene.world.journal.heal();
    scene.world.journal.set_capacity(None);
    scene.world.play(1);
    assert_eq!(scene.wait_all(), 0, "repeats");
    eventually("ready again", || drill.ready().then_some(()));
    let stopped = drill.stop();
    assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
}

#[test]
fn a_full_disk() {
    falls_ill_and_recovers("full", |disk| disk.set_capacity(Some(0)));
}

#[test]
fn writes_fail() {
    falls_ill_and_recovers("writes", |disk| disk.fail_writes(u32::MAX, IoFault::Device));
}

#[test]
fn fsyncs_fail() {
    falls_ill_and_recovers("fsyncs", |disk| disk.fail_syncs(u32::MAX, IoFault::Device));
}

/// Nobody waits for it but what must be durable: listeners hear on, their rows are taken. What was written before goes out.
#[test]
fn an_fsync_hangs() {
    let Some(mut scene) = Scene::set("hangs", 8) else { return };
    let drill = scene.start();
    scene.world.play(20);
    scene.wait_all();
    scene.world.journal.hold_syncs();
    let before = drill.total("rows", "live");
    scene.world.play(FEW);
    // Twice: both listeners show every row.
    eventually("all rows are taken", || {
        (drill.total("rows", "live") >= before + 2 * FEW as u64).then_some(())
    });
    assert_eq!(
        (drill.total("frames refused", ""), drill.service.status().worker().listeners_connected),
        (0, 2)
    );
    scene.world.journal.heal();
    assert_eq!(scene.wait_all(), 0, "repeats");
    let stopped = drill.stop();
    assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
}

/// A topic may be ahead of the disk (`publish_after = "append"`): what the power takes is fetched again, under the same ids.
#[test]
fn the_power_goes() {
    let Some(mut scene) = Scene::set("power", 100) else { return };
    let drill = scene.start();
    scene.world.play(40);
    scene.wait_all();
    scene.world.play(FEW);
    eventually("some arrived", || (drill.total("rows", "live") >= 200).then_some(()));
    scene.world.journal.power_loss();
    scene.world.data.power_loss();
    let _dead = drill.service.stop(Duration::from_millis(200));
    scene.world.journal.heal();

    let drill = scene.start();
    scene.world.play(30);
    let repeats = scene.wait_all();
    println!("{repeats} repeats after the power was gone");
    let stopped = drill.stop();
    assert!(stopped.clean, "{stopped:?}");
}
