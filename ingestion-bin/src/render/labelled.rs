//! What stands beside a line on its way to a topic: key, headers, time.

use std::borrow::Cow;

use messaging::journal::Record;
use signal_domain::{EventType, Uuid};

/// Beside one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Labels<'a> {
    /// Lines of one key keep their order.
    pub(crate) key: Cow<'a, str>,
    /// No other line has this key.
    pub(crate) is_alone: bool,
    /// The line's id, where it has one.
    pub(crate) id: Option<Uuid>,
    /// Of a raw event.
    pub(crate) event_type: Option<EventType>,
    /// When the record was made, unix ms.
    pub(crate) at_ms: u64,
    /// The key has no value any more.
    pub(crate) is_tombstone: bool,
    /// When the bytes it is made of were read, unix ns, where that is of interest.
    pub(crate) received_ns: Option<u64>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(key: impl Into<Cow<'a, str>>, id: impl Into<Option<Uuid>>, at_ms: u64) -> Self {
        let (key, id) = (key.into(), id.into());
        Self { key, is_alone: false, id, event_type: None, at_ms, is_tombstone: false, received_ns: None }
    }
}

/// Lines with their labels. Pure, as [`messaging::sink::Render`] wants it.
pub(crate) trait Labelled: Send {
    /// The name of the lines' schema.
    #[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "only a topic has headers"))]
    const SCHEMA: &'static str;

    /// Appends the line of `record`; `None` when it makes none.
    fn line<'r>(&mut self, record: &Record<'r>, line: &mut Vec<u8>) -> Option<Labels<'r>>;

    /// The labels of a line made before, as far as the line tells them; `at_ms` where it does not tell when its record was made. `None`
    /// where a line is worth nothing without its record.
    #[cfg(feature = "kafka")]
    fn labels_of_line(&self, line: &[u8], at_ms: u64) -> Option<Labels<'static>> {
        let _ = (line, at_ms);
        None
    }
}
