//! Where accounts stand, on the real binary: a consumer that reads the state records alone knows every open position and which accounts
//! nobody listens to, over killed listeners, kills of the service, closes and flips; a wrong position raises the alarm; what was shown is
//! context of signals and found by `raw`.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use hyperliquid_client::sim::{
    Block, BlockFill, FaultSpec, SimConfig, SimHandle, SimLimits, SimVenue, Stream, VenueFill,
};
use serde_json::{Value, json};
use support::judge;
use support::process::ingestion;
use support::service::{Service, configuration};
use support::{eventually, service};

const COINS: [&str; 4] = ["ETH", "BTC", "SOL", "xyz:TSLA"];
const USERS: [&str; 3] = [
    "0x0000000000000000000000000000000a11ce0001",
    "0x0000000000000000000000000000000a11ce0002",
    "0x0000000000000000000000000000000a11ce0003",
];

/// Accounts that trade at random.
struct Floor {
    venue: SimHandle,
    time: u64,
    number: u64,
    held: BTreeMap<(&'static str, &'static str), i64>,
}

impl Floor {
    fn new(mut sim: SimConfig) -> Self {
        sim.queue_frames = 1 << 16;
        sim.venue.state_interval = std::time::Duration::from_millis(300);
        sim.venue.index_lag = Default::default();
        let venue = SimVenue::start(sim).expect("the venue starts");
        Self { venue, time: 1_790_000_000_000, number: 0, held: BTreeMap::new() }
    }

    fn trade(&mut self, user: &'static str, coin: &'static str, delta: i64) -> Block {
        (self.time, self.number) = (self.time + 1_000, self.number + 1);
        let n = self.number;
        let held = self.held.entry((user, coin)).or_default();
        let fill = json!({
            "coin": coin, "px": "2400.5", "sz": format!("{}.0", delta.abs()), "side": if delta > 0 { "B" } else { "A" },
            "time": self.time, "startPosition": format!("{held}.0"), "dir": "Open Long", "closedPnl": "0.0",
            "hash": format!("0x{n:064x}"), "oid": 560_000_000_000_u64 + n, "crossed": true, "fee": "0.1",
            "tid": 512_000_000_000_000_u64 + n, "feeToken": "USDC", "twapId": null,
        });
        *held += delta;
        let fill: VenueFill = serde_json::from_value(fill).expect("a fill of the venue");
        let fill = BlockFill { user: Arc::from(user), stream: Stream::Fills, twap_id: None, fill };
        Block { time: self.time, fills: vec![fill], marks: Vec::new() }
    }

    /// `count` fills of everybody: opens, closes and flips among them.
    fn play(&mut self, count: u64) {
        for _ in 0..count {
            for user in USERS {
                let n = self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
                let coin = COINS[(n % 4) as usize];
                let held = self.held.get(&(user, coin)).copied().unwrap_or(0);
                let delta = match n % 5 {
                    0 if held != 0 => -held,
                    1 if held != 0 => -2 * held,
                    kind => [3, 2, -2, 1, -4][kind as usize],
                };
                let block = self.trade(user, coin, delta);
                self.venue.play(&block);
            }
        }
    }
}

/// What a consumer makes of the state records: the newest value of each key.
fn consumer(data: &std::path::Path) -> BTreeMap<String, Value> {
    let mut keys = BTreeMap::new();
    for line in service::lines(data, "state") {
        match (line["key"].as_str(), line["influencerId"].as_str(), line["market"].as_str()) {
            (Some(key), ..) => drop(keys.remove(key)),
            (None, Some(id), Some(market)) => drop(keys.insert(format!("{id}|{market}"), line.clone())),
            (None, Some(id), None) => drop(keys.insert(id.to_owned(), line.clone())),
            (None, None, _) => panic!("a record without a key: {line}"),
        }
    }
    keys
}

/// Open positions of a user, signed, as the consumer knows them.
fn known(keys: &BTreeMap<String, Value>, user: &str) -> BTreeMap<String, String> {
    let of_user =
        keys.iter().filter_map(|(key, value)| Some((key.strip_prefix(user)?.strip_prefix('|')?, value)));
    let signed = |value: &Value| {
        let size = value["size"].as_str().expect("a size");
        if value["side"] == "SHORT" { format!("-{size}") } else { size.to_owned() }
    };
    of_user
        .filter(|(_, value)| value["size"] != "0")
        .map(|(market, value)| (market.to_owned(), signed(value)))
        .collect()
}

