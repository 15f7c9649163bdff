//! A panic of the decoder, planted: the frame ends as a dead letter, its neighbours as signals, and it is counted.

mod apart;
mod asking;
mod cells;
mod clock;
mod connections;
mod full;
mod identity;
mod orders;
mod outage;
mod served;
mod standing;
mod states;
mod storm;
mod told;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperliquid_client::backoff::BackoffConfig;
use hyperliquid_client::decode::{Decoded, Decoder, FrameError};
use hyperliquid_client::io::{
    Control, Decode, Dns, Egress, Endpoint, EndpointConfig, Listener, ListenerConfig, VenueConnector,
    WallClock,
};
use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::session::SessionConfig;
use hyperliquid_client::sim::{Block, BlockFill, SimConfig, SimHandle, SimVenue, Stream};
use messaging::journal::{Journal, JournalConfig, Limit, Opened, Read};
use messaging::sink::Render;
use messaging::storage::FaultyStorage;
use observability::Telemetry;
use serde_json::{Value, json};
use signal_domain::Account;
use tokio::task::{JoinHandle, LocalSet};

use super::{Core, CoreConfig, Followed, Limited, Opening, Outbox, PrimaryConfig};
use crate::account::{Cause, Settings};
use crate::render::{DeadLetterLines, SignalLines};
use crate::runtime::events::{catalogue, totals};
use crate::runtime::handler::Ear;
use crate::runtime::published::Published;
use crate::runtime::service_status::ServiceStatus;
use crate::state::State;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const POISON: &[u8] = br#"{"channel":"poison","data":{}}"#;

/// The venue's decoder, with a bug.
#[derive(Default)]
struct Brittle(Decoder);

impl Decode for Brittle {
    fn decode<'a>(&'a mut self, raw: &'a [u8]) -> Result<Decoded<'a>, FrameError> {
        assert!(raw != POISON, "planted");
        self.0.decode(raw)
    }
}

/// The journal on a disk.
fn open(disk: &FaultyStorage) -> Opened<State> {
    open_with(disk, JournalConfig::default())
}

fn open_with(disk: &FaultyStorage, config: JournalConfig) -> Opened<State> {
    let restore = |saved: Option<&[u8]>| State::restore(saved.unwrap_or_default());
    Journal::open(config, Arc::new(disk.clone()), 1_000, restore).unwrap()
}

/// A worker's state that goes on from `state`; earlier events are looked up in `library`.
fn core(journal: &Journal, telemetry: &Telemetry, state: State, library: FaultyStorage) -> Core {
    core_with(journal, telemetry, state, library, SessionConfig::default(), 2)
}

/// The same with so many listeners of an account.
fn core_with(
    journal: &Journal,
    telemetry: &Telemetry,
    state: State,
    library: FaultyStorage,
    session: SessionConfig,
    listeners: usize,
) -> Core {
    let config = CoreConfig {
        settings: Settings { twap: false, ..Settings::default() },
        network: "sim".to_owned(),
        epoch: state.epoch() + 1,
        twap: false,
        damaged: false,
        journal_began_ms: 0,
        state_interval: None,
        removal_grace: Duration::ZERO,
        refusals_per_minute: 100,
        routes: vec![0],
        endpoints: vec!["sim".to_owned()],
        listeners,
        dedicated: false,
        session,
        primary: PrimaryConfig {
            failover_lag: Duration::from_millis(250),
            probe_interval: Duration::from_secs(1),
            rotate: Duration::from_secs(3_600),
        },
        shed_below: None,
    };
    let outbox = Outbox::new(journal.appender());
    let published = Published::new(Arc::new(library), journal.progress(), "sim".to_owned());
    let known = state.accounts.into_iter().map(|(account, state)| (account, state.into()));
    Core::new(config, outbox, telemetry.clone(), published, known.collect(), one_address())
}

/// One route, with the limits of the venue's documents.
fn one_address() -> Vec<Limited> {
    vec![Limited::new("sim", VenueLimits::default())]
}

/// Gives a line a socket.
fn listen_on<D: Decode + 'static>(
    venue: &SimHandle,
    core: &Rc<RefCell<Core>>,
    opening: Opening,
    backoff: Duration,
) -> (Control, JoinHandle<Ear>) {
    let endpoint =
        EndpointConfig { info_url: venue.info_url(), ..EndpointConfig::new("sim", venue.ws_url()) };
    let endpoint = Endpoint::new(endpoint).unwrap();
    let dialer = endpoint.dialer(Dns::default()).unwrap();
    let connector = VenueConnector::new(endpoint, dialer, WallClock::new(crate::runtime::clock::wall_ns));
    let ear = Ear::new(Rc::clone(core), &opening, "sim");
    let control = opening.control;
    let limits = VenueLimits { new_connections_per_minute: 1_000, ..VenueLimits::default() };
    let backoff = BackoffConfig { initial: backoff, max: backoff, ..BackoffConfig::default() };
    let config = ListenerConfig { backoff, ..ListenerConfig::default() };
    let listener =
        Listener::<_, _, D>::with_decoder(connector, control.clone(), Egress::new(&limits), ear, config);
    (control, tokio::task::spawn_local(listener.run()))
}

