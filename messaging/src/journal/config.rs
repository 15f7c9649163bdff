//! What a journal is told at the start.

use std::time::Duration;

/// When a group of batches is made durable.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Fsync {
    /// When the queue is empty, or `fsync_interval` after the oldest write that is not durable.
    #[default]
    Batch,
    /// After every write.
    Always,
}

/// The journal's settings. Every bound is in bytes unless it says otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalConfig {
    /// See [`Fsync`].
    pub fsync: Fsync,
    /// See [`Fsync::Batch`].
    pub fsync_interval: Duration,
    /// A segment whose batches would be more than this, and than four times its checkpoint, is followed by a new one; sooner
    /// where `max_bytes` asks for it.
    pub segment_bytes: u64,
    /// The share of the disk: all files of the journal. At least four segments. A reserve of one segment and one checkpoint lies
    /// above it, and what the two newest segments need where they do not fit.
    pub max_bytes: u64,
    /// Segments all of whose records are older are deleted even when there is room; `None` keeps them.
    pub retention: Option<Duration>,
    /// What may wait for the disk, the part that is written but not durable included.
    pub queue_bytes: usize,
    /// The same in batches.
    pub queue_batches: usize,
    /// A bug put in on purpose.
    #[cfg(test)]
    pub(crate) sabotage: Option<Sabotage>,
}

/// Bugs the model test must notice.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sabotage {
    /// After a failed fsync, fsync again and believe it.
    TrustRetriedFsync,
    /// The checkpoint of a new segment also holds what is only written.
    CheckpointAhead,
    /// A new segment gets its name before the records are in it.
    NameFirst,
    /// A start believes the tail without writing it again.
    TailNotRewritten,
    /// A run goes on at the position behind the last one that is left.
    NoLeap,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            fsync: Fsync::Batch,
            fsync_interval: Duration::from_millis(10),
            segment_bytes: 64 << 20,
            max_bytes: 8 << 30,
            retention: None,
            queue_bytes: 64 << 20,
            // Frames of one fill come one by one: three seconds of a slow disk at 5,000 a second.
            queue_batches: 16_384,
            #[cfg(test)]
            sabotage: None,
        }
    }
}

/// A setting that cannot work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Two good checkpoints, the segment being written and one to delete must fit.
    #[error("max_bytes {max_bytes} is less than four segments of {segment_bytes}")]
    MaxBytes {
        /// As given.
        max_bytes: u64,
        /// As given.
        segment_bytes: u64,
    },
    /// A bound of zero takes nothing.
    #[error("{0} must not be 0")]
    Zero(&'static str),
}

impl JournalConfig {
    /// Whether it can work at all.
    ///
    /// # Errors
    /// The first setting that cannot.
    pub fn check(&self) -> Result<(), ConfigError> {
        let zeros = [
            ("segment_bytes", self.segment_bytes == 0),
            ("queue_bytes", self.queue_bytes == 0),
            ("queue_batches", self.queue_batches == 0),
        ];
        if let Some((name, _)) = zeros.iter().find(|(_, zero)| *zero) {
            return Err(ConfigError::Zero(name));
        }
        if self.max_bytes / 4 < self.segment_bytes {
            return Err(ConfigError::MaxBytes {
                max_bytes: self.max_bytes,
                segment_bytes: self.segment_bytes,
            });
        }
        Ok(())
    }
}
