//! One run: kill after kill, then healing, a graceful stop, and the verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyperliquid_client::sim::SimLimits;
use serde_json::Value;
use tempfile::TempDir;

use super::judge::{self, Case};
use super::market::{Play, Random, address};
use super::service::{Service, pass, until};
use super::support::process::{ingestion, run};
use super::{disk, history};

/// Inside which limits, on both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limits {
    /// None to speak of.
    Lifted,
    /// The venue's own, with this info weight.
    Enforced {
        /// A minute's.
        info_weight_per_minute: u32,
    },
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drill {
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    pub(crate) limits: Limits,
    /// Accounts from the start; more join on the way.
    pub(crate) accounts: u64,
    /// Of a thousand orders these are slices of a TWAP.
    pub(crate) slices: u64,
    pub(crate) wait: Wait,
}

/// How far the service heals before it is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    /// Not at all: what is there must be right, but it may be too little yet.
    No,
    /// Everything history shows is on disk.
    Published,
    /// And every gap has ended; takes minutes.
    Healed,
}

/// When a life ends.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Any time.
    Any,
    /// While it starts.
    Start,
    /// Just after a new account's first fill came live, its baseline being written since long.
    FirstFill,
    /// Around a new account's baseline, while its first fill comes.
    Baseline,
}

/// Accounts of ten that are allowed to be followed by the venue.
const USERS_MAX: usize = 10;

struct Run {
    drill: Drill,
    random: Random,
    play: Play,
    directory: TempDir,
    users: Vec<String>,
    followed_from: BTreeMap<String, i64>,
    lives: u64,
}

impl Drill {
    /// Runs it; panics with the findings.
    pub(crate) fn run(self) {
        println!("seed {} ({self:?})", self.seed);
        let limits = match self.limits {
            Limits::Lifted => SimLimits::generous(),
            Limits::Enforced { info_weight_per_minute } => {
                SimLimits { info_weight_per_minute, ..SimLimits::default() }
            }
        };
        // The first is busy (its 30 rows of a snapshot pass in a second or two, or in ten), the last is quiet.
        let busy = if matches!(self.limits, Limits::Lifted) { 200 } else { 30 };
        let players: Vec<(String, u64)> =
            (0..self.accounts).map(|n| (address(n), busy / (n * n + 1) + 4)).collect();
        let play = Play::start(self.seed, limits, &players, self.slices);
        let mut run = Run {
            drill: self,
            random: Random::new(self.seed),
            play,
            directory: TempDir::new().expect("a directory"),
            users: players.into_iter().map(|(address, _)| address).collect(),
            followed_from: BTreeMap::new(),
            lives: 0,
        };
        let began = Instant::now();
        for kill in 1..=self.kills {
            run.life(kill);
        }
        println!("{} kills in {:.0} s", self.kills, began.elapsed().as_secs_f64());
        run.end();
    }
}

impl Run {
    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn configuration(&self) -> PathBuf {
        let limits = match self.drill.limits {
            Limits::Lifted => {
                "{ users = 1000, connections = 100, new_connections_per_minute = 100000, subscriptions = 100000, \
                 messages_per_minute = 1000000, info_weight_per_minute = 1000000 }"
                    .to_owned()
            }
            Limits::Enforced { info_weight_per_minute } => {
                format!("{{ info_weight_per_minute = {info_weight_per_minute} }}")
            }
        };
        let entries: Vec<String> =
            self.users.iter().map(|user| format!("{{ address = \"{user}\" }}")).collect();
        // Small files: lives end while they are rotated too.
        let text = format!(
            "data_dir = {:?}\n[[venue.endpoint]]\nname = \"sim\"\nnetwork = \"sim\"\nws_url = {:?}\ninfo_url = {:?}\n\
             limits = {limits}\n[influencers]\nstatic = [{}]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [telemetry]\nlog = \"json\"\n[journal]\nsegment_bytes = 262144\n[signals]\nrotate_bytes = 131072\n",
            self.data(),
            self.play.ws_url(),
            self.play.info_url(),
            entries.join(", "),
        );
        let path = self.directory.path().join("ingestion.toml");
        std::fs::write(&path, text).expect("the configuration is written");
        path
    }

    fn start(&mut self) -> Service {
        self.lives += 1;
        let log = self.directory.path().join(format!("life-{}.log", self.lives));
        Service::start(&self.configuration(), log)
    }

    /// One life, its end, and the pause before the next.
    fn life(&mut self, kill: u64) {
        let moment = self.moment(kill);
        let before = (disk::journal(&self.data()).records, disk::count(&self.data(), "signals"));
        let service = match moment {
            Moment::Any => {
                let service = self.start();
                let most = if matches!(self.drill.limits, Limits::Lifted) { 3_500 } else { 8_000 };
                pass(self.random.millis(most));
                service
            }
            Moment::Start => {
                let service = self.start();
                pass(self.random.millis(250));
                service
            }
            Moment::FirstFill => self.first_fill(),
            Moment::Baseline => self.baseline(),
        };
        let age = service.started.elapsed();
        let log = service.log();
        assert!(service.kill(), "life {} ended by itself:\n{log}", self.lives);
        let journal = disk::journal(&self.data());
        assert_eq!(journal.damage, 0, "life {} left a damaged journal", self.lives);
        let signals = disk::count(&self.data(), "signals");
        println!(
            "kill {kill:>3}: {moment:?} after {:>4} ms; records {} -> {}, signals {} -> {signals}",
            age.as_millis(),
            before.0,
            journal.records,
            before.1,
        );
        let pause = if kill == 1 { 9 } else { self.random.below(10) };
        pass(match pause {
            0..6 => Duration::ZERO,
            6..9 => self.random.millis(1_000),
            _ => Duration::from_secs(2) + self.random.millis(3_000), // more than a snapshot covers
        });
    }

