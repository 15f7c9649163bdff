//! One seed's schedule: a venue, listeners, history, faults, restarts and one machine between them.
//!
//! Our clock (`now`, milliseconds since the world began) and the venue's (`now + VENUE`) never agree. Records are
//! appended a little after they come out; a kill loses those that were not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::super::{Cause, Counts, Ledger, Machine, Output, Record, Row, Settings, Stream};
use super::planted::Bug;
use super::random::Random;
use super::venue::{Lag, Venue, digest, link};
use dedup::FillKey;

const VENUE: i64 = 1_700_000_000_000;
/// Payload of a row that never happened.
pub(super) const PHANTOM: u32 = u32::MAX;

macro_rules! faults {
    ($($name:ident),* $(,)?) => {
        /// What goes wrong in a seed.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
        pub(super) enum Fault { $($name),* }
        impl Fault {
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

faults!(
    Drop,
    Delay,
    Close,
    Mute,
    Outage,
    Duplicate,
    Split,
    Phantom,
    Flip,
    LateSnapshot,
    Short,
    Holey,
    Empty,
    Stale,
    Busy,
    LostAnswer,
    Lag,
    Disorder,
    Retention,
    Dense,
    Kill,
    Remove,
    Start,
    Twap,
    InlineTwap,
    SlowTwap,
    NoRoom,
    TightCaps,
    OneListener
);

#[derive(Clone, Debug)]
enum Step {
    Block,
    Deliver { listener: usize, life: u32, stream: Stream, snapshot: bool, rows: Vec<(Row, u32)> },
    Connect(usize),
    Subscribe(usize, u32),
    Down(usize),
    Answer { id: u64, life: u32, stream: Stream, start: i64 },
    VenueTime { time: i64, life: u32 },
    Fault,
    Kill,
    Restart,
    Remove,
    Add,
    Room(bool),
}

#[derive(Clone, Debug, Default)]
struct Connection {
    up: bool,
    subscribed: bool,
    life: u32,
    muted: [bool; 2],
    /// Nothing is delivered before this: sockets keep their order.
    after: [i64; 2],
    slow: i64,
}

/// Everything a run leaves behind for the judge.
pub(super) struct World {
    pub(super) faults: Vec<Fault>,
    pub(super) venue: Venue,
    pub(super) journal: Vec<Record<u32>>,
    appended: Vec<i64>,
    pub(super) machine: Option<Machine<u32>>,
    pub(super) settings: Settings,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) problems: Vec<(&'static str, String)>,
    /// Venue times at which the account was removed.
    pub(super) removed_at: Vec<i64>,
    pub(super) removed: bool,
    /// Phantom keys, and true keys some listener showed with other content.
    pub(super) phantoms: Vec<FillKey>,
    /// Fills before this venue time must be settled at the end.
    pub(super) settled_to: i64,
    pub(super) began: i64,
    fold: Ledger,
    check_every_step: bool,
    base: Instant,
    random: Random,
    queue: BinaryHeap<Reverse<(i64, u64)>>,
    steps: BTreeMap<u64, Step>,
    next: u64,
    now: i64,
    fault_end: i64,
    connections: Vec<Connection>,
    life: u32,
    epoch: u64,
    outage: bool,
    drop_until: i64,
    twap_blocks: i64,
    full: bool,
    weight: VecDeque<(i64, i64)>,
    bug: Option<Bug>,
    pub(super) print: bool,
}

impl World {
    pub(super) fn run(seed: u64, bug: Option<Bug>, print: bool) -> Self {
        let mut world = Self::new(seed, bug, print);
        world.play();
        world
    }

    fn new(seed: u64, bug: Option<Bug>, print: bool) -> Self {
        let mut random = Random::new(seed);
        let faults: Vec<Fault> = Fault::ALL
            .iter()
            .copied()
            .filter(|fault| {
                random.chance(match fault {
                    Fault::Phantom | Fault::Flip | Fault::Retention | Fault::Dense => 12.0,
                    Fault::TightCaps | Fault::NoRoom | Fault::Start | Fault::Remove => 20.0,
                    _ => 40.0,
                })
            })
            .collect();
        let has = |fault: Fault| faults.contains(&fault);
        let lag = match (has(Fault::Lag), has(Fault::Disorder)) {
            (true, false) => Lag::Whole(random.within(2_000, 90_000)),
            (_, true) => Lag::Some(random.of(&[50_000, 90_000])),
            (false, false) => Lag::Small,
        };
        let markets = random.within(1, 5) as usize;
        let retention = if has(Fault::Retention) { random.within(60, 400) as usize } else { usize::MAX };
        let page = random.of(&[25, 40, 100, 400]);
        let venue = Venue::new(markets, page, retention, lag, &mut random);
        let fault_end = random.within(150, 420) * 1_000;
        let listeners = if has(Fault::OneListener) { 1 } else { random.of(&[2, 2, 2, 3]) };
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
            machine: None,
            counts: BTreeMap::new(),
            problems: Vec::new(),
            removed_at: Vec::new(),
            removed: false,
            phantoms: Vec::new(),
            settled_to: 0,
            began: VENUE,
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
            outage: false,
            drop_until: 0,
            twap_blocks: 0,
            full: false,
            weight: VecDeque::new(),
            settings,
            random,
            faults,
            bug,
            print,
        };
        world.prepare();
        world
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn prepare(&mut self) {
        let before = self.random.of(&[0, 3, 50, 200]);
        let mut time = VENUE - 400_000;
        for _ in 0..before {
            time += self.random.within(50, 2_000);
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
        self.start(Cause::Start);
    }

    fn play(&mut self) {
        let quiet = self.random.chance(50.0);
        let trading_end = if quiet { self.fault_end + 60_000 } else { i64::MAX };
        let end = self.fault_end + 900_000;
        self.settled_to = if quiet { i64::MAX } else { VENUE + end - 330_000 };
        let pace = self.random.of(&[250, 800, 2_500, 9_000]);
        let mut idle = 0;
        loop {
            let timer = self.machine.as_ref().and_then(Machine::poll_timeout).map(|at| {
                let at = at.saturating_duration_since(self.base);
                at.as_nanos().div_ceil(1_000_000) as i64
            });
            let next = self.queue.peek().map(|Reverse((at, _))| *at);
            let (Some(at), timed) = (match (timer, next) {
                (Some(timer), Some(next)) if timer < next => (Some(timer), true),
                (Some(timer), None) => (Some(timer), true),
                (_, next) => (next, false),
            }) else {
                return;
            };
            if at > end {
                return;
            }
            idle = if timed && at <= self.now { idle + 1 } else { 0 };
            if idle > 20 {
                self.problems.push(("busy-timer", format!("at {}", self.now)));
                return;
            }
            self.now = self.now.max(at);
            if timed {
                let now = self.instant();
                if let Some(machine) = &mut self.machine {
                    machine.handle_timeout(now);
                }
            } else if let Some(Reverse((_, number))) = self.queue.pop() {
                let step = self.steps.remove(&number).unwrap();
                self.step(step, trading_end, pace);
            }
            self.drain();
        }
    }

    fn step(&mut self, step: Step, trading_end: i64, pace: i64) {
        let now = self.instant();
        match step {
            Step::Block => {
                if self.now < trading_end {
                    self.block();
                }
                let pause = match () {
                    () if self.random.chance(10.0) => self.random.within(1, 90),
                    () if self.random.chance(1.0) => self.random.within(pace, pace * 20 + 40_000),
                    () => self.random.within(1, pace * 2),
                };
                // Healing needs time, not trades.
                let pause = if self.faulty() { pause } else { pause * 3 };
                if self.now < trading_end {
                    self.at(self.now + pause, Step::Block);
                }
            }
            Step::Deliver { listener, life, stream, snapshot, rows } => {
                if self.connections[listener].life == life {
                    self.deliver(listener, stream, snapshot, &rows);
                }
            }
            Step::Connect(listener) => self.connect(listener),
            Step::Subscribe(listener, life) => self.subscribe(listener, life),
            Step::Down(listener) => self.down(listener),
            Step::Answer { id, life, stream, start } => {
                if self.life == life && self.machine.is_some() {
                    self.answer(id, stream, start);
                }
            }
            Step::VenueTime { time, life } => {
                if let Some(machine) = self.machine.as_mut().filter(|_| life == self.life) {
                    machine.handle_venue_time(time, now);
                }
                let life = self.life;
                self.at(self.now + 30_000, Step::VenueTime { time: self.venue_now() + 29_800, life });
            }
            Step::Fault => self.fault(),
            Step::Kill => self.kill(),
            Step::Restart => {
                if self.machine.is_none() {
                    self.start(Cause::Start);
                    self.connect_all();
                }
            }
            Step::Remove => self.remove(),
            Step::Add => {
                if !self.removed || self.machine.is_none() {
                    self.at(self.now + 5_000, Step::Add);
                    return;
                }
                self.removed = false;
                self.start(Cause::Added);
                self.connect_all();
            }
            Step::Room(room) => self.full = !room && self.faulty(),
        }
    }

    // ------------------------------------------------------------------------------------------------ the venue

    fn block(&mut self) {
        let time = self.venue_now();
        let mode = self.random.within(0, 10);
        let mut count = match mode {
            0..=4 => 1,
            5 | 6 => self.random.within(1, 4),
            7 => self.random.within(2, 7),
            8 => self.random.within(1, 12),
            _ => 2,
        };
        if self.random.chance(1.0) {
            count = self.random.within(10, 24);
        }
        if self.has(Fault::Dense) && self.random.chance(0.6) {
            count = self.random.within(30, 70);
        }
        let market = self.any_market();
        self.twap_blocks -= 1;
        if self.twap_blocks < -30 && self.random.chance(5.0) {
            self.twap_blocks = self.random.within(5, 40);
        }
        let slices =
            self.has(Fault::Twap) && self.settings.twap && self.twap_blocks > 0 && self.random.chance(50.0);
        let mixed = slices && self.random.chance(if self.has(Fault::Split) { 10.0 } else { 1.0 });
        let mut frames: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
        let mut done = 0;
        while done < count {
            let market = if self.random.chance(80.0) { market } else { self.any_market() };
            let stream =
                if slices && (!mixed || self.random.chance(50.0)) { Stream::Twap } else { Stream::Fills };
            let deltas = if mode == 9 || self.random.chance(15.0) {
                let delta = self.any_delta();
                vec![delta, -delta]
            } else {
                let held = self.venue.position(market);
                let close = held != 0 && self.random.chance(20.0);
                let flip = if self.random.chance(30.0) { 2 } else { 1 };
                vec![if close { -held * flip } else { self.any_delta() }]
            };
            done += deltas.len() as i64;
            for delta in deltas {
                let index = self.venue.trade(market, time, delta, stream, &mut self.random);
                let heard = self.connections.iter().any(|connection| connection.subscribed);
                self.venue.all[index as usize].unheard = !heard;
                frames[stream as usize].push(index);
                if self.print {
                    let fill = &self.venue.all[index as usize];
                    println!(
                        "{:>8} FILL #{index} {:?} {:?} {:?} {:?}",
                        self.now, fill.stream, fill.row.market, fill.row.link, fill.row.key
                    );
                }
            }
        }
        if self.has(Fault::InlineTwap) {
            let slices = frames[1].clone();
            frames[0].extend(slices);
            frames[0].sort_unstable();
        }
        let nobody =
            self.faulty() && self.has(Fault::Drop) && (self.random.chance(1.0) || self.now < self.drop_until);
        for listener in 0..self.connections.len() {
            for stream in Stream::ALL {
                let rows = &frames[stream as usize];
                let connection = &self.connections[listener];
                if rows.is_empty()
                    || !connection.up
                    || !connection.subscribed
                    || connection.muted[stream as usize]
                {
                    continue;
                }
                let rows: Vec<_> =
                    rows.iter().map(|&index| (self.venue.all[index as usize].row.clone(), index)).collect();
                if nobody || (self.faulty() && self.has(Fault::Drop) && self.random.chance(3.0)) {
                    self.count("dropped frame");
                    continue;
                }
                self.send(listener, stream, rows);
            }
        }
    }

    fn send(&mut self, listener: usize, stream: Stream, mut rows: Vec<(Row, u32)>) {
        let faulty = self.faulty();
        let slow_twap = self.has(Fault::SlowTwap) && stream == Stream::Twap;
        let channel = usize::from(slow_twap);
        let mut delay = self.random.within(80, 350) + self.connections[listener].slow;
        if slow_twap {
            delay += self.random.within(0, 700);
        }
        if faulty && self.has(Fault::Delay) && self.random.chance(3.0) {
            self.count("delayed frame");
            delay += self.random.within(300, 3_000);
        }
        let at = (self.now + delay).max(self.connections[listener].after[channel]);
        self.connections[listener].after[channel] = at;
        if faulty && self.has(Fault::Phantom) && self.random.chance(1.0) {
            let index = self.random.index(rows.len());
            let (row, payload) = &mut rows[index];
            row.key = FillKey(row.key.0 ^ (1 << self.random.within(0, 40)));
            *payload = PHANTOM;
            self.phantoms.push(row.key);
            self.count("phantom");
        }
        if faulty && self.has(Fault::Flip) && self.random.chance(1.0) {
            let index = self.random.index(rows.len());
            let (row, payload) = &mut rows[index];
            if *payload != PHANTOM {
                // The size came through wrong.
                let before = row.link.unwrap().before;
                let start = i64::try_from(before.0).unwrap();
                row.link = Some(link(start, start + 5));
                row.digest = digest(999, 5, start, 1);
                self.count("flip");
            }
        }
        let life = self.connections[listener].life;
        let deliver = |rows| Step::Deliver { listener, life, stream, snapshot: false, rows };
        if faulty && self.has(Fault::Split) && rows.len() > 1 && self.random.chance(50.0) {
            let rest = rows.split_off(1 + self.random.index(rows.len() - 1));
            self.count("split frame");
            self.at(at, deliver(rows));
            let pause = self.random.within(0, 30);
            self.connections[listener].after[channel] = at + pause;
            self.at(at + pause, deliver(rest));
            return;
        }
        if faulty && self.has(Fault::Duplicate) && self.random.chance(5.0) {
            self.count("doubled frame");
            self.at(at, deliver(rows.clone()));
        }
        self.at(at, deliver(rows));
    }

    fn answer(&mut self, id: u64, stream: Stream, start: i64) {
        let now = self.instant();
        let faulty = self.faulty();
        let bad = |world: &mut Self, fault: Fault, percent: f64| {
            let hit = faulty && world.has(fault) && world.random.chance(percent);
            if hit {
                world.count(&format!("answer {fault:?}"));
            }
            hit
        };
        if self.full || bad(self, Fault::Busy, 10.0) {
            self.machine.as_mut().unwrap().handle_page_failed(id, now);
            return;
        }
        if bad(self, Fault::LostAnswer, 3.0) {
            return;
        }
        let stale = if bad(self, Fault::Stale, 15.0) {
            let most = if self.venue.lag == Lag::Small { 90_000 } else { 20_000 };
            self.random.within(0, most)
        } else {
            0
        };
        let mut rows = self.venue.history(stream, start, self.venue_now() - stale);
        if bad(self, Fault::Empty, 4.0) {
            rows.clear();
        }
        if bad(self, Fault::Short, 4.0) {
            let len = self.random.index(rows.len() + 1);
            rows.truncate(len);
        }
        if rows.len() > 2 && bad(self, Fault::Holey, 4.0) {
            let from = self.random.index(rows.len() - 1);
            let to = (from + self.random.within(1, 4) as usize).min(rows.len() - 1);
            rows.drain(from..to);
        }
        if self.print {
            println!("{:>8} PAGE {stream:?} from {start}: {rows:?}", self.now);
        }
        let page: Vec<Row> = rows.iter().map(|&index| self.venue.all[index as usize].row.clone()).collect();
        let machine = self.machine.as_mut().unwrap();
        machine.handle_page(id, &page, |at| rows[at], now);
    }

    // -------------------------------------------------------------------------------------------- the listeners

    fn deliver(&mut self, listener: usize, stream: Stream, snapshot: bool, rows: &[(Row, u32)]) {
        let now = self.instant();
        if self.print {
            let ids: Vec<_> = rows.iter().map(|row| row.1).collect();
            println!("{:>8} FRAME {listener} {stream:?} snapshot {snapshot}: {ids:?}", self.now);
        }
        let Some(machine) = self.machine.as_mut().filter(|_| !self.removed) else { return };
        if self.full {
            machine.handle_refused(now);
            self.count("refused frame");
            return;
        }
        let page: Vec<Row> = rows.iter().map(|row| row.0.clone()).collect();
        let _ = machine.handle_frame(listener, stream, snapshot, &page, |at| rows[at].1, now);
    }

    fn connect_all(&mut self) {
        for listener in 0..self.connections.len() {
            self.connections[listener].up = false;
            self.connections[listener].subscribed = false;
            self.connections[listener].life += 1;
            let at = self.now + self.random.within(50, 3_000);
            self.at(at, Step::Connect(listener));
        }
    }

    fn connect(&mut self, listener: usize) {
        if self.machine.is_none() || self.removed || self.connections[listener].up {
            return;
        }
        if self.outage {
            let at = self.now + self.random.within(500, 5_000);
            self.at(at, Step::Connect(listener));
            return;
        }
        let now = self.instant();
        let (life, slow) = (self.connections[listener].life + 1, self.connections[listener].slow);
        self.connections[listener] =
            Connection { up: true, life, slow, after: [self.now; 2], ..Connection::default() };
        self.machine.as_mut().unwrap().handle_listener_up(listener, now);
        let at = self.now + self.random.within(50, 400);
        self.at(at, Step::Subscribe(listener, life));
    }

    fn subscribe(&mut self, listener: usize, life: u32) {
        if self.connections[listener].life != life {
            return;
        }
        self.connections[listener].subscribed = true;
        for stream in Stream::ALL {
            let inline = self.has(Fault::InlineTwap);
            let rows = self.venue.snapshot(stream, inline);
            let rows =
                rows.iter().map(|&index| (self.venue.all[index as usize].row.clone(), index)).collect();
            let delay = self.random.within(50, 300) + self.connections[listener].slow;
            let mut at = (self.now + delay).max(self.connections[listener].after[0]);
            if self.has(Fault::LateSnapshot) && self.random.chance(30.0) {
                at += self.random.within(0, 3_000);
                self.count("late snapshot");
            } else {
                self.connections[listener].after = [at; 2];
            }
            self.at(at, Step::Deliver { listener, life, stream, snapshot: true, rows });
        }
    }

    fn down(&mut self, listener: usize) {
        if !self.connections[listener].up {
            return;
        }
        let now = self.instant();
        let connection = &mut self.connections[listener];
        (connection.up, connection.subscribed) = (false, false);
        connection.life += 1;
        if let Some(machine) = self.machine.as_mut() {
            machine.handle_listener_down(listener, now);
            let at = self.now + self.random.within(250, 6_000);
            self.at(at, Step::Connect(listener));
        }
        self.count("connection lost");
    }

    // ---------------------------------------------------------------------------------------------- bad weather

    fn fault(&mut self) {
        let listener = self.random.index(self.connections.len());
        if !self.faulty() {
            self.outage = false;
            for listener in 0..self.connections.len() {
                self.connections[listener].slow = 0;
                if self.connections[listener].muted != [false; 2] {
                    self.down(listener);
                } else if !self.connections[listener].up {
                    self.at(self.now + 100, Step::Connect(listener));
                }
            }
            if self.now < self.fault_end + 90_000 {
                self.at(self.now + 20_000, Step::Fault);
            }
            return;
        }
        match self.random.within(0, 8) {
            0 | 1 if self.has(Fault::Close) => self.down(listener),
            2 if self.has(Fault::Mute) => {
                let stream = usize::from(self.has(Fault::Twap) && self.random.chance(40.0));
                self.connections[listener].muted[stream] = true;
                if self.random.chance(30.0) {
                    self.connections.iter_mut().for_each(|connection| connection.muted[stream] = true);
                }
                self.count("mute");
            }
            3 if self.has(Fault::Outage) && !self.outage => {
                self.outage = true;
                self.count("outage");
                for listener in 0..self.connections.len() {
                    let at = self.now + self.random.within(0, 4_000);
                    self.at(at, Step::Down(listener));
                }
            }
            4 if self.has(Fault::Delay) => {
                self.connections[listener].slow =
                    if self.random.chance(50.0) { 0 } else { self.random.within(500, 8_000) };
            }
            5 if self.has(Fault::Drop) => self.drop_until = self.now + self.random.within(100, 3_000),
            _ => self.outage = self.outage && self.random.chance(60.0),
        }
        let at = self.now + self.random.within(2_000, 25_000);
        self.at(at, Step::Fault);
    }

    fn kill(&mut self) {
        if self.machine.is_none() || self.removed {
            return;
        }
        self.collect_counts();
        self.machine = None;
        let kept = self.appended.partition_point(|&at| at <= self.now);
        self.count("kill");
        if kept < self.journal.len() {
            self.count("kill with a lost tail");
        }
        if self.print {
            println!("{:>8} KILL, {} records lost", self.now, self.journal.len() - kept);
        }
        self.journal.truncate(kept);
        self.appended.truncate(kept);
        self.life += 1;
        for connection in &mut self.connections {
            (connection.up, connection.subscribed) = (false, false);
            connection.life += 1;
        }
        let pause = if self.random.chance(80.0) {
            self.random.within(200, 10_000)
        } else {
            self.random.within(10_000, 120_000)
        };
        self.at(self.now + pause, Step::Restart);
    }

    fn remove(&mut self) {
        let until = self.venue_now();
        let now = self.instant();
        let Some(machine) = self.machine.as_mut() else {
            self.at(self.now + 5_000, Step::Remove);
            return;
        };
        machine.handle_removed(until, now);
        self.removed = true;
        self.removed_at.push(until);
        self.count("removed");
        self.drain();
    }

    /// A machine over what the journal holds.
    fn start(&mut self, cause: Cause) {
        if self.machine.is_some() {
            self.collect_counts();
        }
        self.fold = Ledger::new(&self.settings);
        self.journal.iter().for_each(|record| self.fold.apply(record));
        let bytes = postcard::to_allocvec(&self.fold).unwrap();
        let ledger: Ledger = postcard::from_bytes(&bytes).unwrap();
        if ledger != self.fold {
            self.problems.push(("checkpoint", "a ledger read back differs".into()));
        }
        self.life += 1;
        self.epoch += 1;
        // `start` is for accounts that are followed for the first time.
        let again = self.journal.iter().any(|record| matches!(record, Record::Removed));
        let settings = Settings { start: self.settings.start.filter(|_| !again), ..self.settings.clone() };
        let now = self.instant();
        let mut machine = Machine::new(settings, ledger, cause, self.epoch, now);
        machine.bug = self.bug;
        self.machine = Some(machine);
        self.drain();
    }

    // ---------------------------------------------------------------------------------------------- the runtime

    fn drain(&mut self) {
        while let Some(output) = self.machine.as_mut().and_then(Machine::poll_output) {
            match output {
                Output::Record(record) => {
                    let delay = if self.random.chance(5.0) {
                        self.random.within(0, 400)
                    } else {
                        self.random.within(0, 5)
                    };
                    let at = (self.now + delay).max(self.appended.last().copied().unwrap_or(0));
                    if self.print {
                        println!("{:>8} RECORD {record:?}", self.now);
                    }
                    self.fold.apply(&record);
                    self.journal.push(record);
                    self.appended.push(at);
                }
                Output::Ask { stream, start, id } => self.asked(stream, start, id),
                Output::Recycle { listener } => {
                    self.count("recycled");
                    self.at(self.now, Step::Down(listener));
                }
            }
        }
        if self.check_every_step
            && let Some(machine) = &self.machine
            && *machine.ledger() != self.fold
        {
            self.check_every_step = false;
            self.problems.push(("fold", format!("the ledger differs from its records at {}", self.now)));
        }
    }

    fn asked(&mut self, stream: Stream, start: i64, id: u64) {
        while self.weight.front().is_some_and(|&(at, _)| at < self.now - 60_000) {
            self.weight.pop_front();
        }
        let cost = 20 + self.venue.page as i64 / 20;
        if self.weight.iter().map(|&(_, weight)| weight).sum::<i64>() + cost > 1_200 {
            self.count("page deferred");
            let (now, until) = (self.instant(), self.base + Duration::from_millis(self.now as u64 + 3_000));
            self.machine.as_mut().unwrap().handle_page_deferred(id, until, now);
            return;
        }
        self.weight.push_back((self.now, cost));
        let delay = if self.random.chance(5.0) {
            self.random.within(1_000, 12_000)
        } else {
            self.random.within(30, 400)
        };
        let life = self.life;
        self.at(self.now + delay, Step::Answer { id, life, stream, start });
    }

    pub(super) fn collect_counts(&mut self) {
        let Some(machine) = &self.machine else { return };
        let Counts {
            duplicates,
            mismatches,
            corrections,
            twins,
            late,
            recycles,
            reads,
            failed_pages,
            anchors_missed,
            outages,
            history_gaps,
            gates_expired,
            below_floor,
            refused_frames,
            ..
        } = machine.summary().counts;
        for (name, count) in [
            ("duplicates", duplicates),
            ("mismatches", mismatches),
            ("corrections", corrections),
            ("twins", twins),
            ("late", late),
            ("recycles", recycles),
            ("reads", reads),
            ("failed pages", failed_pages),
            ("anchors missed", anchors_missed),
            ("outages declared", outages),
            ("history declared", history_gaps),
            ("gates expired", gates_expired),
            ("below floor", below_floor),
            ("frames refused", refused_frames),
        ] {
            *self.counts.entry(name.into()).or_default() += count;
        }
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    fn at(&mut self, at: i64, step: Step) {
        self.next += 1;
        self.queue.push(Reverse((at, self.next)));
        self.steps.insert(self.next, step);
    }

    fn faulty(&self) -> bool {
        self.now < self.fault_end
    }

    fn venue_now(&self) -> i64 {
        VENUE + self.now
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_millis(self.now as u64)
    }

    fn any_market(&mut self) -> usize {
        self.random.index(self.venue.markets())
    }

    fn any_delta(&mut self) -> i64 {
        let size = self.random.within(1, 4);
        if self.random.chance(50.0) { size } else { -size }
    }
}
