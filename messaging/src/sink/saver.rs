//! When the cursor is stored: every so many records or so often, and always before more lines lie past it than a
//! restart recognises. A store that fails is tried again after a pause and stops nothing until then.

use std::io;
use std::time::Instant;

use super::backoff::Backoff;
use super::{PumpConfig, REMEMBERED, Tally};
use crate::journal::Cursor;

#[derive(Debug)]
pub(super) struct Saver {
    cursor: Cursor,
    /// Records delivered since the last store, and when the first of them was.
    records: u64,
    since: Option<Instant>,
    /// Lines the sink had written or recognised at the last store.
    lines_then: u64,
    backoff: Backoff,
}

impl Saver {
    pub(super) fn new(cursor: Cursor) -> Self {
        Self { cursor, records: 0, since: None, lines_then: 0, backoff: Backoff::default() }
    }

    /// The sink's name.
    pub(super) fn name(&self) -> &str {
        self.cursor.name()
    }

    pub(super) fn stored(&self) -> u64 {
        self.cursor.position()
    }

    /// Counts what was delivered and not stored yet.
    pub(super) fn delivered(&mut self, records: u64, now: Instant) {
        self.records += records;
        self.since.get_or_insert(now);
    }

    /// When a store is due although nothing more comes.
    pub(super) fn due_at(&self, config: &PumpConfig) -> Option<Instant> {
        let due = self.since? + config.cursor_interval;
        Some(self.backoff.until().map_or(due, |until| until.max(due)))
    }

    pub(super) fn due(&self, now: Instant, config: &PumpConfig) -> bool {
        let soon =
            self.records >= config.cursor_records && self.backoff.until().is_none_or(|until| now >= until);
        soon || self.due_at(config).is_some_and(|due| now >= due)
    }

    /// Whether another batch may bring more lines past the cursor than a restart would recognise.
    pub(super) fn must(&self, tally: &Tally, config: &PumpConfig) -> bool {
        let lines = (tally.lines + tally.repeats).saturating_sub(self.lines_then);
        lines + config.batch_records as u64 > REMEMBERED as u64
    }

    /// Stores that everything before `position` is delivered.
    pub(super) fn store(
        &mut self,
        position: u64,
        tally: &Tally,
        now: Instant,
        config: &PumpConfig,
    ) -> io::Result<()> {
        if let Err(error) = self.cursor.store(position) {
            self.backoff.fail(now, config);
            return Err(error);
        }
        self.backoff.clear();
        // A sink may be ahead of what is synced; the cursor is not, and follows later.
        let since = (self.cursor.position() < position).then_some(now);
        (self.records, self.since, self.lines_then) = (0, since, tally.lines + tally.repeats);
        Ok(())
    }
}
