//! Lines as messages of a topic: the value is the line, byte for byte as it would be in a file.
//!
//! Headers: `schema`, `id` and, where there is an id, `traceparent` (W3C): the trace is the id itself, so whoever has the line knows
//! its trace, after a restart and on another machine too. Raw events say their `eventType`.

use messaging::journal::Record;
use messaging::kafka::{Compose, Message};
use signal_domain::Uuid;

use super::labelled::{Labelled, Labels};

/// Messages of these lines.
#[derive(Debug, Default)]
pub(crate) struct Messages<L>(pub(crate) L);

impl<L: Labelled> Compose for Messages<L> {
    fn compose(&mut self, record: &Record<'_>, message: &mut Message) -> bool {
        let Some(labels) = self.0.line(record, &mut message.value) else { return false };
        label::<L>(&labels, message);
        true
    }
}

/// A message of a line that was made before.
pub(crate) trait Again: Compose {
    /// Fills `message`, which is empty; `at_ms` where the line does not say when its record was made. False when this stream's lines are
    /// no messages without their records.
    fn again(&self, line: &[u8], at_ms: u64, message: &mut Message) -> bool;
}

impl<L: Labelled> Again for Messages<L> {
    fn again(&self, line: &[u8], at_ms: u64, message: &mut Message) -> bool {
        let Some(labels) = self.0.labels_of_line(line, at_ms) else { return false };
        message.value.extend_from_slice(line);
        label::<L>(&labels, message);
        true
    }
}

/// Puts beside a value what belongs there.
fn label<L: Labelled>(labels: &Labels<'_>, message: &mut Message) {
    message.key.extend_from_slice(labels.key.as_bytes());
    (message.is_alone, message.is_tombstone) = (labels.is_alone, labels.is_tombstone);
    message.timestamp_ms = i64::try_from(labels.at_ms).unwrap_or(i64::MAX);
    message.received_ns = labels.received_ns;
    message.headers.push(("schema", L::SCHEMA.into()));
    if let Some(id) = labels.id {
        message.headers.push((ID, id.to_string().into()));
        message.headers.push(("traceparent", traceparent(id).into()));
    }
    if let Some(event_type) = labels.event_type {
        message.headers.push(("eventType", event_type.as_str().into()));
    }
}

/// The id a message has, where it has one.
pub(crate) fn id_of(message: &Message) -> Option<&[u8]> {
    message.headers.iter().find(|(name, _)| *name == ID).map(|(_, id)| id.as_slice())
}

const ID: &str = "id";

/// Not sampled: nobody has recorded a span for it.
fn traceparent(id: Uuid) -> String {
    let (_, low) = id.as_u64_pair();
    // Zero is no span; a UUID's variant bits keep it from being that.
    format!("00-{}-{low:016x}-00", id.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_the_id() {
        let id = Uuid::parse_str("6ba7b811-9dad-11d1-80b4-00c04fd430c8").unwrap();
        assert_eq!(traceparent(id), "00-6ba7b8119dad11d180b400c04fd430c8-80b400c04fd430c8-00");
    }
}
