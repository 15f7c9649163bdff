//! What a record means to a stream: the line it makes, and how that line is recognised when it is read back.

use crate::journal::Record;

/// Makes lines of records, for one stream.
///
/// Rendering must be a pure function of the records given so far: the same journal gives the same lines, byte for
/// byte, or a restart could write a line twice. A record is given at most once by each run.
pub trait Render: Send {
    /// Appends the line of `record` to `line`, without a line break, and says what identifies it. `None` when this
    /// record makes no line in this stream; `line` is ignored then.
    ///
    /// A line is not empty and holds neither a line feed nor a NUL byte (JSON escapes both).
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey>;

    /// The key of a line as it was stored, now or by an earlier version; `None` when it is none of ours.
    ///
    /// For every line ever rendered it must give the key `render` gave.
    fn key_of_line(&self, line: &[u8]) -> Option<LineKey>;
}

/// The identity of a line. A stream never holds one twice.
///
/// Streams whose lines have an id that is unique for ever (a signal's) leave epoch and seq at 0; where an id comes back
/// by design (every change of one gap), epoch and seq tell the lines apart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LineKey {
    /// The bytes of the id, for example of a UUID.
    pub id: [u8; 16],
    /// Which life of the writer the line comes from, where it matters.
    pub epoch: u64,
    /// Its number in that life, where it matters.
    pub seq: u64,
}

impl LineKey {
    /// A key that is the id alone.
    #[must_use]
    pub const fn of_id(id: [u8; 16]) -> Self {
        Self { id, epoch: 0, seq: 0 }
    }
}
