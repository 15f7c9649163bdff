//! Fault row 55: Kafka is away for so long that what its sinks have not delivered fills the journal. Either nothing more is accepted, with an
//! alarm, until it is back; or influencers of a low priority are shed from 80 % on, declared, and the others lose nothing.
//!
//! The journal has 8 MiB, or with `INGESTION_TEST_JOURNAL_MIB=N` so many.
#![cfg(feature = "kafka")]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic and says what it saw"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyperliquid_client::sim::{SimConfig, SimLimits, VenueConfig};
use serde_json::Value;
use support::document::{Documents, documents};
use support::expected::Row;
use support::judge::{self, Allowed};
use support::number;
use support::scene::Scene;
use support::service::Service;
use test_services::{Kafka, KafkaSetup, kcat, or_skip, until};

const HIGH: &str = "0x00000000000000000000000000000000000a11ce";
const LOW: &str = "0x0000000000000000000000000000000000000b0b";
/// Each has a broker and a full journal of its own.
static ALONE: Mutex<()> = Mutex::new(());

/// What is not tried here: reading is not what it waits for.
const WEIGHT: u32 = 1_000_000;
/// Blocks from before anybody followed.
const BEFORE: usize = 5;
const LONG: Duration = Duration::from_secs(120);
const MIB: u64 = 1 << 20;
/// Bytes of a fill, about: long ones fill the journal with few.
const FILL: usize = 2_000;
/// Blocks played between two looks at the service.
const AT_ONCE: usize = 50;

/// The journal's share of the disk, MiB.
fn journal_mib() -> u64 {
    number("INGESTION_TEST_JOURNAL_MIB").unwrap_or(8)
}

/// A venue with a long memory, a service that knows its topics, and a broker that is away.
struct Stage {
    scene: Scene,
    kafka: Kafka,
    name: &'static str,
}

