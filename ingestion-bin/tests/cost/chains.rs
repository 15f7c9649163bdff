//! The two chains as processes: started, offered a load, waited for, and what they left in their topic judged.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hyperliquid_client::sim::SimHandle;
use messaging::kafka::{KafkaConfig, read_topic};
use serde_json::Value;
use test_services::until;

use super::figures::{Delays, Run, busiest, cpu, peak_kib, threads};
use super::load::{Load, Pace};
use super::support::process::{Process, ingestion};
use super::support::service::{Service, configuration};

/// Where this process is to be the textbook chain, what that one is asked for, a word a line.
pub(super) const WORDS: &str = "INGESTION_TEXTBOOK_CHAIN";

/// How long the last acknowledgement, or the last record read back, may take.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The service as it is by default, signals to a topic.
    Ours,
    /// Without reading back what was acknowledged.
    Unaudited,
    Textbook,
}

/// A broker, with a new topic for every run.
pub(super) struct Stage {
    brokers: String,
    runs: usize,
}

impl Stage {
    pub(super) fn new(brokers: String) -> Self {
        Self { brokers, runs: 0 }
    }

    /// Offers `load` to a new process, tells what it took, and judges its topic.
    pub(super) fn run(&mut self, kind: Kind, load: &Load, pace: Pace) -> Run {
        self.runs += 1;
        let topic = format!("cost.{}", self.runs);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let venue = load.venue();
        let entries: Vec<String> =
            load.users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
        let extra = format!(
            "[signals]\nsink = \"kafka\"\ntopic = {topic:?}\n[kafka]\nbrokers = {:?}\naudit = {}\n",
            self.brokers,
            kind == Kind::Ours
        );
        let influencers = format!("static = [{}]", entries.join(","));
        let config = configuration(directory.path(), &venue, &influencers, &extra);
        let mut command = ingestion();
        command.arg("--config").arg(&config).args(["topics", "create", "--partitions", "6"]);
        assert!(command.output().expect("the binary starts").status.success(), "{topic} is made");
        let run = match kind {
            Kind::Ours | Kind::Unaudited => ours(kind, &config, &venue, load, pace),
            Kind::Textbook => textbook(&self.brokers, &topic, directory.path(), &venue, (load, pace)),
        };
        run.tell();
        judge(&self.brokers, &topic, load);
        run
    }
}

fn ours(kind: Kind, config: &Path, venue: &SimHandle, load: &Load, pace: Pace) -> Run {
    // What others print nobody pays for here either.
    let mut service = Service::start(config, &["--quiet"]);
    service.wait_ready();
    load.warm(venue);
    let (process, warm, fills) = (service.process.id(), load.warm_fills(), load.fills());
    acknowledged(&service, warm);
    let (before, timed, by_thread) = (cpu(process), Delays::read(&service), threads(process));
    let began = Instant::now();
    load.offer(venue, pace, || lines(&service).saturating_sub(warm));
    acknowledged(&service, warm + fills);
    let took = began.elapsed();
    if kind == Kind::Ours {
        let read_back = || (shown(&service, "audit", "lag") == 0).then_some(());
        until(LONG, read_back).unwrap_or_else(|| panic!("not read back: {}", service.status()["audit"]));
    }
    let (after, peak_kib) = (cpu(process), peak_kib(process));
    let busiest = busiest(&threads(process), &by_thread, fills);
    let timed = Delays::read(&service).since(&timed);
    assert_eq!(timed.count(), fills, "each signal is timed once");
    assert_eq!(service.process.ready_lines(), Vec::<String>::new(), "quiet is quiet");
    assert_eq!(venue.status().slow_closed, 0, "a listener was cut off");
    service.stop_well();
    let name = if kind == Kind::Ours { "ours" } else { "ours, without audit" };
    Run { name, fills, took, cpu: after - before, peak_kib, delays: timed.told(), busiest }
}

/// Waits until the topic has acknowledged so many signals.
fn acknowledged(service: &Service, count: usize) {
    until(LONG, || (lines(service) >= count).then_some(())).unwrap_or_else(|| {
        panic!("{} of {count}: {}\n{}", lines(service), service.status(), service.process.log())
    });
}

/// Signals that the topic has acknowledged.
fn lines(service: &Service) -> usize {
    usize::try_from(shown(service, "sinks", "lines")).expect("a count")
}

/// A figure of the stream of signals in `/status`.
fn shown(service: &Service, part: &str, figure: &str) -> u64 {
    let status = service.status();
    let streams = status[part].as_array().expect("a list of streams");
    let signals = streams.iter().find(|stream| stream["stream"] == "signals").expect("signals");
    signals[figure].as_u64().unwrap_or_else(|| panic!("{figure} in {signals}"))
}

fn textbook(
    brokers: &str,
    topic: &str,
    directory: &Path,
    venue: &SimHandle,
    (load, pace): (&Load, Pace),
) -> Run {
    let (address, fills) = (venue.addr().to_string(), load.fills());
    let directory = directory.to_str().expect("a path in UTF-8");
    let counts = format!("{},{}", load.warm_fills(), load.warm_fills() + fills);
    let mut words = vec![address.as_str(), brokers, topic, directory, counts.as_str()];
    words.extend(load.users.iter().map(String::as_str));
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "this_is_the_textbook_chain", "--nocapture", "--quiet", "--test-threads=2"]);
    command.env(WORDS, words.join("\n"));
    let mut chain = Process::start(command);
    says(&mut chain, "subscribed");
    load.warm(venue);
    says(&mut chain, "delays_us");
    let before = cpu(chain.id());
    let began = Instant::now();
    // It is behind its sockets only.
    load.offer(venue, pace, || usize::MAX / 2);
    says(&mut chain, "delivered");
    let took = began.elapsed();
    let (after, peak_kib) = (cpu(chain.id()), peak_kib(chain.id()));
    let line = says(&mut chain, "delays_us");
    let ms: Vec<f64> = line.split(' ').filter_map(|word| Some(word.parse::<f64>().ok()? / 1e3)).collect();
    let delays = format!("p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", ms[0], ms[1], ms[2]);
    assert_eq!(venue.status().slow_closed, 0, "a listener was cut off");
    Run { name: "textbook", fills, took, cpu: after - before, peak_kib, delays, busiest: String::new() }
}

/// The line that begins so.
fn says(chain: &mut Process, word: &str) -> String {
    loop {
        let line = chain.line();
        if line.starts_with(word) {
            return line;
        }
    }
}

/// Every fill of the load is in the topic, once, and nothing else.
fn judge(brokers: &str, topic: &str, load: &Load) {
    let mut left: HashMap<String, usize> = load.events().map(|event| (event, 0)).collect();
    assert_eq!(left.len(), load.warm_fills() + load.fills(), "no two fills are one event");
    let whole = read_topic(&KafkaConfig::new(brokers), topic, LONG, |stored| {
        let signal: Value = serde_json::from_slice(stored.value.expect("a value")).expect("a document");
        let text = |field: &str| signal[field].as_str().unwrap_or_default().to_owned();
        let event = format!("{} {}", text("influencerId"), text("sourceEventId"));
        *left.get_mut(&event).unwrap_or_else(|| panic!("nobody traded that: {signal}")) += 1;
    });
    assert!(whole.expect("the topic is read"), "{topic} has its beginning");
    let wrong: Vec<_> = left.iter().filter(|(_, count)| **count != 1).take(10).collect();
    assert!(wrong.is_empty(), "{topic}: not there once: {wrong:?}");
}
