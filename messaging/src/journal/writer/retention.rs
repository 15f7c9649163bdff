//! What the journal takes on the disk: when a segment ends, which of them may go, when there is no room. The oldest goes first,
//! when room is short or it is past its age, and only when no cursor and no start can need it any more.
//!
//! Only a cursor that is behind keeps the journal full: where the oldest segment is held by nothing but too few newer
//! checkpoints, and every cursor is at the end, the queue takes one batch more, whatever its size. `now_ns` is wall-clock ns.

use std::io;

use super::{Active, Fold, Writer, index, segment};
use crate::journal::queue::Held;

/// Records to state in a segment, in bytes, where there is room for it; and state to records where there is least.
const RATIO: u64 = 4;
/// Segments of their largest size that fit into `max_bytes`: two newer checkpoints, and the one that they let go.
const SEGMENTS_THAT_FIT: u64 = 3;

impl<F: Fold> Writer<F> {
    fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|listed| listed.bytes + listed.index_bytes).sum()
    }

    /// Whether the segment ends in front of a group of so many bytes.
    pub(super) fn over_size(&self, active: &Active, group: u64) -> bool {
        let state = self.checkpoint_bytes;
        let third = (self.config.max_bytes / SEGMENTS_THAT_FIT).saturating_sub(state).max(state / RATIO);
        let most = self.config.segment_bytes.max(state.saturating_mul(RATIO)).min(third);
        active.end > active.batches_at && (active.end - active.batches_at).saturating_add(group) > most
    }

    /// Deletes what may go: less than a segment of room is left, or than a refused batch wants, or the oldest is past its age, every registered cursor
    /// is stored past it, and two newer checkpoints are good.
    pub(crate) fn tidy(&mut self, waiting_bytes: u64, wanted_bytes: u64, now_ns: u64) {
        while self.wants_room(waiting_bytes, wanted_bytes, now_ns) && self.oldest_may_go() {
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
        self.alarm(waiting_bytes);
    }

    fn wants_room(&self, waiting_bytes: u64, wanted_bytes: u64, now_ns: u64) -> bool {
        let room = self.config.max_bytes.saturating_sub(self.disk_bytes().saturating_add(waiting_bytes));
        let aged = || {
            let retention = u64::try_from(self.config.retention?.as_nanos()).ok()?;
            // Everything in the oldest was written before the next one was made.
            Some(self.segments.get(1)?.created_ns.checked_add(retention)? <= now_ns)
        };
        room < self.config.segment_bytes.max(wanted_bytes) || aged() == Some(true)
    }

    fn oldest_may_go(&self) -> bool {
        let Some(next) = self.segments.get(1) else { return false };
        self.has_newer_checkpoints()
            && self.cursors.deletable_before().is_some_and(|lowest| lowest >= next.first)
    }

    fn has_newer_checkpoints(&self) -> bool {
        self.segments.iter().skip(1).filter(|listed| listed.good_checkpoint).count() >= 2
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

    /// No cursor holds anything: the oldest segment waits for newer checkpoints, and only more records make one.
    fn is_at_floor(&self) -> bool {
        let lowest = self.cursors.deletable_before();
        self.pending.is_empty()
            && !self.has_newer_checkpoints()
            && lowest.is_some_and(|lowest| lowest >= self.standing.synced)
    }

    /// What the queue must know to refuse in time.
    pub(crate) fn held(&self) -> Held {
        Held {
            unsynced_bytes: self.pending.iter().map(|pending| pending.group.bytes.len()).sum(),
            unsynced_batches: self.pending.iter().map(|pending| pending.group.batches).sum(),
            disk_bytes: self.disk_bytes(),
            reserve: self.config.segment_bytes.saturating_add(self.checkpoint_bytes),
            at_floor: self.is_at_floor(),
        }
    }

    /// Sets the alarms of the disk's share, and says when one begins or ends.
    fn alarm(&mut self, waiting_bytes: u64) {
        let max_bytes = self.config.max_bytes;
        let held = self.held_by_cursors().map_or(0, |bytes| bytes.saturating_add(waiting_bytes));
        let alarms = &mut self.standing.alarms;
        // They end lower than they begin, so that they are not told again and again.
        let over =
            |is_so: bool, begins: u64, ends: u64| held > max_bytes / 100 * if is_so { ends } else { begins };
        let nearly_full = over(alarms.nearly_full, 80, 70);
        alarms.almost_full = over(alarms.almost_full, 95, 90);
        let was = std::mem::replace(&mut alarms.nearly_full, nearly_full);
        alarms.behind = nearly_full.then(|| self.cursors.slowest()).flatten();
        let sink = alarms.behind.as_deref().unwrap_or_default();
        match (was, nearly_full) {
            (false, true) => {
                tracing::warn!(
                    sink,
                    held,
                    max_bytes,
                    "a sink is behind: it holds 80 % of the journal's share of the disk"
                );
            }
            (true, false) => {
                tracing::info!(
                    held,
                    max_bytes,
                    "sinks hold less than 70 % of the journal's share of the disk again"
                );
            }
            (true, true) | (false, false) => {}
        }
        let state_bytes = self.checkpoint_bytes;
        let fits = max_bytes / SEGMENTS_THAT_FIT >= state_bytes.saturating_add(state_bytes / RATIO);
        let enough = (!fits).then(|| state_bytes.saturating_mul((1 + RATIO) * SEGMENTS_THAT_FIT));
        if enough.is_some() != self.standing.alarms.too_small.is_some() {
            match enough {
                Some(enough) => {
                    tracing::error!(
                        state_bytes,
                        max_bytes,
                        enough,
                        "max_bytes is too small for the state: more is written of it than of records"
                    );
                }
                None => {
                    tracing::info!(state_bytes, max_bytes, "max_bytes is large enough for the state again");
                }
            }
        }
        self.standing.alarms.too_small = enough;
    }

    /// Bytes from the segment on that the slowest cursor is in; nothing while more may be registered.
    fn held_by_cursors(&self) -> Option<u64> {
        let lowest = self.cursors.deletable_before()?;
        let mut held = 0;
        for (listed, next) in self.segments.iter().zip(self.segments.iter().skip(1).map(Some).chain([None])) {
            if next.is_none_or(|next| next.first > lowest) {
                held += listed.bytes + listed.index_bytes;
            }
        }
        Some(held)
    }
}
