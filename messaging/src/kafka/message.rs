//! What a record becomes on its way to a topic.

use crate::journal::Record;

/// One message, its parts reused from record to record.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// Decides the partition: messages of one key keep their order.
    pub key: Vec<u8>,
    /// The content.
    pub value: Vec<u8>,
    /// No other message has this key: it has no order to keep.
    pub is_alone: bool,
    /// The content is absent, not empty: a compacted topic forgets the key.
    pub is_tombstone: bool,
    /// By name, in order.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Unix ms.
    pub timestamp_ms: i64,
    /// When what it is made of was received, by the owner's clock. Stays here.
    pub received_ns: Option<u64>,
}

impl Message {
    /// As new, its memory kept.
    pub fn clear(&mut self) {
        self.key.clear();
        self.value.clear();
        self.headers.clear();
        (self.is_alone, self.is_tombstone) = (false, false);
        (self.timestamp_ms, self.received_ns) = (0, None);
    }

    /// Bytes of its parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.len() + self.value.len() + headers
    }
}

/// Makes messages of records, for one topic. Pure: the same record gives the same message, whoever asks.
pub trait Compose: Send {
    /// Fills `message`, which is empty. False when this record makes none; `message` is ignored then.
    fn compose(&mut self, record: &Record<'_>, message: &mut Message) -> bool;
}
