//! Hand-over between machines with a real Redis and a real Kafka: another instance, with an empty disk or standing by, goes on where one
//! stopped; nothing is lost, repeats are of ids that are there already, and who was taken over changes nothing any more.
#![cfg(all(feature = "kafka", feature = "redis"))]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by a panic and says what it saw"
)]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use influencer_registry::RedisAddress;
use ingestion_bin::config::{Config, Sources};
use ingestion_bin::runtime::{Followed, Service as Running, Storages, events, machine_settings};
use ingestion_bin::shared::{Claim, Place, take};
use observability::Telemetry;
use serde_json::Value;
use support::document::documents;
use support::eventually;
use support::inside::fast;
use support::judge::{self, Allowed};
use support::scene::Scene;
use support::service::{Service, configuration};
use support::topics::{Stored, signals, stored, topics};
use test_services::{Redis, kcat, or_skip, shared_kafka, until};

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000a11ce0002";

/// Seconds; what the issue allows on top to take over.
const LEASE_S: u64 = 3;
const TAKE_OVER_S: u64 = LEASE_S + 5;

/// A venue, topics and a Redis; instances beside each other, each with a disk of its own.
struct Stage {
    scene: Scene,
    redis: Redis,
    brokers: String,
    name: &'static str,
    disks: Vec<tempfile::TempDir>,
}

impl Stage {
    fn set(name: &'static str) -> Option<Self> {
        let redis = or_skip(name, Redis::start())?;
        let brokers = or_skip(name, shared_kafka())?;
        or_skip(name, kcat(&["-V"]))?;
        let list = format!("static = [{}]", Self::entries());
        let scene = Scene::new(1_000, |_| list, &Self::shares(&redis, &brokers, name));
        scene.ask(&["topics", "create", "--partitions", "3"]);
        Some(Self { scene, redis, brokers, name, disks: Vec::new() })
    }

    fn entries() -> String {
        [ALICE, BOB].map(|address| format!("{{ address = {address:?} }}")).join(",")
    }

    fn shares(redis: &Redis, brokers: &str, name: &str) -> String {
        let state = format!("store = \"redis\"\nredis_url = {:?}\nlease_s = {LEASE_S}\n", redis.url());
        format!("[state]\n{state}{}", topics(brokers, name, ""))
    }

    /// One more instance, which has nothing but the configuration.
    fn instance(&mut self) -> Service {
        let disk = tempfile::tempdir().expect("a temporary directory");
        let config = self.configure(disk.path());
        self.disks.push(disk);
        Service::start(&config, &[])
    }

    fn configure(&self, disk: &Path) -> PathBuf {
        let list = format!("static = [{}]", Self::entries());
        let shares = Self::shares(&self.redis, &self.brokers, self.name);
        configuration(disk, &self.scene.venue, &list, &shares)
    }

    fn play(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.scene.play(&[ALICE, BOB], "ETH");
        }
    }

    /// Waits until everything played is in the topic; the signals without the repeats, and how many those are.
    fn arrived(&self) -> (Vec<Value>, usize) {
        let count = self.scene.chains.rows().len();
        eventually(&format!("{count} signals in the topic"), || {
            let (found, repeats) = signals(&self.brokers, &format!("{}.signals", self.name));
            (found.len() >= count).then_some((found, repeats))
        })
    }

    /// That the topic holds everything played: once by id, in chain order by influencer and market within an epoch.
    fn judge(&self) -> usize {
        let (found, repeats) = self.arrived();
        let expected = documents(self.scene.chains.rows(), &[ALICE.to_owned(), BOB.to_owned()]);
        let origins = ["live", "snapshot", "backfill"];
        judge::judge(&found, &expected, &Allowed { origins: &origins, gaps: None, late: true });
        repeats
    }

    fn redis(&self, words: &[&str]) -> String {
        self.redis.cli(words).unwrap_or_else(|failed| panic!("{words:?}: {failed}"))
    }

    fn epoch(&self) -> u64 {
        self.redis(&["GET", "ingestion:epoch"]).trim().parse().unwrap_or(0)
    }
}

/// The shared state as this instance sees it.
fn shared(service: &Service) -> Value {
    service.status()["sharedState"].clone()
}

/// Waits until it serves, and everybody has a baseline: it may stand by before.
fn ready(service: &Service) {
    eventually("it is ready", || (service.get("/ready").0 == 200).then_some(()));
    service.wait_ready();
}

/// Waits until what is acknowledged is in the Redis.
fn shared_all(service: &Service) {
    eventually("the shared state is written", || {
        let (status, shared) = (service.status(), shared(service));
        let is_behind = status["sinks"].as_array().expect("sinks").iter().any(|sink| sink["lag"] != 0);
        (!is_behind && shared["waiting"] == 0 && shared["position"] == status["journal"]["synced"])
            .then_some(())
    });
}

