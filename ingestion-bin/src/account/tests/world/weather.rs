//! Faults, kills, removals, and what a new process begins with.

use std::collections::VecDeque;

use super::super::super::{Cause, Ledger, Machine, Record, Settings, Shedding, Stream, VenueClock};
use super::{Fault, Step, VENUE, World};

impl World {
    pub(super) fn fault(&mut self) {
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
            0 | 1 if self.has(Fault::Close) => {
                self.count(Fault::Close.counted_as());
                self.down(listener);
            }
            2 if self.has(Fault::Mute) => {
                let stream = usize::from(self.has(Fault::Twap) && self.random.chance(40.0));
                self.connections[listener].muted[stream] = true;
                if self.random.chance(30.0) {
                    self.connections.iter_mut().for_each(|connection| connection.muted[stream] = true);
                }
                self.count(Fault::Mute.counted_as());
            }
            3 if self.has(Fault::Outage) && !self.outage => {
                self.outage = true;
                self.count(Fault::Outage.counted_as());
                for listener in 0..self.connections.len() {
                    let at = self.now + self.random.within(0, 4_000);
                    self.at(at, Step::Down(listener));
                }
            }
            4 if self.has(Fault::Delay) => {
                self.connections[listener].slow =
                    if self.random.chance(50.0) { 0 } else { self.random.within(500, 8_000) };
            }
            6 if self.has(Fault::Lagging) => {
                let lag = self.later.of(&[0, 5_000, 60_000]);
                self.connections[0].slow = lag;
                if lag > 0 {
                    self.count(Fault::Lagging.counted_as());
                }
            }
            5 if self.has(Fault::Drop) => self.drop_until = self.now + self.random.within(100, 3_000),
            _ => self.outage = self.outage && self.random.chance(60.0),
        }
        let at = self.now + self.random.within(2_000, 25_000);
        self.at(at, Step::Fault);
    }

    pub(super) fn kill(&mut self) {
        if self.machine.is_none() || self.removed {
            return;
        }
        self.collect_counts();
        self.machine = None;
        self.clock = VenueClock::default();
        let kept = self.appended.partition_point(|&at| at <= self.now);
        self.count(Fault::Kill.counted_as());
        self.kills.push(self.now);
        if kept < self.journal.len() {
            self.count("kill with a lost tail");
        }
        if self.print {
            println!("{:>8} KILL, {} records lost", self.now, self.journal.len() - kept);
        }
        self.journal.truncate(kept);
        self.appended.truncate(kept);
        self.batches.truncate(kept);
        self.life += 1;
        for connection in &mut self.connections {
            (connection.up, connection.subscribed, connection.shown) = (false, false, [false; 2]);
            connection.life += 1;
        }
        let pause = if self.random.chance(80.0) {
            self.random.within(200, 10_000)
        } else {
            self.random.within(10_000, 120_000)
        };
        self.at(self.now + pause, Step::Restart);
    }

    /// An earlier version believed one wrong time, all else being well: its certificate is ahead of the venue (C5).
    pub(super) fn overrun(&mut self) {
        // Only what comes afterwards is judged by it: nothing is in doubt any more.
        let settled = self.machine.as_ref().is_some_and(|machine| {
            let summary = machine.summary();
            summary.open_gaps == 0 && summary.certified > Some(VENUE + self.fault_end + 5_000)
        });
        if !settled || self.removed {
            if self.now < self.fault_end + 600_000 {
                self.at(self.now + 20_000, Step::Overrun);
            }
            return;
        }
        // Nothing of the journal is lost besides.
        self.appended.iter_mut().for_each(|at| *at = self.now.min(*at));
        self.kill();
        let to = self.venue_now() + self.later.of(&[60_000, 200_000, 8_000_000_000]);
        for wrong in Stream::ALL {
            let newest = self.journal.iter().rev().find_map(|record| match record {
                Record::Certified { stream, anchor, .. } if *stream == wrong => Some(*anchor),
                _ => None,
            });
            let Some(anchor) = newest else { continue };
            self.wrong_certificates.insert(self.journal.len());
            self.journal.push(Record::Certified { stream: wrong, to, anchor });
            self.appended.push(self.now);
            self.batches.push(0);
            self.count(Fault::Overrun.counted_as());
        }
    }

    pub(super) fn remove(&mut self) {
        let until = self.venue_now();
        let now = self.instant();
        let Some(machine) = self.machine.as_mut() else {
            self.at(self.now + 5_000, Step::Remove);
            return;
        };
        machine.handle_removed(until, now);
        self.removed = true;
        self.removed_at.push(until);
        self.count(Fault::Remove.counted_as());
        self.drain();
    }

    /// When the journal is so full that the account is shed, and how much.
    pub(super) fn draw_shedding(&mut self) {
        let mut at = self.later.within(500, 30_000);
        while at < self.fault_end {
            let shedding = self.later.of(&[Shedding::Signals, Shedding::Signals, Shedding::Rows]);
            self.at(at, Step::Shed(shedding));
            at += self.later.of(&[300, 3_000, 20_000, 90_000]);
            if shedding == Shedding::Rows || self.later.chance(30.0) {
                self.at(at.min(self.fault_end), Step::Shed(Shedding::Signals));
                at += self.later.within(100, 20_000);
            }
            self.at(at.min(self.fault_end), Step::Shed(Shedding::Off));
            at += self.later.of(&[50, 4_000, 60_000]);
        }
    }

    pub(super) fn shed(&mut self, shedding: Shedding) {
        self.shedding = shedding;
        let now = self.instant();
        if let Some(machine) = self.machine.as_mut().filter(|_| !self.removed) {
            machine.handle_shedding(shedding, now);
            self.count(match shedding {
                Shedding::Off => "shedding ends",
                Shedding::Signals => "signals shed",
                Shedding::Rows => "rows shed",
            });
        }
    }

    /// A machine over what the journal holds.
    pub(super) fn start(&mut self, cause: Cause) {
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
        if self.has(Fault::TwapSwitch) && cause == Cause::Start && self.epoch > 1 && self.aside.chance(50.0) {
            self.settings.twap = !self.settings.twap;
            self.count(Fault::TwapSwitch.counted_as());
        }
        let again = self.journal.iter().any(|record| matches!(record, Record::Removed));
        let settings = Settings { start: self.settings.start.filter(|_| !again), ..self.settings.clone() };
        self.connections.iter_mut().for_each(|connection| connection.shown = [false; 2]);
        let now = self.instant();
        let mut machine = Machine::new(settings, ledger, cause, self.epoch, now);
        machine.bug = self.bug;
        (self.begun, self.reads) = (VecDeque::new(), 0);
        self.machine = Some(machine);
        if self.plan.sheds {
            // A full journal is full for the next process, too.
            self.shed(self.shedding);
        }
        self.drain();
    }
}