impl Stage {
    fn set(name: &'static str, journal: &str) -> Option<Self> {
        let kafka = or_skip(name, KafkaSetup::one().start())?;
        or_skip(name, kcat(&["-V"]))?;
        let mut extra = format!("[kafka]\nbrokers = \"{}\"\n", kafka.bootstrap());
        for section in ["signals", "gaps", "positions", "dead_letters"] {
            extra.push_str(&format!("[{section}]\nsink = \"kafka\"\ntopic = \"{name}.{section}\"\n"));
        }
        let mib = journal_mib();
        let (most, segment) = (mib * MIB, mib * MIB / 8);
        extra.push_str(&format!(
            "[journal]\nmax_bytes = {most}\nsegment_bytes = {segment}\n{journal}\n[streams]\ntwap = false\n"
        ));
        // No loss of this test is the venue's.
        let limits = SimLimits { info_weight_per_minute: WEIGHT, ..SimLimits::default() };
        let venue = VenueConfig { retention: 1 << 20, limits, ..VenueConfig::default() };
        let sim = SimConfig { venue, ..SimConfig::manual() };
        let list = format!(
            "static = [{{ id = \"high\", address = {HIGH:?}, priority = 10 }}, {{ id = \"low\", address = {LOW:?} }}]"
        );
        let mut scene = Scene::at(sim, 250, |_| list, &extra);
        scene.chains.long_fills(FILL);
        for _ in 0..BEFORE {
            let block = scene.chains.block(&[HIGH, LOW], "ETH");
            scene.venue.play_history(&block);
        }
        let made = scene.ask(&["topics", "create"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        kafka.kill(1).expect("it runs");
        Some(Self { scene, kafka, name })
    }

    /// Both accounts have their baseline, and their sinks know nobody.
    fn start(&self) -> Service {
        let weight = format!("venue.endpoint.0.limits.info_weight_per_minute={WEIGHT}");
        let service = Service::start(&self.scene.config, &["--set", &weight]);
        until(LONG, || {
            let status = service.status();
            let accounts = status["accounts"].as_array().expect("an array");
            let based = accounts.len() == 2
                && accounts.iter().all(|account| account["based"] == true && account["coverage"] == "full");
            based.then_some(())
        })
        .expect("baselines and two listeners");
        service
    }

    /// Plays blocks of one fill of each `users`, which both listeners have shown to the service when this returns.
    fn play(&mut self, service: &Service, users: &[&str], blocks: usize) {
        let shown = || counted(service, "ingestion_messages_total{channel=\"fills\"}");
        let wanted = shown() + 2 * blocks * users.len();
        for _ in 0..blocks {
            self.scene.play(users, "ETH");
        }
        until(LONG, || (shown() >= wanted).then_some(())).unwrap_or_else(|| {
            panic!("{} of {wanted} frames are read: {}", shown(), service.status()["listeners"])
        });
    }

    /// Plays until `is_so`: four fills of the low one for one of the high one.
    fn play_until(&mut self, service: &Service, what: &str, is_so: impl Fn(&Service) -> bool) {
        let most = usize::try_from(journal_mib() * MIB).expect("it fits") / FILL * 2 / AT_ONCE;
        for _ in 0..most {
            if is_so(service) {
                return;
            }
            self.play(service, &[LOW], AT_ONCE * 4 / 5);
            self.play(service, &[HIGH], AT_ONCE / 5);
        }
        panic!("never {what}: {}", service.status()["journal"]);
    }

    /// What happened since they are followed.
    fn rows(&self) -> &[Row] {
        self.scene.chains.rows().get(2 * BEFORE..).expect("so many were played")
    }

    /// What is expected of an influencer.
    fn expected(&self, address: &str, id: &str) -> Documents {
        let mut all = documents(self.rows(), &[address.to_owned()]);
        let mut named = Documents::new();
        for ((_, market), mut signals) in std::mem::take(&mut all) {
            for signal in &mut signals {
                signal["influencerId"] = id.into();
                let event = signal["sourceEventId"].as_str().expect("text");
                let action = signal["action"].as_str().expect("text");
                let name = format!("signal://hyperliquid/{id}/{market}/{event}/{action}");
                let named = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
                signal["signalId"] = named.to_string().into();
            }
            named.insert((id.to_owned(), market), signals);
        }
        named
    }

    /// The signals of an influencer in the topic, in order, without repeats.
    fn signals(&self, id: &str) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let mut signals = self.values("signals");
        signals.retain(|signal| {
            let new = seen.insert(signal["signalId"].as_str().expect("text").to_owned());
            new && signal["influencerId"] == id
        });
        signals
    }

    /// The gaps in the topic, the last record of each.
    fn gaps(&self) -> Vec<Value> {
        let gaps = self.values("gaps").into_iter().filter(|gap| gap["state"] != "reset");
        let last: BTreeMap<String, Value> =
            gaps.map(|gap| (gap["gapId"].as_str().expect("text").to_owned(), gap)).collect();
        last.into_values().collect()
    }

    fn values(&self, stream: &str) -> Vec<Value> {
        let (brokers, topic) = (self.kafka.bootstrap(), format!("{}.{stream}", self.name));
        let read = kcat(&["-b", &brokers, "-C", "-t", &topic, "-e", "-q", "-o", "beginning"]);
        let text = or_skip("kcat", read).expect("kcat was there before");
        text.lines().map(|line| serde_json::from_str(line).expect("a document")).collect()
    }

    /// The service is stopped, what it has kept says what the topic says, and nothing is undeclared.
    fn end(&self, service: Service) {
        let end = service.stop();
        assert_eq!(end.status.code(), Some(0), "{}", end.log);
        let verify = self.scene.ask(&["--json", "verify", "--kafka"]);
        let report: Value = serde_json::from_slice(&verify.stdout).expect("a report");
        assert_eq!(verify.status.code(), Some(0), "{report}");
        let replayed = self.scene.ask(&["replay"]).stdout;
        let replayed: BTreeSet<&[u8]> = replayed.split(|byte| *byte == b'\n').collect();
        let (brokers, topic) = (self.kafka.bootstrap(), format!("{}.signals", self.name));
        let read = kcat(&["-b", &brokers, "-C", "-t", &topic, "-e", "-q", "-o", "beginning"]);
        let stored = or_skip("kcat", read).expect("kcat was there before");
        let stored: BTreeSet<&[u8]> = stored.as_bytes().split(|byte| *byte == b'\n').collect();
        // The oldest of the journal may be deleted by now.
        assert!(replayed.is_subset(&stored) && replayed.len() > 1, "every signal as the topic has it");
    }
}

/// What a counter says.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn counted(service: &Service, series: &str) -> usize {
    service.metric(series) as usize
}

fn is_blocked(service: &Service) -> bool {
    service.metric("ingestion_journal_blocked") > 0.0
}

