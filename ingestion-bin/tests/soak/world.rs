//! What the faults strike: two listeners with a venue and a stretch of network each, history, a broker, a Redis, and the service, all whose
//! streams go to topics, whose list and shared state are in the Redis.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hyperliquid_client::sim::{SimConfig, SimLimits, SimTls};
use test_services::{Kafka, Redis, until};

use super::NAME;
use super::faults::Fault;
use super::support::document::{Documents, documents};
use super::support::legs::{Leg, Legs, Setting};
use super::support::market::Chains;
use super::support::process::{ingestion, run};
use super::support::proxy::{Cut, Flow, Way, Weather};
use super::support::scene::BEGAN;
use super::support::service::Service;
use super::support::topics::topics;

const USERS: usize = 5;
/// Venue time between two blocks, ms: of 40 blocks a second it goes five times as fast as ours, and what history may lag is over sooner.
const STEP_MS: u64 = 125;
/// Blocks from before anybody followed: an account without a history has nothing that a read of it could be tied to.
const BEFORE: usize = 50;
const A_WHILE: Duration = Duration::from_secs(10);
const LIST: &str = "ingestion:influencers";
const CHANGED: &str = "ingestion:influencers:changed";

pub(crate) struct World {
    pub(crate) legs: Arc<Mutex<Legs>>,
    pub(crate) kafka: Kafka,
    redis: Redis,
    service: Option<Service>,
    /// Everybody who is followed all the time.
    pub(crate) users: Vec<String>,
    /// Who trades like the others, and is on the list now and then.
    pub(crate) guest: String,
    /// The most that a process had, KiB.
    pub(crate) peak_kib: u64,
}

impl World {
    /// Everything but the service.
    pub(crate) fn new(kafka: Kafka, redis: Redis) -> Self {
        let mut sim = SimConfig { tls: Some(SimTls::default()), ..SimConfig::manual() };
        sim.venue.limits = SimLimits::generous();
        // What is lost here is none of the venue's losses.
        sim.venue.retention = 1 << 20;
        sim.venue.truth_rows = 1_000;
        let shares = format!("store = \"redis\"\nredis_url = {:?}\nlease_s = 3\n", redis.url());
        let setting = Setting {
            influencers: format!("source = \"redis\"\nredis_url = {:?}\nrefresh_s = 5", redis.url()),
            // A stream without rows is proven by our clock alone: every sweep of 300 s, which is as long as a short run.
            extra: format!("[streams]\ntwap = false\n[state]\n{shares}{}", topics(&kafka.bootstrap(), NAME, "")),
            // Limits are not what is tried here, nor how long a listener waits after one loss upon another.
            endpoint: "limits = { users = 1000, connections = 100, new_connections_per_minute = 100000, \
                       subscriptions = 100000, messages_per_minute = 1000000, info_weight_per_minute = 1000000 }"
                .to_owned(),
            listeners: "backoff = { initial_ms = 100, max_ms = 500, jitter = 0.5 }".to_owned(),
        };
        let mut legs = Legs::new(USERS + 1, &sim, &setting);
        legs.chains = Chains::new(BEGAN, STEP_MS);
        let everybody = legs.users.clone();
        let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
        for _ in 0..BEFORE {
            let block = legs.chains.block(&everybody, "ETH");
            [&legs.a, &legs.b].into_iter().for_each(|leg| leg.venue.play_history(&block));
        }
        let mut users = legs.users.clone();
        let guest = users.pop().expect("there are some");
        let legs = Arc::new(Mutex::new(legs));
        Self { legs, kafka, redis, service: None, users, guest, peak_kib: 0 }
    }

