//! What happens when: faults are drawn in rounds, each of them once a round in an order of its own, at most two at a time, never two of
//! one place. The same seed draws the same; what takes how long is the machine's.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::faults::{Fault, Place};
use super::support::random::Random;
use super::world::World;

const AT_ONCE: usize = 2;
/// Between two strikes, at most and at least; the same of how long a fault lasts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(2_500));
const LASTS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(6));
/// The schedule is looked at so often.
const TICK: Duration = Duration::from_millis(50);

struct Active {
    fault: Fault,
    /// Whether it strikes the first listener or the second one.
    first: bool,
    over: Instant,
}

pub(crate) struct Schedule {
    random: Random,
    /// What is left of this round.
    left: Vec<Fault>,
    active: Vec<Active>,
    began: Instant,
    next: Instant,
    counts: BTreeMap<Fault, u64>,
}

impl Schedule {
    pub(crate) fn new(seed: u64) -> Self {
        let counts = Fault::ALL.map(|fault| (fault, 0)).into();
        let (left, active, now) = (Vec::new(), Vec::new(), Instant::now());
        Self { random: Random::new(seed), left, active, began: now, next: now, counts }
    }

    /// One tick: what is over heals, what is due strikes. `kills` says whether the service may be one of the places.
    pub(crate) fn step(&mut self, world: &mut World, kills: bool) {
        std::thread::park_timeout(TICK);
        let now = Instant::now();
        while let Some(at) = self.active.iter().position(|active| active.over <= now) {
            let Active { fault, first, .. } = self.active.remove(at);
            world.heal(fault, first);
        }
        if now < self.next || self.active.len() >= AT_ONCE {
            return;
        }
        self.next = now + self.random.between(PAUSE);
        if let Some(fault) = self.draw(kills) {
            let (lasts, first) = (self.random.between(LASTS), self.random.below(2) == 0);
            let which = if first { 'a' } else { 'b' };
            let (now, kib) = (self.began.elapsed().as_secs_f64(), world.memory_kib());
            println!("{now:7.1} s {fault:?} ({which}), {:.1} s; {kib} KiB", lasts.as_secs_f64());
            world.strike(fault, first);
            *self.counts.entry(fault).or_default() += 1;
            self.active.push(Active { fault, first, over: Instant::now() + lasts });
        }
    }

    /// The next one of this round whose place is free.
    fn draw(&mut self, kills: bool) -> Option<Fault> {
        let may = |fault: &Fault| kills || fault.place() != Place::Service;
        if !self.left.iter().any(may) {
            self.left = Fault::ALL.to_vec();
        }
        let is_free = |fault: &Fault| self.active.iter().all(|active| active.fault.place() != fault.place());
        let free: Vec<usize> =
            (0..self.left.len()).filter(|at| may(&self.left[*at]) && is_free(&self.left[*at])).collect();
        let at = *free.get(usize::try_from(self.random.below(free.len().max(1) as u64)).ok()?)?;
        Some(self.left.remove(at))
    }

    /// Every fault has come.
    pub(crate) fn is_whole(&self) -> bool {
        self.counts.values().all(|count| *count > 0)
    }

    /// Nothing is amiss any more.
    pub(crate) fn calm(&mut self, world: &mut World) {
        for Active { fault, first, .. } in self.active.drain(..) {
            world.heal(fault, first);
        }
    }

    /// All faults are over, and each has come.
    pub(crate) fn end(&mut self, world: &mut World) {
        self.calm(world);
        assert!(self.is_whole(), "{self}");
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults:", self.counts.values().sum::<u64>())?;
        self.counts.iter().try_for_each(|(fault, count)| write!(f, " {fault:?} {count}"))
    }
}