#[test]
fn an_instance_with_an_empty_disk_goes_on_where_one_was_killed() {
    let Some(mut stage) = Stage::set("empty_disk") else { return };
    let first = stage.instance();
    ready(&first);
    stage.play(20);
    stage.arrived();
    shared_all(&first);
    let (epoch, state) = (stage.epoch(), stage.redis(&["HGET", &key(ALICE, ""), "certified"]));
    assert!(state.contains("\"fills\""), "{state}");
    let market: Value = serde_json::from_str(&stage.redis(&["GET", &key(ALICE, ":ETH-PERP")])).expect("JSON");
    let rows = stage.scene.chains.rows().iter().filter(|row| row.user == ALICE).count();
    assert_eq!((&market["seq"], &market["epoch"]), (&rows.into(), &epoch.into()), "{market}");

    // In the middle of a stream.
    stage.play(5);
    drop(first);
    stage.play(40);
    let second = stage.instance();
    second.process.log_line("goes on from the shared state");
    ready(&second);
    stage.play(5);
    let repeats = stage.judge();
    assert!(stage.epoch() > epoch, "the next writer has a higher epoch");
    let unfillable = |gap: &Value| gap["state"] == "unfillable";
    let gaps = second.status()["gaps"].as_array().cloned().unwrap_or_default();
    assert!(!gaps.iter().any(unfillable), "history had everything: {gaps:?}");
    println!("taken over with {repeats} repeats");
    second.stop_well();
    assert_eq!(stage.redis(&["EXISTS", "ingestion:lease"]).trim(), "0", "given back at the end");
}

#[test]
fn a_standby_takes_over_by_itself() {
    let Some(mut stage) = Stage::set("standby") else { return };
    let first = stage.instance();
    ready(&first);
    let standby = stage.instance();
    standby.process.log_line("stands by: another instance has the lease");
    let (code, why) = standby.get("/ready");
    assert!(code == 503 && why.contains("stands by for"), "{why}");
    assert!(standby.printed_status(&[]).contains("stands by for"), "{}", standby.printed_status(&[]));
    stage.play(20);
    shared_all(&first);

    // SIGKILL.
    let killed = Instant::now();
    drop(first);
    stage.play(5);
    standby.process.log_line("this instance writes");
    let took = killed.elapsed();
    assert!(took.as_secs() < TAKE_OVER_S, "{took:?}");
    ready(&standby);
    stage.play(5);
    stage.judge();

    // SIGSTOP: the next one takes over, and the woken one changes nothing.
    let next = stage.instance();
    next.process.log_line("stands by: another instance has the lease");
    stage.play(3);
    let stopped = Instant::now();
    standby.process.signal("STOP");
    stage.play(10);
    next.process.log_line("this instance writes");
    let took = stopped.elapsed();
    assert!(took.as_secs() < TAKE_OVER_S, "{took:?}");
    ready(&next);
    stage.play(5);
    stage.arrived();
    shared_all(&next);
    let epoch = stage.epoch();
    standby.process.signal("CONT");
    standby.process.log_line("this instance does not write any more");
    let times = || standby.process.log().matches("stands by: another instance has the lease").count();
    eventually("it stands by again", || (times() == 2).then_some(()));
    stage.play(1);
    stage.arrived();
    shared_all(&next);
    assert_eq!((stage.epoch(), written(&stage)), (epoch, [epoch.to_string(), epoch.to_string()]));
    assert_eq!(shared(&next)["leased"], true);
    // The Redis comes back with nothing: who writes is let first and writes everything again, although the standby looks more often.
    stage.redis.kill().expect("killed");
    stage.redis.restart().expect("back");
    let again = || {
        let now = stage.epoch();
        (now >= epoch && written(&stage) == [now.to_string(), now.to_string()]).then_some(())
    };
    until(Duration::from_secs(60), again).unwrap_or_else(|| {
        panic!("epoch {epoch}, now {}: {:?}\n{}", stage.epoch(), written(&stage), next.process.log())
    });
    ready(&next);
    assert_eq!((standby.get("/ready").0, &shared(&next)["leased"]), (503, &true.into()));
    stage.play(5);
    let repeats = stage.judge();
    println!("{repeats} repeats after two hand-overs and a wake-up");
    next.stop_well();

    // Stopped as it should be: at once.
    let stopped = Instant::now();
    eventually("the woken one writes again", || (shared(&standby)["leased"] == true).then_some(()));
    assert!(stopped.elapsed().as_secs() < TAKE_OVER_S);
    ready(&standby);
    stage.play(5);
    stage.judge();
    standby.stop_well();
}

/// Where the shared state of an influencer is.
fn key(id: &str, end: &str) -> String {
    format!("ingestion:state:{id}{end}")
}

/// The epoch with which each influencer's state was written.
fn written(stage: &Stage) -> [String; 2] {
    [ALICE, BOB].map(|id| stage.redis(&["HGET", &key(id, ""), "epoch"]).trim().to_owned())
}