/// At a quiet moment the consumer agrees with the venue about these users.
fn agrees(floor: &Floor, data: &std::path::Path, users: &[&str], when: &str) {
    for user in users {
        let there: BTreeMap<String, String> = floor
            .venue
            .positions(user)
            .into_iter()
            .map(|(coin, size)| (format!("{coin}-PERP"), size))
            .collect();
        eventually(&format!("agreement {when}: {user} has {there:?}"), || {
            (known(&consumer(data), user) == there).then_some(())
        });
    }
}

fn coverage(data: &std::path::Path, user: &str, wanted: &str) {
    eventually(&format!("{user} is {wanted}"), || {
        (consumer(data).get(user)?["coverage"] == wanted).then_some(())
    });
}

const EXTRA: &str = "[account_state]\ninterval_s = 1\n[listeners]\nbackoff = { initial_ms = 50, max_ms = 200, jitter = 0.1 }\n";

fn followed(users: &[&str]) -> String {
    let entries: Vec<String> = users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
    format!("static = [{}]", entries.join(", "))
}

#[test]
fn who_reads_the_state_records_alone_agrees_with_the_venue_at_every_quiet_moment() {
    let mut sim = SimConfig::manual();
    // One account more than the venue lets one address follow.
    sim.venue.limits = SimLimits { users: 2, ..SimLimits::generous() };
    let mut floor = Floor::new(sim);
    // Positions older than what a snapshot shows: only the venue's state tells of them.
    for user in USERS {
        let block = floor.trade(user, "SOL", -7);
        floor.venue.play_history(&block);
        for _ in 0..40 {
            let block = floor.trade(user, "ETH", 1);
            floor.venue.play_history(&block);
        }
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The first one's order updates are kept, too.
    let list = followed(&USERS).replacen(" }", ", orders = true }", 1);
    let config = configuration(directory.path(), &floor.venue, &list, EXTRA);
    let data = directory.path().join("data");
    let covered = &USERS[..2];

    let service = Service::start(&config, &[]);
    covered.iter().for_each(|user| coverage(&data, user, "full"));
    coverage(&data, USERS[2], "blind");
    agrees(&floor, &data, covered, "at the baseline");
    let baseline = service::lines(&data, "state");
    let of_venue = baseline.iter().find(|line| line["market"] == "SOL-PERP").expect("it is open");
    assert_eq!((&of_venue["source"], &of_venue["reason"]), (&json!("venue"), &json!("baseline")));

    floor.play(40);
    agrees(&floor, &data, covered, "after trades");
    // Every listener is cut while they trade.
    floor.play(10);
    floor.venue.close_sockets(1006);
    floor.play(10);
    floor.venue.close_sockets(1000);
    floor.play(10);
    agrees(&floor, &data, covered, "after cuts");
    // Killed in the middle of it; it trades on while nobody listens.
    floor.play(5);
    drop(service);
    floor.play(25);
    let service = Service::start(&config, &[]);
    agrees(&floor, &data, covered, "after a kill");
    assert_eq!(service.stop().status.code(), Some(0));
    floor.play(25);
    let service = Service::start(&config, &[]);
    agrees(&floor, &data, covered, "after a restart");
    // Everybody is flat.
    for user in USERS {
        for coin in COINS {
            let held = floor.held.get(&(user, coin)).copied().unwrap_or(0);
            if held != 0 {
                let block = floor.trade(user, coin, -held);
                floor.venue.play(&block);
            }
        }
    }
    agrees(&floor, &data, covered, "when all is closed");
    coverage(&data, USERS[2], "blind");

    // Nobody can listen any more.
    floor.venue.add_fault("handshake=503".parse::<FaultSpec>().expect("a fault"));
    floor.venue.close_sockets(1006);
    covered.iter().for_each(|user| coverage(&data, user, "blind"));
    assert_eq!(service.stop().status.code(), Some(0));

    // What was shown in between is context of signals, and signals are a function of the journal.
    let signals = service::lines(&data, "signals");
    let in_context = signals.iter().filter(|signal| signal["context"]["leverage"] == "10");
    assert!(in_context.count() > 0, "no signal carries what the venue showed");
    let equity =
        |signal: &&Value| signal["action"] == "OPEN" && signal["context"]["accountValue"].is_string();
    assert!(signals.iter().filter(equity).count() > 0, "no OPEN carries the equity");
    let ask = |arguments: &[&str]| {
        let output =
            ingestion().arg("--config").arg(&config).args(arguments).output().expect("the binary starts");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert!(ask(&["replay"]) == judge::concatenated(&data, "signals"), "replay gives other bytes");
    for event_type in ["POSITION_SNAPSHOT", "POSITION_UPDATE", "ORDER_UPDATE"] {
        let found = String::from_utf8(ask(&["raw", "--json", "--type", event_type])).expect("text");
        assert!(found.lines().count() > 2, "{event_type}: {found}");
        let of_first = found.lines().all(|line| line.contains(USERS[0]));
        assert_eq!(of_first, event_type == "ORDER_UPDATE", "{event_type}: {found}");
    }
    // More of them than there are connections for.
    let sets = ["--set=streams.orders=true", "--set=venue.endpoint.0.limits.connections=4", "check"];
    let refused = ingestion().arg("--config").arg(&config).args(sets).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("3 influencers ask") && said.contains("order updates name no account"), "{said}");
}

#[test]
fn a_wrong_position_raises_the_alarm_and_is_not_believed() {
    let mut floor = Floor::new(SimConfig::manual());
    let (user, other) = (USERS[0], USERS[1]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = configuration(directory.path(), &floor.venue, &followed(&USERS), EXTRA);
    let data = directory.path().join("data");
    let service = Service::start(&config, &[]);
    coverage(&data, user, "full");
    let block = floor.trade(user, "ETH", 2);
    floor.venue.play(&block);
    service.wait_lines("signals", 1);
    agrees(&floor, &data, &[user], "before");

    floor.venue.add_fault(format!("wrong-state={user}").parse::<FaultSpec>().expect("a fault"));
    let contradicted = "ingestion_positions_contradicted_total";
    eventually("the alarm", || {
        // The venue's clock goes on with what others do.
        let block = floor.trade(other, "BTC", 1);
        floor.venue.play(&block);
        (service.metric(contradicted) >= 1.0).then_some(())
    });
    let wrong = eventually("what the venue says is told", || {
        let now = consumer(&data).get(&format!("{user}|ETH-PERP"))?.clone();
        (now["source"] == "venue").then_some(now)
    });
    assert_eq!((&wrong["size"], &wrong["reason"]), (&json!("3"), &json!("resync")));
    let gap = service.wait_lines("gaps", 1).into_iter().find(|gap| gap["kind"] == "silent").expect("a gap");
    assert_eq!(
        (&gap["state"], &gap["startExpected"], &gap["startFound"]),
        (&json!("opened"), &json!("2"), &json!("3"))
    );
    let account = eventually("the status of it", || {
        let status = service.status();
        let accounts = status["accounts"].as_array().expect("an array").clone();
        let account = accounts.into_iter().find(|account| account["influencerId"] == user)?;
        (account["contradicted"] == json!(["ETH-PERP"])).then_some(account)
    });
    assert_eq!(account["positions"], json!([["ETH-PERP", "2"]]), "the chain is not overwritten");

    floor.venue.clear_faults();
    agrees(&floor, &data, &[user], "after it");
    eventually("the gap's end", || {
        let gaps = service.lines("gaps");
        gaps.iter().any(|gap| gap["kind"] == "silent" && gap["state"] == "repaired").then_some(())
    });
    // The next fill goes on where the chain stood.
    let block = floor.trade(user, "ETH", -5);
    floor.venue.play(&block);
    agrees(&floor, &data, &[user], "in the end");
    assert_eq!(service.stop().status.code(), Some(0));
    let signals = service::lines(&data, "signals");
    let last = signals.iter().rfind(|signal| signal["account"] == user).expect("it traded");
    assert_eq!((&last["action"], &last["gapId"]), (&json!("FLIP"), &Value::Null));
}
