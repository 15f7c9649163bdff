//! What the journal did, as plain numbers. All only grow, but `segments`, `disk_bytes` and `unsynced_bytes`.

/// A snapshot of the journal's numbers since it was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Batches made readable.
    pub batches: u64,
    /// Writes that carried them: group commit makes this the smaller number.
    pub writes: u64,
    /// Bytes of those writes.
    pub bytes: u64,
    /// Successful fsyncs of batches.
    pub fsyncs: u64,
    /// How long they took: `fsync_micros[n]` counts those under `2^n` us (and at least `2^(n-1)`); the last takes the rest.
    pub fsync_micros: [u64; 24],
    /// Writes, fsyncs or new segments that failed.
    pub failures: u64,
    /// Attempts to go on in a new segment after a failure.
    pub retries: u64,
    /// Batches refused because the queue was full.
    pub refused_queue: u64,
    /// Batches refused because the journal's share of the disk was used up.
    pub refused_disk: u64,
    /// Damaged places found at the start.
    pub damage: u64,
    /// Bytes cut off as a torn tail at the start.
    pub torn_bytes: u64,
    /// Segments there are now.
    pub segments: u64,
    /// Segments made.
    pub segments_made: u64,
    /// Segments deleted.
    pub segments_deleted: u64,
    /// Deletions and index files that failed; tried again or done without.
    pub housekeeping_failures: u64,
    /// Bytes of all segments and index files now.
    pub disk_bytes: u64,
    /// Written or waiting, not durable yet.
    pub unsynced_bytes: u64,
}

impl Counters {
    pub(crate) fn fsynced(&mut self, took_ns: u64) {
        self.fsyncs += 1;
        let bits = u64::BITS - (took_ns / 1_000).leading_zeros();
        let last = self.fsync_micros.len() - 1;
        if let Some(bucket) = self.fsync_micros.get_mut((bits as usize).min(last)) {
            *bucket += 1;
        }
    }
}