    fn moment(&mut self, kill: u64) -> Moment {
        let room = match self.drill.limits {
            Limits::Lifted => true,
            Limits::Enforced { .. } => self.drill.wait != Wait::No && self.users.len() < USERS_MAX,
        };
        // A short run meets each kind as well.
        match (kill, self.random.below(20)) {
            (2, _) if room => Moment::FirstFill,
            (3, _) if room => Moment::Baseline,
            (1, _) | (_, 0..10) => Moment::Any,
            (_, 10..14) => Moment::Start,
            (_, 14..17) if room => Moment::FirstFill,
            (_, 17..20) if room => Moment::Baseline,
            _ => Moment::Start,
        }
    }

    fn new_account(&mut self) -> String {
        let user = address(1_000 + self.lives);
        self.users.push(user.clone());
        user
    }

    fn first_fill(&mut self) -> Service {
        let user = self.new_account();
        let mut service = self.start();
        service.wait_status(Duration::from_secs(90), "the new account's baseline is durable", |status| {
            let accounts = status["accounts"].as_array().into_iter().flatten();
            let based = accounts.into_iter().any(|one| one["account"] == *user && one["based"] == true);
            based && status["journal"]["appended"] == status["journal"]["synced"]
        });
        let time = self.play.join(&user, 20);
        self.followed_from.insert(user, i64::try_from(time).expect("a time"));
        pass(self.random.millis(40));
        service
    }

    fn baseline(&mut self) -> Service {
        let user = self.new_account();
        if self.random.below(2) == 0 {
            // It has a history of one order, and goes on.
            self.play.join(&user, 20);
            let service = self.start();
            pass(self.random.millis(120));
            return service;
        }
        let service = self.start();
        pass(self.random.millis(120));
        self.play.join(&user, 20);
        pass(self.random.millis(60));
        service
    }

    /// Lives on until everything is healed, stops, and is judged.
    fn end(mut self) {
        let began = Instant::now();
        let patience = Duration::from_secs(if self.drill.wait == Wait::Healed { 600 } else { 100 });
        let mut service = self.start();
        service.wait_ready(Duration::from_secs(60));
        let users = self.users.len();
        let all_based = |status: &Value| {
            let accounts = status["accounts"].as_array().into_iter().flatten();
            accounts.filter(|account| account["based"] == true).count() == users
        };
        if self.drill.wait != Wait::No {
            service.wait_status(patience, "every account has its baseline", all_based);
        }
        if self.drill.wait == Wait::Healed {
            service.wait_status(patience, "every gap has ended", |status| {
                let accounts = status["accounts"].as_array().into_iter().flatten();
                accounts.into_iter().all(|one| one["openGaps"] == 0 && one["held"] == 0)
            });
            println!("every gap ended after {:.0} s", began.elapsed().as_secs_f64());
        }
        self.play.pause();
        let case = self.wait_published(patience);
        println!("everything is on disk after {:.0} s", began.elapsed().as_secs_f64());
        let status = service.stop();
        assert!(status.success(), "a graceful stop: {status}");
        self.judge(case);
    }

    /// Waits until history shows all rows and the signal files hold what is expected of them.
    fn wait_published(&mut self, patience: Duration) -> Case {
        let venue = self.play.status();
        if let Limits::Enforced { info_weight_per_minute } = self.drill.limits {
            println!(
                "info weight: at most {} of {info_weight_per_minute} in a minute, {} requests over the budget of {}",
                venue.info_weight_peak, venue.info_over_budget, venue.info_requests
            );
            let binds = venue.info_weight_peak > info_weight_per_minute / 2;
            assert!(binds || self.drill.wait == Wait::Healed, "the budget is never near: {venue:?}");
            assert_eq!(venue.info_over_budget, 0, "the venue refused requests for their weight");
            assert!(venue.info_weight_peak <= info_weight_per_minute, "over the budget: {venue:?}");
            assert_eq!(venue.refused_by_limits, 0, "the venue refused messages: {venue:?}");
        }
        // What the test reads is not the service's to pay; nor can the service go over from here on unseen: it is counted above.
        self.play.lift_limits();
        let published = self.play.published(&self.users);
        let history = until(
            Duration::from_secs(30),
            || {
                let all: BTreeMap<String, Vec<history::Row>> = self
                    .users
                    .iter()
                    .map(|user| (user.clone(), history::read(self.play.address(), user)))
                    .collect();
                (all.values().map(Vec::len).sum::<usize>() == published).then_some(all)
            },
            || format!("history shows all {published} rows"),
        );
        let case = Case { history, followed_from: self.followed_from.clone(), ..Case::default() };
        let end = Instant::now() + patience;
        loop {
            let mut case = case.clone();
            case.baselines = baselines(&self.data());
            case.signals = disk::lines(&self.data(), "signals");
            let ids: Vec<String> = case.signals.iter().map(|line| id(line)).collect();
            let missing = case.expected().into_keys().filter(|id| !ids.contains(id)).count();
            if missing == 0 || self.drill.wait == Wait::No {
                return case;
            }
            if Instant::now() > end {
                println!("{missing} signals are missing still");
                return case; // the judge names them
            }
            pass(Duration::from_millis(500));
        }
    }

