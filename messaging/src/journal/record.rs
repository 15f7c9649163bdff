//! What the journal moves: opaque bodies with the few labels it can be searched by.

use std::io;

/// The `time` of a record that has none; such a record is in no time span.
pub const NO_TIME: i64 = i64::MIN;

/// A record as the journal holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// Its number; unique in the journal's whole life, increasing, not always by one.
    pub position: u64,
    /// The owner's label for what the body is.
    pub kind: u8,
    /// The owner's label for who works on it.
    pub partition: u8,
    /// What it is about, as a hash; records are found by it.
    pub key: u64,
    /// Venue time in ms, or [`NO_TIME`]. Never compared with a clock here.
    pub time: i64,
    /// The owner's bytes.
    pub body: &'a [u8],
}

/// A record before it has a position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewRecord<'a> {
    /// See [`Record::kind`].
    pub kind: u8,
    /// See [`Record::partition`].
    pub partition: u8,
    /// See [`Record::key`].
    pub key: u64,
    /// See [`Record::time`].
    pub time: i64,
    /// At most 64 MiB.
    pub body: &'a [u8],
}

/// How far above `max_bytes` a batch may still be taken. A batch has the class of its *least* urgent record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// What the journal is for; refused once the disk's share is used up.
    Event,
    /// Dead letters, gaps, epochs: also from the reserve of one segment.
    Control,
    /// What a stuck cursor waits for, and what was accepted before it: taken whatever the disk's share. Its producer bounds it: it
    /// accepts nothing new while [`Appender::is_disk_full`](super::Appender::is_disk_full).
    Unblock,
}

/// What the records up to a position add up to. The writer keeps one exactly at `synced` and saves it as a checkpoint
/// in front of every segment, so a start reads the end of the journal only.
///
/// The same records in the same order must give the same state, and `restore(save(x))` must be `x`.
pub trait Fold: Send + 'static {
    /// Takes the next record.
    fn apply(&mut self, record: &Record<'_>);

    /// The same; names besides to `add` what the record is to be found by ([`Query::labels`](super::Query::labels)): of one record the
    /// same for ever.
    fn apply_labelled(&mut self, record: &Record<'_>, add: &mut dyn FnMut(u64)) {
        let _ = add;
        self.apply(record);
    }

    /// Is told, in its place between the records, that the positions `from..to` cannot be read any more.
    fn damage(&mut self, from: u64, to: u64) {
        let _ = (from, to);
    }

    /// Writes the state's bytes, piece by piece: they go into the segment as they come, so that a large state is never in memory twice.
    ///
    /// # Errors
    /// What `out` answers, as it is.
    fn save(&self, out: &mut dyn io::Write) -> io::Result<()>;
}
