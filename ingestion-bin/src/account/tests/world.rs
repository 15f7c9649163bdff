//! One seed's schedule: a venue, listeners, history, faults, restarts and one machine between them.
//!
//! Our clock (`now`, milliseconds since the world began) and the venue's (`now + VENUE`) never agree. Records are
//! appended a little after they come out; a kill loses those that were not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::super::{Cause, ClockSource, Counts, Ledger, Machine, Record, Row, Settings, Stream, VenueClock};
use super::planted::Bug;
use super::random::Random;
use super::venue::Venue;
use dedup::FillKey;

mod listeners;
mod making;
mod runtime;
mod trading;
mod weather;

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
    OneListener,
    TwapSwitch,
    WrongTime,
);

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
    /// When each record was appended, our milliseconds.
    pub(super) appended: Vec<i64>,
    pub(super) machine: Option<Machine<u32>>,
    /// The process' own; a kill begins another.
    clock: VenueClock,
    pub(super) settings: Settings,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) problems: Vec<(&'static str, String)>,
    /// Venue times at which the account was removed.
    pub(super) removed_at: Vec<i64>,
    pub(super) removed: bool,
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
    fold: Ledger,
    check_every_step: bool,
    base: Instant,
    random: Random,
    /// Draws that must not disturb the schedule.
    aside: Random,
    /// Whether slices are traded at all.
    sliced: bool,
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

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
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
            questions,
            hold_reads,
            rechecks,
            failed_pages,
            anchors_missed,
            outages,
            history_gaps,
            gates_expired,
            below_floor,
            passed_over,
            overruns,
            ahead,
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
            ("questions", questions),
            ("reads for a held row", hold_reads),
            ("rechecks", rechecks),
            ("failed pages", failed_pages),
            ("anchors missed", anchors_missed),
            ("outages declared", outages),
            ("history declared", history_gaps),
            ("gates expired", gates_expired),
            ("below floor", below_floor),
            ("passed over", passed_over),
            ("overruns", overruns),
            ("rows ahead", ahead),
            ("frames refused", refused_frames),
        ] {
            *self.counts.entry(name.into()).or_default() += count;
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
