//! What a seed draws before its world begins: faults, the venue, settings, and when the large faults happen.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::super::super::{Cause, Ledger, Settings, Shedding, Stream, VenueClock};
use super::super::plan::Plan;
use super::super::planted::Bug;
use super::super::random::Random;
use super::super::venue::{Lag, Venue};
use super::{Connection, Fault, Step, VENUE, World};

impl World {
    pub(super) fn new(seed: u64, plan: &Plan, bug: Option<Bug>, print: bool) -> Self {
        let mut random = Random::new(seed);
        let mut aside = Random::new(!seed);
        let mut later = Random::new(seed.rotate_left(32) ^ 0x1A7E);
        let faults: Vec<Fault> = Fault::ALL
            .iter()
            .copied()
            .filter(|fault| {
                random.chance(match fault {
                    Fault::Phantom | Fault::Flip | Fault::Retention | Fault::Dense => 12.0,
                    // Drawn apart: what it changes between runs must not change every other schedule.
                    Fault::TwapSwitch => return aside.chance(30.0),
                    Fault::WrongTime => return aside.chance(12.0),
                    Fault::OneDrops | Fault::Spot | Fault::Overrun => return later.chance(10.0),
                    Fault::Lagging | Fault::Reorder => return later.chance(5.0),
                    Fault::TightCaps | Fault::NoRoom | Fault::Start | Fault::Remove => 20.0,
                    _ => 40.0,
                })
            })
            .collect();
        // With the stream off nobody asks the endpoint that alone knows what the fills channel shows inline (§6).
        let both = [Fault::TwapSwitch, Fault::InlineTwap].iter().all(|fault| faults.contains(fault));
        let faults: Vec<Fault> =
            faults.into_iter().filter(|&fault| !both || fault != Fault::TwapSwitch).collect();
        let faults = plan.faults.map_or(faults, <[Fault]>::to_vec);
        let has = |fault: Fault| faults.contains(&fault);
        let lag = match (has(Fault::Lag), has(Fault::Disorder)) {
            (true, false) => Lag::Whole(random.within(2_000, 90_000)),
            (_, true) => Lag::Some(random.of(&[50_000, 90_000])),
            (false, false) => Lag::Small,
        };
        let markets = random.within(1, 5) as usize;
        let retention = if has(Fault::Retention) { random.within(60, 400) as usize } else { usize::MAX };
        let page = random.of(&[25, 40, 100, 400]);
        let mut venue = Venue::new(markets, page, retention, lag, &mut random);
        venue.chainless = has(Fault::Spot).then(|| markets - 1);
        let fault_end = random.within(150, 420) * 1_000;
        let fault_end = plan.faulty_for.unwrap_or(fault_end);
        let listeners = if has(Fault::OneListener) { 1 } else { random.of(&[2, 2, 2, 3]) };
        let listeners = plan.listeners.unwrap_or(listeners);
        let tight = has(Fault::TightCaps);
        let settings = Settings {
            sweep_interval: Duration::from_secs(random.of(&[60, 120, 300])),
            sweep_rows: random.of(&[60, 300]),
            dense_rows: 25,
            history_rows: retention.min(10_000),
            read_rows: if tight { 400 } else { 20_000 },
            held_cap: if tight { 120 } else { 50_000 },
            key_cap: if tight { 3_000 } else { 200_000 },
            start: (has(Fault::Start)).then(|| VENUE - random.within(-40_000, 300_000)),
            twap: has(Fault::Twap) || random.chance(50.0),
            ..Settings::default()
        };
        let mut world = Self {
            venue,
            journal: Vec::new(),
            appended: Vec::new(),
            batches: Vec::new(),
            machine: None,
            clock: VenueClock::default(),
            counts: BTreeMap::new(),
            problems: Vec::new(),
            removed_at: Vec::new(),
            removed: false,
            missed: HashSet::new(),
            wrong_certificates: HashSet::new(),
            kills: Vec::new(),
            phantoms: HashMap::new(),
            mistimed: HashSet::new(),
            vouched: HashSet::new(),
            copies_shown: HashSet::new(),
            settled_to: 0,
            began: VENUE,
            ends: 0,
            fold: Ledger::new(&settings),
            check_every_step: seed.is_multiple_of(40),
            base: Instant::now() + Duration::from_secs(1_000),
            queue: BinaryHeap::new(),
            steps: BTreeMap::new(),
            next: 0,
            now: 0,
            fault_end,
            connections: vec![Connection::default(); listeners],
            life: 0,
            epoch: 0,
            batch: 0,
            outage: false,
            drop_until: 0,
            twap_blocks: 0,
            full: false,
            shedding: Shedding::default(),
            weight: VecDeque::new(),
            asked: Vec::new(),
            sliced: settings.twap,
            settings,
            random,
            aside,
            later,
            plan: *plan,
            faults,
            begun: VecDeque::new(),
            reads: 0,
            bug,
            print,
        };
        world.prepare();
        world
    }

    pub(super) fn prepare(&mut self) {
        let before = self.random.of(&[0, 3, 50, 200]);
        let before = self.plan.before.unwrap_or(before);
        let mut time = VENUE - 400_000;
        for _ in 0..before {
            time += self.random.within(50, 2_000).min(400_000 / before);
            let market = self.any_market();
            let delta = self.any_delta();
            let stream =
                if self.has(Fault::Twap) && self.random.chance(10.0) { Stream::Twap } else { Stream::Fills };
            self.venue.trade(market, time, delta, stream, &mut self.random);
        }
        for listener in 0..self.connections.len() {
            let at = self.random.within(0, 2_000 * listener as i64 + 50);
            self.at(at, Step::Connect(listener));
        }
        self.at(10, Step::Block);
        self.at(1_000, Step::Fault);
        self.at(100, Step::VenueTime { time: VENUE, life: 1 });
        if self.has(Fault::WrongTime) {
            self.at(5_000, Step::Elsewhere { listener: 0 });
        }
        if self.has(Fault::Kill) {
            for _ in 0..self.random.within(1, 5) {
                let at = self.random.within(500, self.fault_end);
                self.at(at, Step::Kill);
            }
        }
        if self.has(Fault::Remove) {
            let at = self.random.within(20_000, self.fault_end);
            self.at(at, Step::Remove);
            let pause = self.random.within(2_000, 120_000);
            self.at(at + pause, Step::Add);
        }
        if self.has(Fault::NoRoom) {
            for _ in 0..self.random.within(1, 3) {
                let at = self.random.within(5_000, self.fault_end);
                self.at(at, Step::Room(false));
                let pause = self.random.of(&[500, 5_000, 40_000]);
                self.at(at + pause, Step::Room(true));
            }
        }
        if self.has(Fault::OneListener) {
            self.count(Fault::OneListener.counted_as());
        }
        if self.has(Fault::Start) {
            self.count(Fault::Start.counted_as());
        }
        if self.plan.sheds {
            self.draw_shedding();
        }
        self.start(Cause::Start);
    }
}
