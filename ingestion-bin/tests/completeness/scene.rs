//! A service in the test at a venue in the test, on real files, so that commands can be asked beside it. What takes minutes at a real
//! venue (the pause between two reads of history) takes seconds here; venue time goes on by the step of a block.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hyperliquid_client::sim::{Block, SimConfig, SimHandle, SimVenue};
use ingestion_bin::account::Settings;
use ingestion_bin::config::{Config, Sources};
use ingestion_bin::record::{self, Body, Change};
use ingestion_bin::runtime::{Followed, Service, Storages, events, machine_settings};
use messaging::journal::{Read, Reader};
use messaging::storage::DiskStorage;
use observability::Telemetry;
use serde_json::Value;

use crate::support::document::documents;
use crate::support::eventually;
use crate::support::judge::{self, Allowed};
use crate::support::market::Chains;
use crate::support::process::run;
use crate::support::service::{configuration, lines};

pub(crate) const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

/// Venue time when it begins, ms. Our own clock is elsewhere: nothing may compare the two.
pub(crate) const BEGAN: u64 = 1_790_000_000_000;

/// Venue time between two blocks, ms. An outage here stays below 300 s: a row further ahead of the venue time known is doubted.
pub(crate) const STEP_MS: u64 = 5_000;

/// History may lag this far, venue ms; a little more.
const LAG_MS: u64 = 130_000;

pub(crate) struct Scene {
    pub(crate) venue: SimHandle,
    pub(crate) chains: Chains,
    directory: tempfile::TempDir,
    config: std::path::PathBuf,
    /// Values of the configuration besides the file's, for the service and the commands.
    sets: Vec<String>,
    pub(crate) service: Service,
}

impl Scene {
    /// Of [`ALICE`]: `venue` changes the venue, `settings` those of the account machines.
    pub(crate) fn start(
        venue: impl FnOnce(&mut SimConfig),
        settings: impl FnOnce(&Settings) -> Settings,
    ) -> Self {
        Self::of(ALICE, &[], venue, settings)
    }

    /// Of another account, with other values of the configuration.
    pub(crate) fn of(
        user: &str,
        sets: &[(&str, &str)],
        venue: impl FnOnce(&mut SimConfig),
        settings: impl FnOnce(&Settings) -> Settings,
    ) -> Self {
        let mut sim = SimConfig::manual();
        // Venue time runs far ahead of ours, so the index must not lag by our time.
        sim.venue.index_lag = (Duration::ZERO, Duration::ZERO);
        venue(&mut sim);
        let venue = SimVenue::start(sim).expect("the venue starts");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let followed = format!("static = [{{ id = \"alice\", address = {user:?} }}]");
        let extra = "[streams]\ntwap = false\n[listeners]\nbackoff = { initial_ms = 500, max_ms = 2000, jitter = 0.5 }";
        let path = configuration(directory.path(), &venue, &followed, extra);
        let text = std::fs::read_to_string(&path).expect("just written");
        let of_sources = sets.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let sources = Sources { file: Some((path.clone(), text)), sets: of_sources, ..Sources::default() };
        let config = Config::load(&sources).expect("it is right");
        let telemetry = Telemetry::new(&events::catalogue()).expect("the catalogue is right");
        let followed = Followed {
            influencer: "alice".parse().expect("an id"),
            ..Followed::by_address(user.parse().expect("an address"))
        };
        let service = Service::start_with(
            &config,
            settings(&machine_settings(&config)),
            Storages::on_disk(&config.data_dir),
            vec![followed],
            (&telemetry, None),
        )
        .expect("the service starts");
        let sets = sets.iter().map(|(key, value)| format!("--set={key}={value}")).collect();
        let scene =
            Self { venue, chains: Chains::new(BEGAN, STEP_MS), directory, config: path, sets, service };
        eventually("both listeners and a baseline", || {
            let worker = scene.service.status().worker();
            let full = !worker.accounts.is_empty()
                && worker.accounts.iter().all(|account| account.based && account.coverage == "full");
            full.then_some(())
        });
        scene
    }

    /// One block with a fill of the account.
    pub(crate) fn play(&mut self, coin: &str) {
        let block = self.chains.block(&[ALICE], coin);
        self.venue.play(&block);
    }

    /// A block after more time than history may lag: what came before can be certified.
    pub(crate) fn skip(&mut self) {
        self.chains.skip(LAG_MS);
        self.play("ETH");
    }

    /// One block with `count` fills of the account, all in one millisecond.
    pub(crate) fn burst(&mut self, coin: &str, count: usize) {
        let block = self.chains.block(&vec![ALICE; count], coin);
        self.venue.play(&block);
    }

    /// A block that no listener is shown; history has it. Its venue time.
    pub(crate) fn hide(&mut self, coin: &str, side: &str, size: &str) -> u64 {
        let block: Block = self.chains.trade(ALICE, coin, side, size);
        self.venue.play_history(&block);
        block.time
    }

    pub(crate) fn signals(&self) -> Vec<Value> {
        lines(&self.directory.path().join("data"), "signals")
    }

    pub(crate) fn gaps(&self) -> Vec<Value> {
        lines(&self.directory.path().join("data"), "gaps")
    }

    /// Waits until `count` signals are on disk.
    pub(crate) fn wait_signals(&self, count: usize) {
        eventually(&format!("{count} signals"), || (self.signals().len() >= count).then_some(()));
    }

