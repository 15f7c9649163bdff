//! How long a fill takes from the socket to its line in the signal file, on the healthy listener: while the other one is healthy too, and
//! while all of its connections are cut again and again. In turns on one process, so that both meet the same machine. Told, not judged; judged
//! is only that every signal is there.
//!
//! From `receivedAtNs` of the raw event, stamped where the bytes were read, to the moment a reader of the file sees the line: the journal, its
//! fsync (`fsync_interval_ms`, 10), the sink, and the reader's own look, about 0.1 ms. `cargo xtask latency` runs the long form in release.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyperliquid_client::sim::{SimConfig, SimLimits};
use serde_json::Value;

use super::support::legs::{Legs, Setting};
use super::support::proxy::Cut;
use super::support::service::lines;

/// Each has a connection of its own on each listener.
const ACCOUNTS: usize = 20;
/// One block of a single fill each.
const EVERY: Duration = Duration::from_millis(5);
/// Between two cuts of everything on one listener.
const CUT_EVERY: Duration = Duration::from_millis(300);

#[test]
fn latency_of_the_healthy_listener() {
    let turns = super::support::number("INGESTION_LATENCY").unwrap_or(1);
    let fills = if turns > 1 { 2_000 } else { 200 };
    let mut sim = SimConfig::manual();
    sim.venue.limits = SimLimits::generous();
    let endpoint = "limits = { users = 1000, connections = 1000, new_connections_per_minute = 1000000, \
                    subscriptions = 100000, messages_per_minute = 1000000, info_weight_per_minute = 1000000 }";
    let setting = Setting {
        listeners: "allocation = \"dedicated\"\nbackoff = { initial_ms = 50, max_ms = 100, jitter = 0.5 }"
            .to_owned(),
        extra: "[raw]\nsink = \"file\"".to_owned(),
        endpoint: endpoint.to_owned(),
        ..Setting::default()
    };
    let mut legs = Legs::new(ACCOUNTS, &sim, &setting);
    let service = legs.start();
    let (data, ended) = (legs.data(), AtomicBool::new(false));
    let mut periods = Vec::new();
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| seen(&data.join("signals"), &ended));
        for turn in 0..2 * turns {
            let storm = turn % 2 == 1;
            let began = legs.chains.rows().len();
            flow(&mut legs, fills, storm);
            periods.push((storm, began..legs.chains.rows().len()));
            legs.caught_up(&service);
        }
        ended.store(true, Ordering::Release);
        reader.join().expect("the reader ends")
    });
    let cuts = legs.a.proxy.accepted();
    service.stop_well();
    legs.judge_seamless();

    let raw = lines(&legs.data(), "raw");
    let received: BTreeMap<String, u64> =
        raw.iter().filter_map(|raw| Some((key(raw), raw["receivedAtNs"].as_u64()?))).collect();
    for storm in [false, true] {
        let mut times: Vec<u64> = Vec::new();
        for (_, rows) in periods.iter().filter(|(of, _)| *of == storm) {
            for row in &legs.chains.rows()[rows.clone()] {
                let event = format!(
                    "fill:{}:{}:{}",
                    row.fill["time"],
                    row.fill["tid"],
                    row.fill["side"].as_str().expect("a side")
                );
                let key = row.user.clone() + &event;
                times.push(seen[&key].saturating_sub(received[&key]));
            }
        }
        times.sort_unstable();
        let ms = |part: f64| times[((times.len() - 1) as f64 * part) as usize] as f64 / 1e6;
        println!(
            "{}: {} fills, p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
            if storm { "the other listener in a reconnect storm" } else { "both listeners healthy" },
            times.len(),
            ms(0.5),
            ms(0.99),
            ms(1.0),
        );
    }
    println!("{cuts} connections of the other listener, of {ACCOUNTS} accounts");
}

/// Account and event.
fn key(line: &Value) -> String {
    format!(
        "{}{}",
        line["account"].as_str().unwrap_or_default(),
        line["sourceEventId"].as_str().unwrap_or_default()
    )
}

fn flow(legs: &mut Legs, fills: usize, storm: bool) {
    let users = legs.users.clone();
    let (began, mut cut) = (Instant::now(), Instant::now());
    for number in 0..fills {
        let due = began + EVERY * u32::try_from(number).expect("few");
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        if storm && cut.elapsed() > CUT_EVERY {
            legs.a.proxy.cut(Cut::Reset);
            cut = Instant::now();
        }
        let block = legs.chains.block(&[users[number % users.len()].as_str()], "ETH");
        legs.show(&block);
    }
}

/// When each line of the files was first seen, wall ns, until `ended`.
fn seen(directory: &Path, ended: &AtomicBool) -> BTreeMap<String, u64> {
    let (mut seen, mut open): (BTreeMap<String, u64>, Option<File>) = (BTreeMap::new(), None);
    let mut rest = Vec::new();
    loop {
        let last = ended.load(Ordering::Acquire);
        if open.is_none() {
            let files = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
            let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
            files.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
            files.sort();
            open = files.first().map(|path| File::open(path).expect("it opens"));
        }
        if let Some(file) = &mut open {
            let before = rest.len();
            file.read_to_end(&mut rest).expect("it is read");
            if rest.len() > before {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
                let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                for line in rest.drain(..whole).collect::<Vec<u8>>().split(|byte| *byte == b'\n') {
                    if !line.is_empty() {
                        seen.insert(key(&serde_json::from_slice(line).expect("a JSON line")), now);
                    }
                }
            }
        }
        if last {
            return seen;
        }
        std::thread::park_timeout(Duration::from_micros(100));
    }
}
