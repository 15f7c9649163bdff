//! The load: accounts that trade in turn, some frames that are none, at a pace at which history is read as often as in a real week.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use hyperliquid_client::sim::{SimConfig, SimLimits};
use serde_json::Value;
use test_services::until;

use super::bounds::{Bounds, size};
use super::support::scene::{BEGAN, Scene};
use super::support::service::{Service, series_of};

pub(crate) const ACCOUNTS: usize = 40;
/// Fills a second of venue time: a block, in which half of the accounts trade, and the other half in the next one.
pub(crate) const A_SECOND: usize = 20;
pub(crate) const LONG: Duration = Duration::from_secs(120);
/// Fills on their way to the service at once.
const AHEAD: usize = 3_000;
/// Fills between two looks at disk and certificates.
const A_LOOK: usize = 10_000;
/// Venue time that is not certified, at most: an account has 6,000 fills then, and its history holds 10,000.
const BEHIND_MS: u64 = 12_000_000;
/// Blocks for one frame that is none.
const A_LETTER: usize = 25;

/// What one process was given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    pub(crate) fills: usize,
    /// Blocks of each half of the accounts.
    pub(crate) blocks: [usize; 2],
    /// Frames that are none, on both listeners.
    letters: usize,
}

pub(crate) struct Week {
    pub(crate) scene: Scene,
    pub(crate) users: Vec<String>,
    pub(crate) bounds: Bounds,
    pub(crate) played: usize,
    pub(crate) run: Run,
    /// Fills of an earlier process that its signals did not get.
    pub(crate) unread: usize,
    total: usize,
    blocks: usize,
    began: Instant,
    peaks: BTreeMap<&'static str, u64>,
}

impl Week {
    pub(crate) fn new(total: usize, retention_s: i64) -> Self {
        // At high speed there are more fills between two reads of history, and so more keys in the state.
        let bounds = Bounds(if total > 1_000_000 { 8 } else { 1 });
        let users: Vec<String> =
            (0..ACCOUNTS).map(|number| format!("0x{:040x}", 0xa11c_0000 + number)).collect();
        let mut sim = SimConfig::manual();
        // What the venue allows a minute of ours is no week's share; and how far history lags is as much faster as everything else.
        sim.venue.limits = SimLimits::generous();
        sim.venue.index_lag = (Duration::from_micros(100), Duration::from_micros(1_500));
        sim.venue.truth_rows = 1_000;
        let entries: Vec<String> = users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
        let list = format!("static = [{}]", entries.join(","));
        // A stream without rows is certified by two reads 30 s of our clock apart: hours of this week.
        // And a state is compared with fills of minutes later.
        let streams = "[streams]\ntwap = false\n[account_state]\nenabled = false\n";
        let extra = format!("{streams}{}", bounds.configuration(retention_s));
        let mut scene = Scene::at(sim, 1_000, |_| list, &extra);
        scene.chains.fills_only(1_000);
        let peaks = bounds.all(true).into_iter().map(|(name, _)| (name, 0)).collect();
        Self {
            scene,
            users,
            bounds,
            played: 0,
            run: Run::default(),
            unread: 0,
            total,
            blocks: 0,
            began: Instant::now(),
            peaks,
        }
    }

    /// A process that goes on with it.
    pub(crate) fn start(&mut self, command: Command, settings: &[&str]) -> Service {
        let generous = [
            "--set",
            "venue.endpoint.0.limits.info_weight_per_minute=1000000",
            "--set",
            "venue.endpoint.0.limits.users=100",
        ];
        let service = Service::start_as(command, &self.scene.config, &[&generous, settings].concat());
        service.wait_ready();
        self.run = Run::default();
        service
    }

    /// Plays so many fills, or up to a block more; the service has made signals of all when this returns.
    pub(crate) fn play(&mut self, service: &Service, fills: usize) {
        let users = self.users.clone();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let halves = [&users[..A_SECOND], &users[A_SECOND..]];
        let (end, mut seen, mut looked) = (self.run.fills + fills, self.run.fills, 0);
        while self.run.fills < end {
            let half = self.blocks % 2;
            self.scene.play(halves[half], "ETH");
            self.blocks += 1;
            self.run.blocks[half] += 1;
            self.run.fills += A_SECOND;
            self.played += A_SECOND;
            if self.blocks.is_multiple_of(A_LETTER) {
                self.run.letters += self.scene.venue.inject(None, b"{\"channel\":\"userFills\",");
            }
            if self.run.fills >= seen + AHEAD {
                seen = wait_made(service, self.run.fills - AHEAD / 2);
            }
            looked += A_SECOND;
            if looked >= A_LOOK {
                looked = 0;
                self.look(false);
                self.wait_certified(service);
            }
        }
        wait_made(service, self.run.fills);
    }

    /// Plays until it is so, half a segment at a time.
    pub(crate) fn play_until(
        &mut self,
        service: &Service,
        what: &str,
        is_so: impl Fn(&Self, &Service) -> bool,
    ) {
        for _ in 0..400 {
            if is_so(self, service) {
                println!("{what}: {self}");
                return;
            }
            self.play(service, 2_000 * usize::try_from(self.bounds.0).expect("small"));
            self.look(false);
        }
        panic!("never {what}: {:?}, {}", self.segments(), service.status()["journal"]);
    }