fn judged(found: &[Value], expected: &Documents) {
    let origins = ["live", "snapshot", "backfill"];
    judge::judge(found, expected, &Allowed { origins: &origins, gaps: None, late: true });
}

/// Nothing more is accepted, everything says so and why, the memory stays as it is; when the broker is back it goes on by itself, and what
/// happened meanwhile comes from the venue's history.
#[test]
fn a_full_journal_stops_with_an_alarm_and_goes_on_by_itself() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut stage) = Stage::set("journal_stop", "") else { return };
    let service = stage.start();
    // Full for good, and not for a moment until the disk has what was written.
    let brim = f64::from(u32::try_from(journal_mib() * MIB).expect("it fits")) - 16_384.0;
    let is_full = |service: &Service| service.metric("ingestion_journal_disk_bytes") >= brim;
    stage.play_until(&service, "full", |service| is_blocked(service) && is_full(service));
    let accepted = counted(&service, "ingestion_events_total{disposition=\"signal\"}");

    let sink = |text: &str| text.contains(".kafka.journal_stop.") && text.contains("too far behind");
    let why = until(LONG, || {
        let (code, why) = service.get("/ready");
        (code == 503 && why.contains("the journal has no room: sink")).then_some(why)
    });
    assert!(why.as_deref().is_some_and(sink), "{why:?}");
    assert!(service.metric("ingestion_journal_nearly_full") > 0.0);
    let log = service.process.log();
    let line = log.lines().find(|line| line.contains("a sink is behind: it holds 80 %"));
    assert!(line.is_some_and(|line| line.contains(".kafka.journal_stop.")), "the log names it: {line:?}");

    // What is refused takes no memory, and no disk beside the reserve of a segment.
    service.forget_peak();
    let before = service.memory_kib("VmRSS");
    stage.play(&service, &[LOW, HIGH], 1_000);
    let peak = service.memory_kib("VmHWM");
    assert!(peak < before + 16 * 1_024, "{before} KiB, then {peak} KiB");
    let disk = service.metric("ingestion_journal_disk_bytes");
    let most = f64::from(u32::try_from(journal_mib() * MIB * 5 / 4).expect("it fits"));
    assert!(disk <= most, "{disk} bytes of {most}");
    assert!(is_blocked(&service));
    assert_eq!(counted(&service, "ingestion_events_total{disposition=\"signal\"}"), accepted);
    assert!(counted(&service, "ingestion_frames_refused_total") >= 2_000);

    stage.kafka.restart(1).expect("it starts again");
    let wanted = stage.rows().len();
    let lines = || counted(&service, "ingestion_sink_lines{stream=\"signals\"}");
    until(LONG, || (lines() >= wanted).then_some(()))
        .unwrap_or_else(|| panic!("{} of {wanted} signals: {}", lines(), service.status()));
    assert!(!is_blocked(&service));
    for (address, id) in [(HIGH, "high"), (LOW, "low")] {
        judged(&stage.signals(id), &stage.expected(address, id));
        let told = stage.gaps().into_iter().any(|gap| gap["influencerId"] == id && gap["kind"] == "outage");
        assert!(told, "what was refused of {id} was told");
    }
    println!("{} MiB: {accepted} of {wanted} signals accepted, then full; all delivered", journal_mib());
    stage.end(service);
}