#[test]
fn a_redis_that_is_away_or_forgets_stops_nobody() {
    let Some(mut stage) = Stage::set("forgets") else { return };
    let first = stage.instance();
    ready(&first);
    stage.play(10);
    shared_all(&first);
    let epoch = stage.epoch();

    // It forgets everything: it is written again.
    stage.redis(&["FLUSHALL"]);
    eventually("the lease is back", || (stage.epoch() == epoch).then_some(()));
    eventually("everything is written again", || {
        let found = stage.redis(&["EXISTS", &key(ALICE, ""), &key(BOB, ""), &key(BOB, ":ETH-PERP")]);
        (found.trim() == "3").then_some(())
    });

    // It hangs for longer than the lease: publishing goes on, and when it is back the writer begins anew.
    stage.redis.freeze().expect("frozen");
    eventually("that is told", || {
        let (code, why) = first.get("/ready");
        (code == 503 && why.contains("shared state")).then_some(())
    });
    stage.play(20);
    stage.arrived();
    stage.redis.thaw().expect("it goes on");
    stage.play(5);
    stage.arrived();
    eventually("the lease is ours", || (shared(&first)["leased"] == true).then_some(()));
    ready(&first);
    stage.play(5);
    stage.judge();

    // Down at a start: gone on from the journal.
    let config = first.config.clone();
    first.stop_well();
    stage.redis.kill().expect("killed");
    let again = Service::start(&config, &[]);
    again.process.log_line("waits for the Redis of the shared state");
    eventually("it goes on without", || again.status()["accounts"].as_array().map(|_| ()));
    stage.play(5);
    stage.arrived();
    stage.redis.restart().expect("back");
    again.process.log_line("the lease is ours");
    ready(&again);
    stage.judge();
    again.stop_well();
}

/// An open gap goes along, and is closed by the one that took over. In the test's own process, where history is read faster than any
/// configuration asks for.
#[test]
fn open_gaps_go_along() {
    let Some(mut stage) = Stage::set("gaps_go_along") else { return };
    let first = Inside::start(&stage, 1);
    stage.play(10);
    stage.arrived();
    // Nobody hears this block, and history does not answer.
    for fault in ["info-500=1", "mute=*"] {
        stage.scene.venue.add_fault(fault.parse().expect("a fault"));
    }
    stage.play(1);
    stage.scene.venue.clear_faults();
    stage.scene.venue.add_fault("info-500=1".parse().expect("a fault"));
    stage.play(3);
    let opened = eventually("a gap of each is open", || Some(first.gaps()).filter(|gaps| gaps.len() >= 2));
    eventually("they are shared", || {
        let kept = [ALICE, BOB].map(|id| stage.redis(&["HGET", &key(id, ""), "gaps"]));
        kept.iter().all(|gaps| gaps.contains("\"kind\":\"chain\"")).then_some(())
    });
    first.stop();
    let second = Inside::start(&stage, 2);
    let again = second.gaps();
    assert!(opened.is_subset(&again), "{opened:?} {again:?}");
    stage.scene.venue.clear_faults();
    stage.scene.chains.skip(300_000);
    stage.play(1);
    eventually("every gap is closed", || second.gaps().is_empty().then_some(()));
    stage.judge();
    let gaps: Vec<Value> = stored(&stage.brokers, "gaps_go_along.gaps").iter().map(Stored::json).collect();
    let lost = gaps.iter().find(|gap| gap["state"] == "unfillable");
    assert!(lost.is_none(), "history had everything: {lost:?}");
    second.stop();
}

/// An instance in the test's own process.
struct Inside {
    service: Running,
    _disk: tempfile::TempDir,
}

impl Inside {
    fn start(stage: &Stage, number: u32) -> Self {
        let disk = tempfile::tempdir().expect("a temporary directory");
        let path = stage.configure(disk.path());
        let text = std::fs::read_to_string(&path).expect("it was written");
        let config =
            Config::load(&Sources { file: Some((path, text)), ..Sources::default() }).expect("right");
        let place = Place::new(RedisAddress::new(&stage.redis.url(), None).expect("a URL"), "ingestion");
        let mut claim = Claim::new(place, Duration::from_secs(LEASE_S));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let taken = take(&mut claim, || true, false, |waiting| println!("{number}: {waiting:?}"));
        let tenancy = runtime.block_on(taken).expect("a state of ours");
        let telemetry = Telemetry::new(&events::catalogue()).expect("the catalogue is right");
        let follow = [ALICE, BOB].map(|user| Followed::by_address(user.parse().expect("an address")));
        let (settings, disk_at) = (fast(&machine_settings(&config)), Storages::on_disk(&config.data_dir));
        let service =
            Running::start_with(&config, settings, disk_at, follow.into(), (&telemetry, Some(tenancy)))
                .expect("it starts");
        eventually("baselines", || {
            let worker = service.status().worker();
            (worker.listeners_connected == 2 && worker.accounts.iter().all(|one| one.based)).then_some(())
        });
        Self { service, _disk: disk }
    }

    fn gaps(&self) -> BTreeSet<String> {
        self.service.status().worker().gaps.iter().map(|gap| gap.gap_id.clone()).collect()
    }

    fn stop(self) {
        let stopped = self.service.stop(Duration::from_secs(20));
        assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
    }
}