    /// No further ahead of the certificates than an account's history reaches.
    fn wait_certified(&self, service: &Service) {
        let behind = || {
            let status = service.status();
            let certified = status["completeness"]["total"]["certifiedTo"].as_u64().unwrap_or(BEGAN);
            self.scene.chains.now().saturating_sub(certified)
        };
        until(LONG, || (behind() <= BEHIND_MS).then_some(()))
            .unwrap_or_else(|| panic!("{} ms are not certified: {}", behind(), service.status()));
    }

    /// Everything is delivered but to those, nothing is missing, the service is ready, and every directory is inside its bound.
    pub(crate) fn moment(&mut self, service: &Service, paused: &[&str]) {
        let delivered = |status: &Value| {
            let sinks = status["sinks"].as_array().expect("sinks");
            let is_behind = |sink: &&Value| {
                paused.iter().all(|name| sink["stream"] != *name)
                    && sink["delivered"].as_u64() < status["journal"]["synced"].as_u64()
            };
            // Of what both listeners bring, one may still bring its own.
            let letters = sink(status, "dead_letters")["lines"].as_u64();
            !sinks.iter().any(|sink| is_behind(&sink)) && letters >= Some(self.run.letters as u64)
        };
        let status = until(LONG, || Some(service.status()).filter(delivered))
            .unwrap_or_else(|| panic!("not delivered: {}\n{}", service.status(), service.process.log()));
        self.look(true);
        let letters = sink(&status, "dead_letters")["lines"].as_u64();
        assert_eq!(letters, Some(self.run.letters as u64), "a letter for every frame that is none");
        let start = &status["completeness"]["total"]["sinceStart"];
        assert_eq!((&start["missing"], &start["percent"]), (&0.into(), &100.0.into()), "{start}");
        assert_eq!(status["gaps"], Value::Array(Vec::new()), "no gap is open or unfillable");
        let (code, why) = service.get("/ready");
        assert_eq!(code, 200, "{why}");
    }

    /// Every directory is inside its bound.
    fn look(&mut self, at_rest: bool) {
        for (name, most) in self.bounds.all(at_rest) {
            let found = self.size(name);
            assert!(found <= most, "{name:?} has {found} bytes of {most}");
            let peak = self.peaks.entry(name).or_default();
            *peak = found.max(*peak);
        }
    }

    /// Bytes below a directory of the data.
    pub(crate) fn size(&self, name: &str) -> u64 {
        size(&self.scene.data().join(name))
    }

    /// The most bytes that were seen there.
    pub(crate) fn peak(&self, name: &str) -> u64 {
        self.peaks.get(name).copied().unwrap_or(0)
    }

    /// Segments of the journal, of which nothing behind this position may be missing.
    pub(crate) fn held_from(&self, position: u64) -> Vec<u64> {
        let held = self.segments();
        assert!(held[0] <= position, "unread and deleted: {held:?}, read up to {position}");
        held
    }

    /// First positions of the journal's segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(self.scene.data().join("journal")).expect("there is a journal");
        let first = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.ok()?.file_name().to_str()?.strip_suffix(".seg")?.parse().ok()
        };
        let mut found: Vec<u64> = entries.filter_map(first).collect();
        found.sort_unstable();
        found
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, share) = (self.began.elapsed().as_secs_f64(), self.played as f64 / self.total as f64);
        let rate = self.played as f64 / seconds;
        write!(
            f,
            "{:3.0} %, {} fills, {seconds:.0} s, {rate:.0} a second; most bytes",
            100.0 * share,
            self.played
        )?;
        self.peaks.iter().try_for_each(|(name, peak)| {
            write!(f, ", {} {peak}", if name.is_empty() { "together" } else { name })
        })
    }
}

/// A sink in `/status`.
pub(crate) fn sink<'a>(status: &'a Value, stream: &str) -> &'a Value {
    let sinks = status["sinks"].as_array().expect("sinks");
    sinks.iter().find(|sink| sink["stream"] == stream).unwrap_or_else(|| panic!("no {stream} in {sinks:?}"))
}

/// Waits until the service has made so many signals, and they are on the disk: the raw events, which are never switched off. How many it
/// has. What its queue to the disk has no room for is refused, as it must be, and history would bring it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn wait_made(service: &Service, wanted: usize) -> usize {
    let made = || {
        let page = service.get("/metrics").1;
        ["ingestion_events_total{disposition=\"signal\"}", "ingestion_sink_lines{stream=\"raw\"}"]
            .map(|series| series_of(&page, series) as usize)
    };
    let done = || Some(made()).filter(|made| made.iter().all(|count| *count >= wanted));
    let [signals, _] = until(LONG, done).unwrap_or_else(|| {
        panic!("{:?} of {wanted}: {}\n{}", made(), service.status(), service.process.log())
    });
    signals
}
