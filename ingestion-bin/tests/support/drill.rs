//! The service inside the test, on disks that fail on demand, at a venue in the test that holds the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hyperliquid_client::sim::{SimConfig, SimHandle, SimLimits, SimVenue};
use ingestion_bin::config::{Config, Sources};
use ingestion_bin::render::SignalLines;
use ingestion_bin::runtime::{Followed, Service, Stopped, Storages, events};
use messaging::journal::{Read, Reader};
use messaging::sink::Render;
use messaging::sink::lines::{Begin, Lines};
use messaging::storage::{FaultyStorage, Storage};
use observability::Telemetry;
use serde_json::Value;
use signal_domain::Account;

use super::document::documents;
use super::eventually;
use super::market::Chains;

pub const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const COIN: &str = "ETH";

/// What outlives the service: the venue, the disks, what was played.
pub struct World {
    pub venue: SimHandle,
    pub journal: FaultyStorage,
    pub data: FaultyStorage,
    pub chains: Chains,
}

impl World {
    /// A venue whose time goes on by a quarter of a second a block, and two empty disks.
    pub fn new(seed: u64) -> Self {
        let mut sim = SimConfig::manual();
        // A socket may lag behind a burst of the test; that is not what is tried here.
        sim.queue_frames = 1 << 16;
        // Nor is the budget of the info API: history may be read as often as it takes.
        sim.venue.limits = SimLimits::generous();
        let venue = SimVenue::start(sim).expect("the venue starts");
        let (journal, data) = (FaultyStorage::new(seed), FaultyStorage::new(seed + 1));
        Self { venue, journal, data, chains: Chains::new(1_790_000_000_000, 250) }
    }

    /// One fill of the account in each of `count` blocks.
    pub fn play(&mut self, count: usize) {
        for _ in 0..count {
            let block = self.chains.block(&[ALICE], COIN);
            self.venue.play(&block);
        }
    }

    /// The lines of a stream that a reader of the disk sees now.
    pub fn lines(&self, stream: &str) -> Vec<Value> {
        let storage: Arc<dyn Storage> = Arc::new(self.data.clone());
        let mut lines = Lines::open(storage, stream, Begin::Oldest).expect("the files open");
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().expect("the files are read") {
            found.push(serde_json::from_slice(line.bytes).expect("a JSON line"));
        }
        found
    }

    /// How many lines a stream has now.
    fn count(&self, stream: &str) -> usize {
        let storage: Arc<dyn Storage> = Arc::new(self.data.clone());
        let mut lines = Lines::open(storage, stream, Begin::Oldest).expect("the files open");
        std::iter::from_fn(|| lines.next_line().expect("the files are read").map(|_| ())).count()
    }

    /// That every signal on the one disk is in the journal on the other, as it is there.
    pub fn judge_claims(&self) {
        let mut reader = Reader::open(Arc::new(self.journal.clone()), 0).expect("the journal opens");
        let (mut render, mut kept) = (SignalLines::default(), BTreeMap::new());
        while let Some(read) = reader.next().expect("the journal is read") {
            let record = match read {
                Read::Record(record) => record,
                Read::Gone { .. } => continue, // before the first one
                damage => panic!("{damage:?}"),
            };
            let mut line = Vec::new();
            if render.render(&record, &mut line).is_some() {
                let signal: Value = serde_json::from_slice(&line).expect("a JSON line");
                kept.insert(id(&signal), signal);
            }
        }
        let claimed = self.lines("signals");
        for signal in &claimed {
            assert_eq!(kept.get(&id(signal)), Some(signal), "claimed, and not so in the journal");
        }
        assert!(!claimed.is_empty(), "nothing is claimed");
    }

    /// Waits until every fill played so far is a signal on the disk, and judges them: none missing, none twice, in order.
    pub fn wait_all(&self) {
        let wanted = self.chains.rows().len();
        eventually(&format!("{wanted} signals"), || (self.count("signals") >= wanted).then_some(()));
        self.judge();
    }

    /// That every fill played so far is a signal, once, in order.
    pub fn judge(&self) {
        self.judge_prefix(self.chains.rows().len());
    }

    /// That exactly the first `count` fills are signals.
    pub fn judge_prefix(&self, count: usize) {
        self.judge_signals(self.lines("signals"), count);
    }

