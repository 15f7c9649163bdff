//! One seed's schedule: a venue, listeners, history, faults, restarts and one machine between them.
//!
//! Our clock (`now`, milliseconds since the world began) and the venue's (`now + VENUE`) never agree. Records are
//! appended a little after they come out; a kill loses those that were not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::super::{
    Cause, ClockSource, Ledger, Machine, Record, Row, Settings, Shedding, Stream, VenueClock,
};
use super::plan::Plan;
use super::planted::Bug;
use super::random::Random;
use super::venue::Venue;
use dedup::FillKey;

mod counting;
mod faults;
mod listeners;
mod making;
mod runtime;
mod trading;
mod watching;
mod weather;

pub(super) use faults::Fault;
pub(super) use runtime::WEIGHT;

const VENUE: i64 = 1_700_000_000_000;
/// Payload of a row that never happened.
pub(super) const PHANTOM: u32 = u32::MAX;

#[derive(Clone, Debug)]
enum Step {
    Block,
    Deliver {
        listener: usize,
        life: u32,
        stream: Stream,
        snapshot: bool,
        rows: Vec<(Row, u32)>,
    },
    Connect(usize),
    Subscribe(usize, u32),
    Down(usize),
    Answer {
        id: u64,
        life: u32,
        stream: Stream,
        start: i64,
    },
    VenueTime {
        time: i64,
        life: u32,
    },
    /// A listener shows a row of somebody else.
    Elsewhere {
        listener: usize,
    },
    Fault,
    Kill,
    Restart,
    /// The process begins again over a journal whose newest certificate is wrong.
    Overrun,
    Remove,
    Add,
    Room(bool),
    /// How much of the account is held back from now on.
    Shed(Shedding),
}

#[derive(Clone, Debug, Default)]
struct Connection {
    up: bool,
    subscribed: bool,
    life: u32,
    muted: [bool; 2],
    /// Its snapshots that came.
    shown: [bool; 2],
    /// Nothing is delivered before this: sockets keep their order.
    after: [i64; 2],
    slow: i64,
}

/// Everything a run leaves behind for the judge.
pub(super) struct World {
    pub(super) faults: Vec<Fault>,
    pub(super) venue: Venue,
    pub(super) journal: Vec<Record<u32>>,
    /// When each record was appended, our milliseconds.
    pub(super) appended: Vec<i64>,
    /// The batch each record was part of: what one call of the machine let out.
    pub(super) batches: Vec<u64>,
    pub(super) machine: Option<Machine<u32>>,
    /// The process' own; a kill begins another.
    clock: VenueClock,
    pub(super) settings: Settings,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) problems: Vec<(&'static str, String)>,
    /// Venue times at which the account was removed.
    pub(super) removed_at: Vec<i64>,
    pub(super) removed: bool,
    /// Fills that a subscribed listener was to show and did not.
    pub(super) missed: HashSet<u32>,
    /// Certificates that no machine made: positions in the journal.
    pub(super) wrong_certificates: HashSet<usize>,
    /// When it was killed, our milliseconds.
    pub(super) kills: Vec<i64>,
    /// Keys of rows that never happened, with the fill each is a copy of.
    pub(super) phantoms: HashMap<FillKey, u32>,
    /// Those of them that are the fill under another time.
    pub(super) mistimed: HashSet<FillKey>,
    /// Copied fills whose phantom was shown, in the same process, by a listener that had shown the fill itself, or
    /// that was first to show the fill afterwards: it vouches for both.
    pub(super) vouched: HashSet<u32>,
    /// Fill, whether its phantom was shown, by whom, in which process.
    copies_shown: HashSet<(u32, bool, usize, u32)>,
    /// Fills before this venue time must be settled at the end.
    pub(super) settled_to: i64,
    pub(super) began: i64,
    /// When the run is over, and until when things go wrong, our milliseconds.
    pub(super) ends: i64,
    pub(super) fault_end: i64,
    fold: Ledger,
    check_every_step: bool,
    base: Instant,
    random: Random,
    /// Draws that must not disturb the schedule.
    aside: Random,
    /// Nor these, of the faults that came last.
    later: Random,
    plan: Plan,
    /// Whether slices are traded at all.
    sliced: bool,
    queue: BinaryHeap<Reverse<(i64, u64)>>,
    steps: BTreeMap<u64, Step>,
    next: u64,
    now: i64,
    connections: Vec<Connection>,
    life: u32,
    epoch: u64,
    batch: u64,
    outage: bool,
    drop_until: i64,
    twap_blocks: i64,
    full: bool,
    shedding: Shedding,
    weight: VecDeque<(i64, i64)>,
    /// Every question: when, of which stream, from where on.
    pub(super) asked: Vec<(i64, Stream, i64)>,
    /// When reads began within the least pause, and how many this process has begun.
    begun: VecDeque<i64>,
    reads: u64,
    bug: Option<Bug>,
    pub(super) print: bool,
}