/// The important one loses nothing; of the other everything is a signal or inside a declared gap, across a kill, too.
#[test]
fn a_full_journal_sheds_whom_it_may() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let policy = "when_full = \"shed\"\nshed_below_priority = 5";
    let Some(mut stage) = Stage::set("journal_shed", policy) else { return };
    let service = stage.start();
    let turned_to = |what: &'static str| {
        let series = format!("ingestion_shedding_changes_total{{shed=\"{what}\"}}");
        move |service: &Service| service.metric(&series) > 0.0
    };
    stage.play_until(&service, "shedding", turned_to("signals"));
    let why = until(LONG, || {
        let (code, why) = service.get("/ready");
        (code == 503 && why.contains("1 influencers are shed: sink ")).then_some(why)
    });
    assert!(why.is_some(), "{:?}", service.get("/ready"));
    stage.play(&service, &[LOW], 40);
    let shown = until(LONG, || {
        let status = service.status();
        let accounts = status["accounts"].as_array().expect("an array");
        let low = accounts.iter().find(|account| account["influencerId"] == "low").expect("followed");
        let says = low["shedding"] == "signals" && low["shed"].as_u64() >= Some(40);
        let incomplete = service.metric("ingestion_completeness_ratio{over=\"start\"}") < 1.0;
        (says && incomplete && service.metric("ingestion_shed_influencers{shed=\"signals\"}") > 0.0)
            .then_some(())
    });
    assert!(shown.is_some(), "it does not say so: {}", service.status());

    // Killed, and the next process goes on.
    drop(service);
    let service = stage.start();
    stage.play_until(&service, "shedding rows", turned_to("rows"));
    let kept = counted(&service, "ingestion_events_total{disposition=\"shed\"}");
    assert!(kept > 0);
    for _ in 0..20 {
        stage.play(&service, &[LOW], 40);
        stage.play(&service, &[HIGH], 2);
    }
    assert!(!is_blocked(&service), "{}", service.status()["journal"]);
    let rows = || counted(&service, "ingestion_rows_shed_total");
    until(LONG, || (rows() >= 2 * 800).then_some(()))
        .unwrap_or_else(|| panic!("{} rows are shed: {}", rows(), service.get("/metrics").1));
    assert_eq!(counted(&service, "ingestion_events_total{disposition=\"shed\"}"), kept);

    stage.kafka.restart(1).expect("it starts again");
    until(LONG, || turned_to("nothing")(&service).then_some(()))
        .unwrap_or_else(|| panic!("it sheds for ever: {}", service.status()["journal"]));
    // Listeners that did not show what was refused, and history did, are connected anew by now: nobody says when they read these.
    for _ in 0..20 {
        stage.scene.play(&[LOW, HIGH], "ETH");
    }
    let (wanted, low_wanted) = (stage.expected(HIGH, "high"), stage.expected(LOW, "low"));
    let low_wanted = low_wanted.into_values().next().expect("one market");
    let settled = until(LONG, || {
        let (gaps, found) = (stage.gaps(), stage.signals("low"));
        let found: BTreeSet<&str> =
            found.iter().filter_map(|signal| signal["sourceEventId"].as_str()).collect();
        let lost = low_wanted
            .iter()
            .filter(|signal| !found.contains(signal["sourceEventId"].as_str().expect("text")));
        lost.clone().all(|signal| is_declared(signal, &gaps)).then(|| lost.count())
    });
    let high = stage.signals("high");
    judged(&high, &wanted);
    let shed = settled.expect("every fill of the low one is a signal or inside a shed gap");
    assert!(shed >= kept, "{shed} shed, {kept} by the second process alone");

    // What came through is right and in order, and says where something is missing.
    let found = stage.signals("low");
    let events: BTreeSet<&str> = found.iter().filter_map(|signal| signal["sourceEventId"].as_str()).collect();
    let came =
        low_wanted.iter().filter(|signal| events.contains(signal["sourceEventId"].as_str().expect("text")));
    let came: Vec<Value> = came.cloned().collect();
    judged(&found, &Documents::from([(("low".to_owned(), "ETH-PERP".to_owned()), came)]));
    let gaps = stage.gaps();
    assert!(gaps.iter().all(|gap| gap["kind"] != "shed" || gap["influencerId"] == "low"), "{gaps:?}");
    let shed_gaps: BTreeSet<&str> =
        gaps.iter().filter(|gap| gap["kind"] == "shed").filter_map(|gap| gap["gapId"].as_str()).collect();
    let named = found.iter().filter_map(|signal| signal["gapId"].as_str());
    assert!(named.clone().any(|gap| shed_gaps.contains(gap)), "the first signal behind a gap names it");
    let raw = stage.scene.lines(&["raw", "--account", "low"]);
    assert!(raw.iter().any(|event| event["disposition"] == "shed"), "what was shed is kept");
    println!(
        "{} MiB: {} signals of the important one, all; of the other {} and {shed} shed in {} gaps",
        journal_mib(),
        high.len(),
        found.len(),
        shed_gaps.len(),
    );
    stage.end(service);
}

/// Whether a shed gap that is over covers it.
fn is_declared(signal: &Value, gaps: &[Value]) -> bool {
    let at = signal["timestamp"].as_u64();
    gaps.iter().any(|gap| {
        let ended = gap["kind"] == "shed" && gap["state"] == "unfillable" && gap["influencerId"] == "low";
        ended && gap["fromTime"].as_u64() <= at && at <= gap["toTime"].as_u64()
    })
}
