//! What the journal takes on the disk, and which of its segments may go: the oldest, when room is short or it is past its
//! age, and only when no cursor and no start can need it any more. `now_ns` is wall-clock ns.

use std::io;

use super::{Fold, Writer, index, segment};

impl<F: Fold> Writer<F> {
    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|listed| listed.bytes + listed.index_bytes).sum()
    }

    /// Deletes what may go: less than a segment of room is left or the oldest is past its age, every registered cursor
    /// is stored past it, and two newer checkpoints are good.
    pub(crate) fn tidy(&mut self, waiting_bytes: u64, now_ns: u64) {
        while self.wants_room(waiting_bytes, now_ns) && self.oldest_may_go() {
            let Some(oldest) = self.segments.front().copied() else { break };
            match self.delete(oldest.first) {
                Ok(()) => self.counters.segments_deleted += 1,
                Err(error) => {
                    tracing::warn!(%error, segment = oldest.first, "a segment could not be deleted; tried again later");
                    self.counters.housekeeping_failures += 1;
                    break;
                }
            }
        }
        self.standing.alarms.nearly_full =
            self.disk_bytes().saturating_add(waiting_bytes) > self.config.max_bytes / 5 * 4;
    }

    fn wants_room(&self, waiting_bytes: u64, now_ns: u64) -> bool {
        let room = self.config.max_bytes.saturating_sub(self.disk_bytes().saturating_add(waiting_bytes));
        let aged = || {
            let retention = u64::try_from(self.config.retention?.as_nanos()).ok()?;
            // Everything in the oldest was written before the next one was made.
            Some(self.segments.get(1)?.created_ns.checked_add(retention)? <= now_ns)
        };
        room < self.config.segment_bytes || aged() == Some(true)
    }

    fn oldest_may_go(&self) -> bool {
        let newer_good = self.segments.iter().skip(1).filter(|listed| listed.good_checkpoint).count();
        let Some(next) = self.segments.get(1) else { return false };
        newer_good >= 2 && self.cursors.deletable_before().is_some_and(|lowest| lowest >= next.first)
    }

    fn delete(&mut self, first: u64) -> io::Result<()> {
        for name in [index::name(first), segment::name(first)] {
            match self.storage.remove(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.segments.pop_front();
        self.storage.sync_dir("")
    }
}
