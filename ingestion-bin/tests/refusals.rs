//! Every way in which the venue can say something we cannot use: each ends as the published table of dead letters says, is
//! counted in `/metrics`, in `status` and in the last line of `run`, and harms nothing beside it.
//!
//! The service is the real binary. The venue is the simulated one, inside the test, so that each fault meets the one block it is
//! meant for; faults are written as the command line writes them.

#![allow(clippy::indexing_slicing, reason = "a test fails by a panic and says what it saw")]

mod support;

use std::collections::BTreeMap;

use hyperliquid_client::sim::{SimConfig, SimHandle, SimVenue};
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::document::documents;
use support::eventually;
use support::judge::{self, Allowed};
use support::market::Chains;
use support::service::{Service, configuration, series_of};

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000a11ce0002";
const LISTENERS: usize = 2;
const T0: u64 = 1_790_000_000_000;
const PINGS: &str = "ingestion_pings_unanswered_total";

/// What the venue says of requests, as it words it; nothing is pending when it does.
const VENUE_ERRORS: [&str; 5] = [
    r#"Already subscribed: {\"type\":\"userFills\"}"#,
    "Invalid subscription",
    "Cannot send more than 2000 messages per minute",
    "Cannot track more than 10 total users.",
    "something new went wrong",
];
/// As what they are counted, over both listeners.
const VENUE_ERRORS_COUNTED: [(&str, u32); 3] =
    [("too_many_messages", 2), ("too_many_users", 2), ("other", 4)];