    fn judge(&self, mut case: Case) {
        let data = self.data();
        case.signals = disk::lines(&data, "signals");
        case.gaps = disk::lines(&data, "gaps");
        case.baselines = baselines(&data);
        case.complete = self.drill.wait != Wait::No;
        case.healed = self.drill.wait == Wait::Healed;
        let config = self.configuration();
        let config = config.to_str().expect("text");
        let raw = run(&["--config", config, "raw"]);
        case.raw = String::from_utf8(raw.stdout).expect("text").lines().map(str::to_owned).collect();
        let verdict = case.judge();
        println!(
            "{} signals ({} live, {} late), {} expected; {} gaps declared, {} declared breaks; {} raw events",
            verdict.signals,
            verdict.live,
            verdict.late,
            verdict.expected,
            verdict.gaps,
            verdict.declared_breaks,
            case.raw.len(),
        );
        if !verdict.findings.is_empty() {
            let kept = self.keep();
            panic!("seed {}, kept in {kept}:\n{}", self.drill.seed, verdict.findings.join("\n"));
        }
        assert!(verdict.live > 0 && verdict.expected > 0, "no fills flowed: {verdict:?}");
        if case.complete {
            judge::can_fail(&case);
        }

        let verify = run(&["--config", config, "verify"]);
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert!(verify.status.success(), "verify: {said}\nkept in {}", self.keep());
        println!("verify: {}", said.trim());
        let replay = run(&["--config", config, "replay"]);
        let written: String = case.signals.iter().map(|line| format!("{line}\n")).collect();
        let same = replay.status.success() && replay.stdout == written.as_bytes();
        assert!(same, "replay does not equal the files, kept in {}", self.keep());
        verify_can_fail(&case.signals, &data);
    }

    /// A copy of everything that outlives the test.
    fn keep(&self) -> String {
        let to = std::env::temp_dir().join(format!("ingestion-kills-{}", self.drill.seed));
        let copied = std::process::Command::new("cp").arg("-r").arg(self.directory.path()).arg(&to).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy in {}", to.display());
        to.display().to_string()
    }
}

/// One baseline for each account and stream: following that began once never begins again.
fn baselines(data: &Path) -> BTreeMap<(String, ingestion_bin::account::Stream), i64> {
    let all = disk::journal(data).baselines;
    all.into_iter()
        .map(|(key, times)| {
            assert_eq!(times.len(), 1, "{key:?} was based more than once: {times:?}");
            (key, times[0])
        })
        .collect()
}

fn id(line: &str) -> String {
    let signal: Value = serde_json::from_str(line).expect("a signal line");
    signal["signalId"].as_str().expect("an id").to_owned()
}

/// `verify` names a deleted and a doubled line in a copy of the files.
fn verify_can_fail(signals: &[String], data: &Path) {
    let middle = signals.len() / 2;
    // A line with a successor in its epoch: a missing last one can only be seen from outside.
    let numbered = |line: &str| {
        let signal: Value = serde_json::from_str(line).expect("a signal line");
        (signal["influencerId"].clone(), signal["market"].clone(), signal["epoch"].clone())
    };
    let gone = (middle..signals.len())
        .chain(0..middle)
        .find(|&at| signals[at + 1..].iter().any(|later| numbered(later) == numbered(&signals[at])))
        .expect("two signals of one market in one life");
    let mut deleted = signals.to_vec();
    drop(deleted.remove(gone));
    let mut doubled = signals.to_vec();
    doubled.insert(middle, signals[middle].clone());
    for (what, lines, finding) in
        [("deleted", deleted, "order breaks 1,"), ("doubled", doubled, "duplicates 1,")]
    {
        let copy = TempDir::new().expect("a directory");
        let gaps =
            std::process::Command::new("cp").arg("-r").arg(data.join("gaps")).arg(copy.path()).status();
        assert!(gaps.is_ok_and(|status| status.success()), "gaps are copied");
        std::fs::create_dir(copy.path().join("signals")).expect("a directory");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(copy.path().join("signals/00000000000000000001.ndjson"), text).expect("a file");
        let verify =
            ingestion().arg("--data-dir").arg(copy.path()).arg("verify").output().expect("verify runs");
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert_eq!(verify.status.code(), Some(1), "verify passes over a {what} line: {said}");
        assert!(said.contains(finding), "verify on a {what} line: {said}");
    }
}