    /// `/status`, after judging it: the share is below 100 % exactly while a gap is open or unfillable.
    pub(crate) fn status(&self) -> Value {
        let status = self.service.status().json();
        let total = &status["completeness"]["total"]["sinceStart"];
        // A conflict that was corrected stays told, and lacks nothing.
        let lacking = status["gaps"].as_array().expect("gaps").iter().filter(|gap| gap["kind"] != "conflict");
        let (missing, lacking) = (total["missing"].as_u64().expect("a number"), lacking.count());
        assert!(missing >= lacking as u64, "{status}");
        let conflicts = status["gaps"].as_array().expect("gaps").len() > lacking;
        assert!(missing == 0 || lacking > 0 || conflicts, "{status}");
        assert_eq!(total["percent"].as_f64() == Some(100.0), missing == 0, "{status}");
        status
    }

    /// Lets venue time go on by more than history may lag, then waits until the account is certified to `time`; the status then.
    pub(crate) fn certified(&mut self, time: u64) -> Value {
        if self.chains.now() < time + LAG_MS {
            self.skip();
        }
        eventually(&format!("certified to {time}"), || {
            let status = self.status();
            let certified = status["completeness"]["accounts"][0]["certifiedTo"].as_u64();
            (certified >= Some(time)).then_some(status)
        })
    }

    /// That everything played is a signal on disk, once, in order.
    pub(crate) fn judge(&self) {
        self.judge_but(0..0);
    }

    /// The same, and none of `lost`.
    pub(crate) fn judge_but(&self, lost: Range<usize>) {
        let rows = self.chains.rows();
        let there = [&rows[..lost.start], &rows[lost.end..]].concat();
        let played = documents(&there, &[ALICE.to_owned()]);
        // Ids are made of the influencer's name, which the expectation takes to be the address.
        let named = |document: &mut Value| {
            document["influencerId"] = "alice".into();
            document["signalId"] = document["sourceEventId"].clone();
        };
        let expected = played.into_iter().map(|((_, market), mut wanted)| {
            wanted.iter_mut().for_each(named);
            (("alice".to_owned(), market), wanted)
        });
        let mut signals = self.signals();
        signals.iter_mut().for_each(named);
        let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
        judge::judge(&signals, &expected.collect(), &allowed);
    }

    /// The signal of a fill at this venue time.
    pub(crate) fn signal_at(&self, time: u64) -> Value {
        let found: Vec<Value> =
            self.signals().into_iter().filter(|signal| signal["timestamp"] == time).collect();
        let [signal] = found.as_slice() else { panic!("at {time}: {found:?}") };
        signal.clone()
    }

    /// A command beside the service: exit code and what it prints.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let config = self.config.to_str().expect("a path in UTF-8");
        let sets: Vec<&str> = self.sets.iter().map(String::as_str).collect();
        let output = run(&[&["--config", config], sets.as_slice(), arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8(output.stdout).expect("text") + &said)
    }

    /// `verify --json`: exit code and report.
    pub(crate) fn verify(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let (code, said) = self.ask(&[&["--json", "verify"], arguments].concat());
        (code, serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
    }

    /// Stops the service; everything must be on disk then.
    pub(crate) fn stop(self) -> Stopped {
        let stopped = self.service.stop(Duration::from_secs(20));
        assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
        Stopped { venue: self.venue, directory: self.directory }
    }
}

/// What is left of a scene.
pub(crate) struct Stopped {
    pub(crate) venue: SimHandle,
    directory: tempfile::TempDir,
}

impl Stopped {
    /// Every `certified` of the journal beside what was appended before it: each of `events` (venue time and `sourceEventId`, behind
    /// the baseline) that it covers is there, or in a gap. How many certificates there were, and how many events the last one covers.
    pub(crate) fn judge_certified(&self, events: &BTreeSet<(i64, String)>) -> (usize, usize) {
        let storage = Arc::new(DiskStorage::new(self.directory.path().join("data/journal")));
        let mut reader = Reader::open(storage, 0).expect("the journal opens");
        let (mut seen, mut gaps) = (BTreeSet::new(), Vec::new());
        let (mut baseline, mut certificates, mut covered) = (i64::MAX, 0, 0);
        while let Some(read) = reader.next().expect("the journal is read") {
            let Read::Record(record) = read else { continue };
            let Some(Body::Account(body)) = record::decode(&record).expect("a record of ours") else {
                continue;
            };
            match body.change {
                Change::Baseline { at, .. } => baseline = at,
                Change::Event(event) => {
                    let raw: Value = serde_json::from_slice(event.raw).expect("JSON");
                    let (tid, side) = (&raw["tid"], raw["side"].as_str().expect("text"));
                    seen.insert((event.time, format!("fill:{}:{tid}:{side}", event.time)));
                }
                Change::Gap { gap, .. } => gaps.push((gap.id.from, gap.to)),
                Change::Certified { to, .. } => {
                    certificates += 1;
                    let inside = |event: &&(i64, String)| baseline < event.0 && event.0 <= to;
                    covered = events.iter().filter(inside).count();
                    for event in events.iter().filter(inside) {
                        let declared = gaps.iter().any(|(from, end)| (*from..=*end).contains(&event.0));
                        assert!(seen.contains(event) || declared, "certified to {to} without {event:?}");
                    }
                }
                _ => {}
            }
        }
        (certificates, covered)
    }
}
