//! What the runtime does with outputs: it appends records a little later and asks history within its budget.

use std::time::Duration;

use super::super::super::{Machine, Output, Stream};
use super::super::planted::Bug;
use super::{Step, World};

/// What an address may ask in a minute.
pub(in super::super) const WEIGHT: i64 = 1_200;

impl World {
    /// What one question costs.
    pub(in super::super) fn cost(&self) -> i64 {
        20 + self.venue.page as i64 / 20
    }

    pub(super) fn drain(&mut self) {
        self.batch += 1;
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
                    if self.bug == Some(Bug::ForgetsGaps) && self.is_told_again(&record) {
                        continue;
                    }
                    self.journal.push(record);
                    self.appended.push(at);
                    self.batches.push(self.batch);
                }
                Output::Ask { stream, start, id } => self.asked(stream, start, id),
                Output::Recycle { listener } => {
                    self.at(self.now, Step::Down(listener));
                }
            }
        }
        self.check_coverage();
        if self.check_every_step
            && let Some(machine) = &self.machine
            && *machine.ledger() != self.fold
        {
            self.check_every_step = false;
            self.problems.push(("fold", format!("the ledger differs from its records at {}", self.now)));
        }
    }

    pub(super) fn asked(&mut self, stream: Stream, start: i64, id: u64) {
        self.check_pace();
        while self.weight.front().is_some_and(|&(at, _)| at < self.now - 60_000) {
            self.weight.pop_front();
        }
        let cost = self.cost();
        if self.weight.iter().map(|&(_, weight)| weight).sum::<i64>() + cost > WEIGHT {
            self.count("page deferred");
            let (now, until) = (self.instant(), self.base + Duration::from_millis(self.now as u64 + 3_000));
            self.machine.as_mut().unwrap().handle_page_deferred(id, until, now);
            return;
        }
        self.weight.push_back((self.now, cost));
        self.asked.push((self.now, stream, start));
        let delay = if self.random.chance(5.0) {
            self.random.within(1_000, 12_000)
        } else {
            self.random.within(30, 400)
        };
        let life = self.life;
        self.at(self.now + delay, Step::Answer { id, life, stream, start });
    }
}
