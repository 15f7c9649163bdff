//! One run: kill after kill, then `ending`.

mod ending;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyperliquid_client::sim::SimLimits;
use tempfile::TempDir;

use super::disk;
use super::market::{Play, address};
use super::service::{Service, pass};
use super::support::random::Random;

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
    /// Whether both listeners have trouble on their way all the time.
    pub(crate) ill: bool,
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
    unheard_to: BTreeMap<String, i64>,
    lives: u64,
    /// What lies on disk, read on after each life.
    journal: disk::Contents,
    counted: disk::Counted,
    signals: usize,
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
        let play = Play::start(self.seed, limits, &players, self.slices, self.ill);
        let mut run = Run {
            drill: self,
            random: Random::new(self.seed),
            play,
            directory: TempDir::new().expect("a directory"),
            users: players.into_iter().map(|(address, _)| address).collect(),
            followed_from: BTreeMap::new(),
            unheard_to: BTreeMap::new(),
            lives: 0,
            journal: disk::Contents::default(),
            counted: disk::Counted::default(),
            signals: 0,
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
        // In trouble each listener has a venue, a way and an address of its own.
        let egress = |number: usize| {
            if self.drill.ill { format!("127.0.0.{}", number + 2) } else { "system".to_owned() }
        };
        let endpoints: String = (self.play.ws_urls().iter().enumerate())
            .map(|(number, ws_url)| {
                format!(
                    "[[venue.endpoint]]\nname = \"sim-{number}\"\nnetwork = \"sim\"\nws_url = {ws_url:?}\ninfo_url = {:?}\n\
                     egress = [{:?}]\nlimits = {limits}\n",
                    self.play.info_url(),
                    egress(number),
                )
            })
            .collect();
        // Small files: lives end while they are rotated too.
        let text = format!(
            "data_dir = {:?}\n{endpoints}[influencers]\nstatic = [{}]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [telemetry]\nlog = \"json\"\n[journal]\nsegment_bytes = 262144\n[signals]\nrotate_bytes = 131072\n\
             [listeners]\n{}\n",
            self.data(),
            entries.join(", "),
            if self.drill.ill { "ping_interval_ms = 1000\npong_timeout_ms = 2000" } else { "" },
        );
        let path = self.directory.path().join("ingestion.toml");
        std::fs::write(&path, text).expect("the configuration is written");
        path
    }

    fn start(&mut self) -> Service {
        self.lives += 1;
        let now = i64::try_from(self.play.status().venue_time).expect("a time");
        for user in &self.users {
            self.unheard_to.entry(user.clone()).or_insert(now);
        }
        let log = self.directory.path().join(format!("life-{}.log", self.lives));
        Service::start(&self.configuration(), log)
    }

    /// One life, its end, and the pause before the next.
    fn life(&mut self, kill: u64) {
        let moment = self.moment(kill);
        let before = (self.journal.records, self.signals);
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
        let data = self.data();
        self.journal.read_on(&data);
        assert_eq!(self.journal.damage, 0, "life {} left a damaged journal", self.lives);
        self.signals = self.counted.count(&data, "signals");
        println!(
            "kill {kill:>3}: {moment:?} after {:>4} ms; records {} -> {}, signals {} -> {}",
            age.as_millis(),
            before.0,
            self.journal.records,
            before.1,
            self.signals,
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
            // New ones come throughout, but never so many that a long run is about their number.
            Limits::Lifted => (self.users.len() as u64) < 10 + 50 * kill / self.drill.kills,
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
}