impl World {
    pub(super) fn run(seed: u64, plan: &Plan, bug: Option<Bug>, print: bool) -> Self {
        let mut world = Self::new(seed, plan, bug, print);
        world.play();
        world
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn play(&mut self) {
        let quiet = self.random.chance(50.0) && self.plan.pace.is_none();
        let trading_end = if quiet { self.fault_end + 60_000 } else { i64::MAX };
        let end = self.fault_end + 900_000;
        self.ends = end;
        self.settled_to = if quiet { i64::MAX } else { VENUE + end - 330_000 };
        let pace = self.random.of(&[250, 800, 2_500, 9_000]);
        let pace = self.plan.pace.unwrap_or(pace);
        if self.has(Fault::Overrun) && !quiet {
            self.at(self.fault_end + 400_000, Step::Overrun);
        }
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
        match step {
            Step::Block => {
                self.note_keys();
                if self.now < trading_end {
                    self.block();
                }
                let pause = match () {
                    () if self.random.chance(10.0) => self.random.within(1, 90),
                    () if self.random.chance(1.0) => self.random.within(pace, pace * 20 + 40_000),
                    () => self.random.within(1, pace * 2),
                };
                // Healing needs time, not trades.
                let pause = if self.faulty() || self.plan.pace.is_some() { pause } else { pause * 3 };
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
                if life == self.life {
                    self.show(ClockSource::Answer, time);
                }
                let life = self.life;
                self.at(self.now + 30_000, Step::VenueTime { time: self.venue_now() + 29_800, life });
            }
            Step::Elsewhere { listener } => {
                let time = self.flipped(self.venue_now());
                // One listener alone: two wrong sources at a time are believed.
                let wrong = listener == 0 && self.faulty() && self.aside.chance(10.0);
                let time = if wrong { time } else { self.venue_now() };
                if self.connections[listener].up {
                    self.show(ClockSource::Listener(listener as u8), time);
                }
                let at = self.now + self.aside.within(1_000, 40_000);
                let listener = self.aside.index(self.connections.len());
                self.at(at, Step::Elsewhere { listener });
            }
            Step::Fault => self.fault(),
            Step::Kill => self.kill(),
            Step::Restart => {
                if self.machine.is_none() {
                    self.start(Cause::Start);
                    self.show(ClockSource::Answer, self.venue_now());
                    self.connect_all();
                }
            }
            Step::Overrun => self.overrun(),
            Step::Remove => self.remove(),
            Step::Add => {
                if !self.removed || self.machine.is_none() {
                    self.at(self.now + 5_000, Step::Add);
                    return;
                }
                self.removed = false;
                self.count("followed anew after a removal");
                self.start(Cause::Added);
                self.connect_all();
            }
            Step::Room(room) => self.full = !room && self.faulty(),
            Step::Shed(shedding) => self.shed(shedding),
        }
    }

    /// What a source shows moves the clock as in the runtime.
    fn show(&mut self, source: ClockSource, time: i64) {
        let known = self.clock.show(source, time);
        let alone = matches!(self.bug, Some(Bug::OneSource | Bug::KnownByRule));
        let known = if alone { known.max(Some(time)) } else { known };
        let now = self.instant();
        if let (Some(machine), Some(known)) = (self.machine.as_mut().filter(|_| !self.removed), known) {
            machine.handle_venue_time(known, now);
        }
    }

    /// A time with one of its digits changed.
    fn flipped(&mut self, time: i64) -> i64 {
        let place = 10_i64.pow(self.aside.within(0, 13) as u32);
        let digit = time / place % 10;
        time + ((digit + self.aside.within(1, 10)) % 10 - digit) * place
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