/// One more buy of 1 ETH of the account in a chain of such, at a time of its own.
fn buy(number: u64) -> Block {
    let time = 1_790_000_000_000 + number;
    let fill = json!({
        "coin": "ETH", "px": "2400.5", "sz": "1.0", "side": "B", "time": time,
        "startPosition": format!("{number}.0"), "dir": "Open Long", "closedPnl": "0.0",
        "hash": format!("0x{number:064x}"), "oid": 7, "crossed": true, "fee": "0.1", "tid": 900 + number,
        "feeToken": "USDC", "twapId": null,
    });
    let fill = BlockFill {
        user: ALICE.into(),
        stream: Stream::Fills,
        twap_id: None,
        fill: serde_json::from_value(fill).unwrap(),
    };
    Block { time, fills: vec![fill], marks: Vec::new() }
}

/// Until so much of something is counted.
async fn counted(telemetry: &Telemetry, what: &str, label: &str, wanted: u64) {
    while total(telemetry, what, label) < wanted {
        tokio::task::yield_now().await;
    }
}

fn total(telemetry: &Telemetry, what: &str, label: &str) -> u64 {
    let totals = totals(telemetry);
    totals.iter().find(|(name, of, _)| *name == what && of == label).map_or(0, |(.., total)| *total)
}

async fn listen(venue: SimHandle, core: Rc<RefCell<Core>>, telemetry: Telemetry) {
    let account: Account = ALICE.parse().unwrap();
    core.borrow_mut().follow(Followed::by_address(account), Cause::Start, crate::runtime::clock::now());
    let opening = core.borrow_mut().replan(crate::runtime::clock::now()).remove(0);
    venue.play_history(&buy(0));
    let (control, listening) = listen_on::<Brittle>(&venue, &core, opening, Duration::from_millis(250));
    counted(&telemetry, "events", "baseline", 1).await;
    venue.play(&buy(1));
    assert_eq!(venue.inject(Some(ALICE), POISON), 1);
    venue.play(&buy(2));
    counted(&telemetry, "refusals", "decode_panic", 1).await;
    // The connection stays, and a new decoder reads on.
    assert_eq!(venue.inject(Some(ALICE), br#"{"channel":"unheard","data":{}}"#), 1);
    counted(&telemetry, "unknown channels", "", 1).await;
    assert_eq!(venue.status().connections_total, 1);
    control.stop();
    listening.await.unwrap();
}

#[test]
fn a_panic_of_the_decoder_costs_its_frame_only() {
    let disk = FaultyStorage::new(1);
    let Opened { journal, state, .. } = open(&disk);
    let telemetry = Telemetry::new(&catalogue()).unwrap();
    let core = core_with(&journal, &telemetry, state, disk, SessionConfig::default(), 1);
    let core = Rc::new(RefCell::new(core));
    let venue = SimVenue::start(SimConfig::manual()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listening = listen(venue, Rc::clone(&core), telemetry.clone());
    let run = async { tokio::time::timeout(Duration::from_secs(60), listening).await };
    LocalSet::new().block_on(&runtime, run).unwrap();

    let last = core.borrow().outbox().last();
    journal.progress().wait_synced(last, Duration::from_secs(60));
    let mut reader = journal.reader(1_000, Limit::Synced);
    let (mut letters, mut signals) = (DeadLetterLines, SignalLines::default());
    let (mut refused, mut made) = (Vec::new(), Vec::new());
    while let Some(read) = reader.next().unwrap() {
        let Read::Record(record) = read else { panic!("{read:?}") };
        let mut line = Vec::new();
        if letters.render(&record, &mut line).is_some() {
            refused.push(serde_json::from_slice::<Value>(&line).unwrap());
        } else if signals.render(&record, &mut line).is_some() {
            made.push(serde_json::from_slice::<Value>(&line).unwrap());
        }
    }
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["reason"], "decode_panic");
    assert_eq!(refused[0]["stage"], "decode");
    assert_eq!(refused[0]["payload"], std::str::from_utf8(POISON).unwrap());
    let shown: Vec<_> =
        made.iter().map(|signal| (&signal["size"], &signal["seq"], &signal["late"])).collect();
    assert_eq!(shown, [(&json!("2"), &json!(1), &Value::Null), (&json!("3"), &json!(2), &Value::Null)]);

    let page = telemetry.metrics().render();
    assert!(page.contains("\ningestion_refusals_total{reason=\"decode_panic\"} 1\n"), "{page}");
    let status = ServiceStatus {
        #[cfg(feature = "redis")]
        shared: None,
        #[cfg(feature = "kafka")]
        figures: Arc::default(),
        worker: Arc::new(Mutex::new(core.borrow().status())),
        sinks: Arc::new(Vec::new()),
        progress: journal.progress(),
        telemetry,
        started_at_ms: 0,
        list: Arc::default(),
    };
    let counts = status.json()["counts"].as_array().unwrap().clone();
    let counted = json!({ "what": "refusals", "label": "decode_panic", "total": 1 });
    assert!(counts.contains(&counted), "{counts:?}");
}
