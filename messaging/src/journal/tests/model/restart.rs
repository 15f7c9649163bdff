//! A start on whatever the disk has kept, and the sinks that take up their cursors behind it.

use std::sync::Arc;

use super::Verdict;
use super::chain::restore;
use super::world::{Sink, World};
use crate::journal::config::Sabotage;
use crate::journal::cursor::{Context, Cursor, From};
use crate::journal::reader::{Bound, Limit, Reader};
use crate::journal::{OpenError, start};

impl World {
    /// The wall clock may have been set while nobody ran; not back where records can be lost, whose positions only it remembers.
    fn set_clock(&mut self) {
        const HOUR_NS: u64 = 3_600_000_000_000;
        match self.seed.below(8) {
            0 if !(self.faults.disk || self.faults.power || self.faults.flips) => {
                self.now -= self.seed.below(self.now.min(HOUR_NS));
                self.cover("clock set back");
            }
            1 => {
                self.now += self.seed.below(HOUR_NS);
                self.cover("clock set forward");
            }
            _ => {}
        }
    }

    pub(super) fn start(&mut self) -> Verdict {
        self.set_clock();
        let started = start::start(self.config.clone(), self.storage(), self.now, restore);
        let (writer, report) = match started {
            Ok(started) => started,
            Err(OpenError::NoCheckpoint { segments }) if self.faults.flips && segments <= 2 => {
                return self.give_up();
            }
            Err(OpenError::Io { .. }) if self.faults.disk => {
                // The disk still fails: the process ends and is started again.
                self.disk.kill();
                if self.seed.chance(300) {
                    self.disk.heal();
                    self.disk.set_capacity(None);
                }
                return Ok(());
            }
            Err(error) => return Err(format!("start: {error} {error:?}")),
        };
        self.restarts += 1;
        let seen = self.read_all()?;
        let oldest = writer.segments[0].first;
        self.compare(&seen, oldest, &report)?;
        self.next = report.end.max(self.now);
        if self.config.sabotage == Some(Sabotage::NoLeap) {
            self.next = report.end;
        }
        judge!(writer.standing().synced == report.end, "the writer begins elsewhere");
        self.writer = Some(writer);
        self.progress = Arc::default();
        self.publish()?;
        self.sinks_again(report.end)
    }

    pub(super) fn give_up(&mut self) -> Verdict {
        self.cover("no checkpoint left");
        *self = Self {
            coverage: std::mem::take(&mut self.coverage),
            ..Self::new(self.seed.draw(), self.faults, self.config.sabotage)
        };
        Ok(())
    }

    pub(super) fn sinks_again(&mut self, end: u64) -> Verdict {
        let Some(writer) = &self.writer else { return Ok(()) };
        for (number, limit) in [Limit::Synced, Limit::Appended].into_iter().enumerate() {
            let storage = self.storage();
            let context = Context { storage: &*storage, journal: writer.journal, progress: &self.progress };
            let name = format!("sink{number}");
            let registered = writer.cursors.register(&context, &name, From::Oldest);
            let (file, origin) = match registered {
                Ok(registered) => registered,
                Err(error) if self.faults.disk => {
                    // Its disk fails: the service would not start.
                    let _ = error;
                    self.kill_keeping();
                    return Ok(());
                }
                Err(error) => return Err(format!("cursor: {error:?}")),
            };
            let position = file.position();
            judge!(
                position >= self.stored[number].min(end),
                "cursor {position} is before what was stored: {} {origin:?}",
                self.stored[number]
            );
            let done = self.list.partition_point(|(at, _)| *at < position);
            let cursor = Cursor {
                name,
                file,
                origin,
                cursors: Arc::clone(&writer.cursors),
                progress: Arc::clone(&self.progress),
                queue: Arc::clone(&self.queue),
            };
            let reader = Reader::new(
                self.storage(),
                writer.journal,
                Bound::Owner(Arc::clone(&self.progress), limit),
                position,
            );
            self.sinks.push(Sink { reader, cursor, done });
        }
        Ok(())
    }
}