    /// That these signals, which were found somewhere, are those of the first `count` fills.
    pub fn judge_signals(&self, signals: Vec<Value>, count: usize) {
        let rows = self.chains.rows().get(..count).expect("so many were played");
        let expected = documents(rows, &[ALICE.to_owned()]);
        let expected = expected.into_values().next().expect("one market");
        let place: BTreeMap<String, usize> =
            expected.iter().enumerate().map(|(at, wanted)| (id(wanted), at)).collect();
        let (mut seen, mut newest, mut number) = (BTreeSet::new(), None, (0, 0));
        for signal in signals {
            let at = *place.get(&id(&signal)).unwrap_or_else(|| panic!("not expected: {signal}"));
            assert!(seen.insert(at), "twice: {signal}");
            let wanted = expected.get(at).and_then(Value::as_object).expect("found by its place");
            for (key, value) in wanted.iter().filter(|(key, _)| *key != "metadata") {
                assert_eq!(signal[key], *value, "{key} of {signal}");
            }
            // What history brought after newer ones had gone out says so; everything else is in order.
            assert_eq!(signal["late"] == true, newest > Some(at), "{signal}");
            newest = newest.max(Some(at));
            let epoch = signal["epoch"].as_u64().expect("an epoch");
            number = if epoch == number.0 { (epoch, number.1 + 1) } else { (epoch, 1) };
            assert_eq!(signal["seq"].as_u64(), Some(number.1), "{signal}");
        }
        assert_eq!(seen.len(), expected.len(), "missing signals");
    }
}

fn id(signal: &Value) -> String {
    signal["sourceEventId"].as_str().expect("text").to_owned()
}

/// A running service on the disks of a [`World`].
pub struct Drill {
    pub service: Service,
    pub telemetry: Telemetry,
}

impl Drill {
    pub fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    /// The same with settings of one's own.
    pub fn start_with(world: &World, more: &[(&str, &str)]) -> Self {
        let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let sets = [
            ("data_dir", "memory".to_owned()),
            // A stream without rows is certified by two reads 30 s apart: not waited for here.
            ("streams.twap", "false".to_owned()),
            ("venue.endpoint.0.name", "sim".to_owned()),
            ("venue.endpoint.0.network", "sim".to_owned()),
            ("venue.endpoint.0.limits.info_weight_per_minute", "100000".to_owned()),
            ("venue.endpoint.0.ws_url", world.venue.ws_url()),
            ("venue.endpoint.0.info_url", world.venue.info_url()),
            ("influencers.static", format!("[{{ address = {ALICE:?} }}]")),
        ]
        .into_iter()
        .chain(more);
        let sets = sets.map(|(key, value)| (key.to_owned(), value)).collect();
        let config = Config::load(&Sources { sets, ..Sources::default() }).expect("it is right");
        let telemetry = Telemetry::new(&events::catalogue()).expect("the catalogue is right");
        let account: Account = ALICE.parse().expect("an address");
        let followed = Followed::by_address(account);
        let storages =
            Storages { data: Arc::new(world.data.clone()), journal: Arc::new(world.journal.clone()) };
        let service =
            Service::start(&config, storages, vec![followed], &telemetry).expect("the service starts");
        let drill = Self { service, telemetry };
        eventually("a baseline", || {
            let worker = drill.service.status().worker();
            let based = !worker.accounts.is_empty() && worker.accounts.iter().all(|account| account.based);
            (based && worker.listeners_connected == 2 && drill.ready()).then_some(())
        });
        drill
    }

    /// What `/ready` would say now.
    pub fn ready(&self) -> bool {
        self.service.judge_readiness();
        self.telemetry.readiness().is_ready()
    }

    /// Why it is not ready, in one text.
    pub fn reasons(&self) -> String {
        self.service.judge_readiness();
        let held = self.telemetry.readiness().held();
        held.iter().map(|held| format!("{}: {}", held.name, held.reason)).collect::<Vec<_>>().join("; ")
    }

    /// One of the totals of the last line of `run`.
    pub fn total(&self, what: &str, label: &str) -> u64 {
        let totals = events::totals(&self.telemetry);
        totals.iter().find(|(name, of, _)| *name == what && of == label).map_or(0, |(_, _, total)| *total)
    }

    pub fn stop(self) -> Stopped {
        self.service.stop(Duration::from_secs(20))
    }
}