    /// Topics, the list, and the first process.
    pub(crate) fn start(&mut self) {
        let config = self.legs().config.clone();
        let config = config.to_str().expect("UTF-8");
        let made = run(&["--config", config, "topics", "create", "--partitions", "3"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.put_list();
        self.service().wait_ready();
    }

    pub(crate) fn legs(&self) -> MutexGuard<'_, Legs> {
        self.legs.lock().expect("nobody panics with it")
    }

    /// The process that runs, or a new one.
    pub(crate) fn service(&mut self) -> &Service {
        let config = self.legs().config.clone();
        self.service.get_or_insert_with(|| {
            let mut command = ingestion();
            // The C library gives each of the producers' threads, which come and go with the broker, one of 16 heaps and returns little
            // of them: with one heap what is seen is what is used.
            command.env("MALLOC_ARENA_MAX", "1");
            Service::start_as(command, &config, &[])
        })
    }

    /// What must be signals.
    pub(crate) fn expected(&self) -> Documents {
        let legs = self.legs();
        let since = legs.chains.rows().get(BEFORE * (USERS + 1)..).expect("so many were played");
        documents(since, &self.users)
    }

    /// What the process that runs takes, KiB; 0 while none does.
    pub(crate) fn memory_kib(&mut self) -> u64 {
        let now = self.service.as_ref().map_or(0, |service| service.memory_kib("VmRSS"));
        self.peak_kib = self.peak_kib.max(now);
        now
    }

    /// The process, to be stopped by somebody else.
    pub(crate) fn take_service(&mut self) -> Service {
        self.service();
        self.service.take().expect("one runs")
    }

    pub(crate) fn strike(&mut self, fault: Fault, first: bool) {
        match fault {
            Fault::BrokerKilled => self.kafka.kill(1).expect("it runs"),
            Fault::BrokerFrozen => self.kafka.freeze(1).expect("it runs"),
            Fault::RedisKilled => self.redis.kill().expect("it runs"),
            Fault::RedisFrozen => self.redis.freeze().expect("it runs"),
            Fault::Flushed => drop(self.cli(&["FLUSHALL"])),
            Fault::Guest => {
                let guest = self.guest.clone();
                self.put(&guest);
                self.changed();
            }
            Fault::ServiceKilled => drop(self.service.take()),
            Fault::ServiceStopped => {
                let end = self.take_service().stop();
                assert_eq!(end.status.code(), Some(0), "a clean stop: {}", end.log);
            }
            Fault::Outage => self.each_leg(|leg| {
                leg.proxy.shut();
                leg.proxy.cut(Cut::Reset);
            }),
            Fault::InfoErrors => self.legs().a.venue.add_fault("info-500=1".parse().expect("a fault")),
            Fault::InfoLag => {
                let legs = self.legs();
                legs.a.venue.set_index_lag(Duration::from_millis(100), Duration::from_secs(2));
                legs.info.set(&Weather::down(Way::late(Duration::from_millis(100), Duration::from_secs(1))));
            }
            _ => {
                let legs = self.legs();
                strike_listener(fault, if first { &legs.a } else { &legs.b });
            }
        }
    }

    pub(crate) fn heal(&mut self, fault: Fault, first: bool) {
        match fault {
            Fault::BrokerKilled => self.kafka.restart(1).expect("it starts again"),
            Fault::BrokerFrozen => self.kafka.thaw(1).expect("it goes on"),
            Fault::RedisKilled => {
                self.redis.restart().expect("it starts again");
                self.put_list();
            }
            Fault::RedisFrozen => self.redis.thaw().expect("it goes on"),
            Fault::Flushed => self.put_list(),
            Fault::Guest => {
                let guest = self.guest.clone();
                self.wait_followed(&guest);
                self.cli(&["HDEL", LIST, &guest]);
                self.changed();
            }
            Fault::ServiceKilled | Fault::ServiceStopped => drop(self.service().admin),
            Fault::Outage => self.each_leg(|leg| leg.proxy.heal()),
            // The first venue answers for history too, so this ends a fault of its listener early, and the other way round.
            Fault::InfoErrors => self.legs().a.venue.clear_faults(),
            Fault::InfoLag => {
                let legs = self.legs();
                legs.a.venue.set_index_lag(Duration::from_millis(100), Duration::from_millis(1_500));
                legs.info.heal();
            }
            _ => {
                let legs = self.legs();
                let leg = if first { &legs.a } else { &legs.b };
                leg.venue.clear_faults();
                leg.proxy.heal();
                if fault == Fault::HalfOpen {
                    // Nobody else would end it on the venue's side.
                    leg.proxy.cut(Cut::Reset);
                }
            }
        }
    }

    fn each_leg(&self, each: impl Fn(&Leg)) {
        let legs = self.legs();
        [&legs.a, &legs.b].into_iter().for_each(each);
    }

    /// Waits until somebody has a baseline, if a process runs that can see to it, and not for ever: nobody may be listening.
    fn wait_followed(&self, user: &str) {
        let Some(service) = &self.service else { return };
        let based = || {
            let status = service.status();
            let accounts = status["accounts"].as_array()?;
            accounts.iter().any(|one| one["influencerId"] == user && one["based"] == true).then_some(())
        };
        let _seen = until(A_WHILE, based);
    }

    fn put_list(&self) {
        self.users.iter().for_each(|user| self.put(user));
        self.changed();
    }

    fn put(&self, user: &str) {
        self.cli(&["HSET", LIST, user, &format!("{{\"address\":{user:?}}}")]);
    }

    fn changed(&self) {
        self.cli(&["PUBLISH", CHANGED, "x"]);
    }

    fn cli(&self, words: &[&str]) -> String {
        self.redis.cli(words).unwrap_or_else(|failed| panic!("{words:?}: {failed}"))
    }
}

fn strike_listener(fault: Fault, leg: &Leg) {
    let venue = |text: &str| leg.venue.add_fault(text.parse().expect("a fault"));
    match fault {
        Fault::Reset => {
            leg.proxy.shut();
            leg.proxy.cut(Cut::Reset);
        }
        Fault::HalfOpen => leg.proxy.set_living(&Weather::both(Way::flow(Flow::Lost))),
        Fault::Mute => venue("mute=*"),
        Fault::Late => {
            let late = Way::late(Duration::from_millis(200), Duration::from_millis(1_500));
            leg.proxy.set(&Weather::down(late));
        }
        Fault::Dropped => venue("drop=0.5"),
        Fault::Corrupted => leg.proxy.set(&Weather::down(Way { flips: 0.001, ..Way::default() })),
        Fault::Closed => leg.venue.close_sockets(1001),
        _ => unreachable!("not of one listener: {fault:?}"),
    }
}