/// A venue in the test, the service following two accounts at it, and what was played so far.
struct Stage {
    venue: SimHandle,
    service: Service,
    chains: Chains,
    played: usize,
    counted: BTreeMap<&'static str, usize>,
    _directory: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let mut sim = SimConfig::manual();
        sim.venue.greeting = Some("Websocket connection established.".to_owned());
        let venue = SimVenue::start(sim).expect("the venue starts");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let influencers = format!("static = [{{ address = {ALICE:?} }}, {{ address = {BOB:?} }}]");
        let config = configuration(directory.path(), &venue, &influencers, "");
        let service = Service::start(&config, &[]);
        service.wait_ready();
        let chains = Chains::new(T0, 250);
        let mut stage =
            Self { venue, service, chains, played: 0, counted: BTreeMap::new(), _directory: directory };
        stage.play();
        stage
    }

    /// Both accounts trade; their signals arrive whatever else happens.
    fn play(&mut self) {
        let block = self.chains.block(&[ALICE, BOB], "ETH");
        self.venue.play(&block);
        self.played += block.fills.len();
        self.service.wait_lines("signals", self.played);
    }

    fn fault(&self, text: &str) {
        self.venue.add_fault(text.parse().unwrap_or_else(|error| panic!("{error}")));
    }

    /// A fault of the next frame of each listener, so that no other copy makes up for it. Connections are numbered in turn.
    fn fault_of_all(&self, text: &str) {
        for connection in 0..LISTENERS {
            self.fault(&format!("{text}#{connection}/{LISTENERS}"));
        }
    }

    /// Puts a fault in force, lets both accounts trade, and waits for `count` dead letters of `reason`: those.
    fn refused(&mut self, fault: &str, reason: &'static str, count: usize) -> Vec<Value> {
        let known = self.service.lines("dead_letters").len();
        if fault.starts_with("bad-fill") {
            self.fault_of_all(fault);
        } else {
            self.fault(fault);
        }
        self.play();
        self.new_letters(known, fault, reason, count)
    }

    fn new_letters(&mut self, known: usize, what: &str, reason: &'static str, count: usize) -> Vec<Value> {
        let letters = self.service.wait_lines("dead_letters", known + count).split_off(known);
        assert_eq!(letters.len(), count, "{what}: {letters:?}");
        for letter in &letters {
            assert_eq!(letter["reason"], reason, "{what}: {letter}");
            assert!(letter["receivedAtNs"].as_u64() > Some(0) && letter["position"].is_u64(), "{letter}");
        }
        *self.counted.entry(reason).or_default() += count;
        letters
    }

    /// Both listeners are connected and subscribed again after they were closed for what they brought.
    fn wait_reconnected(&self, connections: u64) {
        eventually("both listeners again", || {
            let status = self.venue.status();
            let subscribed = status.user_fills_subscriptions == 2 * LISTENERS;
            (status.connections_total >= connections && status.connections == LISTENERS && subscribed)
                .then_some(())
        });
    }

    fn raw(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = support::process::ingestion();
        command.arg("--config").arg(&self.service.config).arg("raw").args(arguments);
        let output = command.output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

#[test]
fn whatever_the_venue_sends_ends_as_the_table_says() {
    let mut stage = Stage::set();

    // Frames of which nothing can be used: kept as they came, the connection stays.
    for fault in ["malformed", "truncated", "deep"] {
        for letter in stage.refused(fault, "malformed_frame", LISTENERS) {
            assert_eq!(letter["stage"], "decode");
            assert_whole(&letter);
        }
    }
    oversized_for_publishing(&mut stage);

    // One bad fill in a batch costs that fill only. The neighbour is one of the expected signals.
    for (kind, reason) in [
        ("missing_field", "missing_field"),
        ("no_time", "missing_field"),
        ("wrong_type", "wrong_type"),
        ("null", "wrong_type"),
        ("nan", "not_a_number"),
        ("infinity", "not_a_number"),
        ("text", "not_a_number"),
        ("forty-digits", "number_out_of_range"),
    ] {
        for letter in stage.refused(&format!("bad-fill={kind}"), reason, LISTENERS) {
            assert!(letter["account"] == ALICE || letter["account"] == BOB, "{letter}");
            assert_whole(&letter);
        }
    }

    drift_loses_nothing(&mut stage);
    what_is_kept_raw(&mut stage);
    mismatch(&mut stage);
    ping_flood(&mut stage);
    // Up to here the connections stayed, and nobody missed anything.
    assert_eq!(stage.venue.status().connections_total, LISTENERS as u64, "the connections stay");
    for signal in stage.service.lines("signals") {
        // The history that is asked because of a bad fill may be the first to show the next one.
        assert!(signal["origin"] == "live" || signal["origin"] == "backfill", "{signal}");
        assert!(signal.get("late").is_none() && signal.get("gapId").is_none(), "{signal}");
    }

    // Not UTF-8, or over the limit: the connection is closed with 1007 or 1009, and made again.
    let connections = stage.venue.status().connections_total;
    for letter in stage.refused("bad-utf8", "malformed_frame", LISTENERS) {
        assert_eq!((&letter["stage"], &letter["payloadEncoding"]), (&"decode".into(), &"base64".into()));
    }
    stage.wait_reconnected(connections + LISTENERS as u64);
    stage.play();
    for letter in stage.refused("huge=64MiB", "frame_too_large", LISTENERS) {
        assert_eq!(letter["length"], 64 << 20, "{letter}");
        assert!(letter.get("payload").is_none() && letter.get("sha256").is_none(), "{letter}");
    }
    stage.wait_reconnected(connections + 2 * LISTENERS as u64);
    stage.play();
    let log = stage.service.process.log();
    for code in ["code: 1007", "code: 1009"] {
        let closed = log.lines().filter(|line| line.contains("connection ended") && line.contains(code));
        assert_eq!(closed.count(), LISTENERS, "{code}:\n{log}");
    }
    error_texts(&mut stage);
    everything_is_counted(stage);
}

/// The payload is there whole, with its sum and length.
fn assert_whole(letter: &Value) {
    let payload = letter["payload"].as_str().unwrap_or_else(|| panic!("a payload in {letter}"));
    assert!(letter.get("payloadEncoding").is_none(), "{letter}");
    assert_eq!(letter["length"], payload.len(), "{letter}");
    assert_eq!(letter["sha256"], hex(&Sha256::digest(payload.as_bytes())), "{letter}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// At most 256 KiB are published; sum and length speak of the whole, which the journal keeps.
fn oversized_for_publishing(stage: &mut Stage) {
    let known = stage.service.lines("dead_letters").len();
    let bytes = [b"{\"channel\":\"userFills\",\"data\":\"".as_slice(), &vec![b'x'; 600 << 10]].concat();
    assert_eq!(stage.venue.inject(None, &bytes), LISTENERS);
    stage.play();
    for letter in stage.new_letters(known, "a long frame", "malformed_frame", LISTENERS) {
        let payload = letter["payload"].as_str().expect("a payload");
        assert!((255 << 10..=256 << 10).contains(&payload.len()), "{} bytes are published", payload.len());
        assert!(bytes.starts_with(payload.as_bytes()));
        assert_eq!(letter["length"], bytes.len());
        assert_eq!(letter["sha256"], hex(&Sha256::digest(&bytes)));
    }
}

/// Unknown fields and unknown `dir` texts are counted, and the signal is made of the numbers as always.
fn drift_loses_nothing(stage: &mut Stage) {
    let letters = stage.service.lines("dead_letters").len();
    for fault in ["unknown-field", "unknown-dir"] {
        let wanted = stage.service.metric("ingestion_drift_total") + LISTENERS as f64;
        stage.fault_of_all(fault);
        stage.play();
        eventually(fault, || (stage.service.metric("ingestion_drift_total") >= wanted).then_some(()));
    }
    assert_eq!(stage.service.lines("dead_letters").len(), letters);
}

/// Unknown channels and accounts nobody follows: no dead letters, the bytes are found with `raw`.
fn what_is_kept_raw(stage: &mut Stage) {
    let letters = stage.service.lines("dead_letters").len();
    stage.fault("unknown-channel");
    stage.fault("unfollowed");
    stage.play();
    let unknown = eventually("raw UNKNOWN", || {
        Some(stage.raw(&["--type", "UNKNOWN"])).filter(|lines| lines.len() == LISTENERS)
    });
    for line in &unknown {
        assert_eq!(line["disposition"], "stored", "{line}");
        assert!(line["rawPayload"].as_str().expect("text").contains("orbitalElements"), "{line}");
    }
    let unfollowed = eventually("raw of the stranger", || {
        let mut lines = stage.raw(&["--type", "FILL"]);
        lines.retain(|line| line["disposition"] == "unfollowed");
        Some(lines).filter(|lines| lines.len() == LISTENERS)
    });
    for line in &unfollowed {
        assert!(line["account"] != ALICE && line["account"] != BOB, "{line}");
        assert!(line.get("influencerId").is_none() && line.get("signalId").is_none(), "{line}");
    }
    assert_eq!(stage.service.lines("dead_letters").len(), letters);
    assert!(stage.service.metric("ingestion_unknown_channel_frames_total") >= 2.0);
    assert!(stage.service.metric("ingestion_unfollowed_rows_total") >= 2.0);
}

/// A second copy with other content: the first stands, the second is a dead letter, consumers get a gap record `conflict`.
fn mismatch(stage: &mut Stage) {
    let conflicts = |stage: &Stage| {
        let mut gaps = stage.service.lines("gaps");
        gaps.retain(|gap| gap["kind"] == "conflict" && gap["state"] == "opened");
        gaps
    };
    assert_eq!(conflicts(stage), Vec::<Value>::new());
    let letters = stage.refused("mismatch", "leg_mismatch", 1);
    assert_eq!(letters[0]["stage"], "validate");
    assert!(letters[0]["payload"].as_str().expect("text").contains("987.0"), "{}", letters[0]);
    let found = eventually("a conflict", || Some(conflicts(stage)).filter(|gaps| !gaps.is_empty()));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["market"], "ETH-PERP");
    assert_eq!(found[0]["influencerId"], letters[0]["account"]);
}

/// The venue's greeting came at every connection; its error texts are handled. None is a dead letter.
fn error_texts(stage: &mut Stage) {
    let (letters, opened) =
        (stage.service.lines("dead_letters").len(), stage.venue.status().connections_total);
    for text in VENUE_ERRORS {
        let frame = format!("{{\"channel\":\"error\",\"data\":\"{text}\"}}");
        assert_eq!(stage.venue.inject(None, frame.as_bytes()), LISTENERS);
    }
    stage.venue.inject(None, b"Websocket connection established.");
    stage.play();
    for (kind, count) in VENUE_ERRORS_COUNTED {
        let series = format!("ingestion_venue_errors_total{{kind=\"{kind}\"}}");
        eventually(&series, || (stage.service.metric(&series) >= f64::from(count)).then_some(()));
    }
    assert_eq!(stage.service.lines("dead_letters").len(), letters);
    assert_eq!(stage.venue.status().connections_total, opened, "the connections stay");
    let log = stage.service.process.log();
    assert!(log.contains("something new went wrong"), "an unknown text is shown to the operator:\n{log}");
}

/// Answered ten times, read over, and the fill behind it is there.
fn ping_flood(stage: &mut Stage) {
    stage.fault("ping-flood=50000");
    stage.play();
    let wanted = f64::from(50_000 * LISTENERS as u32) * 0.9;
    eventually("the flood is counted", || {
        (stage.service.metric("ingestion_pings_unanswered_total") >= wanted).then_some(())
    });
    stage.play();
}

/// The same numbers in the files, in `/metrics`, in `status` and in the last line of `run`; and all signals, once.
fn everything_is_counted(stage: Stage) {
    let Stage { service, chains, counted, venue, .. } = stage;
    let page = service.get("/metrics").1;
    let (status, printed) = (service.status(), service.printed_status(&[]));
    let mut counts: Vec<(String, String, f64)> = counted
        .iter()
        .map(|(reason, count)| {
            let series = format!("ingestion_refusals_total{{reason=\"{reason}\"}}");
            (series, format!("refusals {reason}"), *count as f64)
        })
        .collect();
    counts.extend(VENUE_ERRORS_COUNTED.map(|(kind, count)| {
        let series = format!("ingestion_venue_errors_total{{kind=\"{kind}\"}}");
        (series, format!("venue errors {kind}"), f64::from(count))
    }));
    let each = LISTENERS as f64;
    for (series, name, count) in [
        ("ingestion_drift_total", "drift", 2.0 * each),
        ("ingestion_unknown_channel_frames_total", "unknown channels", each),
        ("ingestion_unfollowed_rows_total", "unfollowed", each),
        ("ingestion_gap_changes_total{kind=\"conflict\",state=\"opened\"}", "gaps conflict opened", 1.0),
        ("ingestion_connection_ends_total{cause=\"message\"}", "ends message", 2.0 * each),
        (PINGS, "pings unanswered", series_of(&page, PINGS)),
    ] {
        counts.push((series.to_owned(), name.to_owned(), count));
    }
    for (series, name, count) in &counts {
        assert_eq!(series_of(&page, series), *count, "{series}:\n{page}");
        let shown = status["counts"].as_array().expect("counts").iter().filter(|shown| {
            let part = |key: &str| shown[key].as_str().expect("text").to_owned();
            format!("{} {}", part("what"), part("label")).trim_end() == name
        });
        let totals: Vec<_> = shown.map(|shown| shown["total"].as_f64()).collect();
        assert_eq!(totals, [Some(*count)], "{name} in {status}");
        let line = format!("count {name} {count}");
        assert!(printed.lines().any(|printed| words(printed) == line), "{line} in {printed}");
    }

    let (data, config) = (service.data.clone(), service.config.clone());
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    let summary = end.log.lines().find_map(|line| line.strip_prefix("stopped: ")).expect("a last line");
    for (_, name, count) in &counts {
        let part = format!("{name} {count}");
        assert!(summary.split(", ").any(|told| words(told) == part), "{part} in {summary}");
    }
    let letters = support::service::lines(&data, "dead_letters");
    assert_eq!(letters.len(), counted.values().sum::<usize>(), "nothing else is a dead letter");
    let users = [ALICE.to_owned(), BOB.to_owned()];
    let expected = documents(chains.rows(), &users);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    let mut signals = judge::stored(&data);
    // One fill has the unknown `dir` on every listener, and its signal shows it.
    let mut unknown: Vec<&mut Value> =
        signals.iter_mut().filter(|signal| signal["metadata"]["dir"] == "Teleported Long").collect();
    let [signal] = unknown.as_mut_slice() else { panic!("{unknown:?}") };
    assert_eq!(signal["cause"], "other", "{signal}");
    (signal["metadata"]["dir"], signal["cause"]) = ("Open Long".into(), "trade".into());
    judge::judge(&signals, &expected, &allowed);
    let verify = support::process::run(&["verify", "--config", config.to_str().expect("UTF-8")]);
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    drop(venue);
}

/// With one space between them.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
