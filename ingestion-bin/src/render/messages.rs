//! Lines as messages of a topic: the value is the line, byte for byte as it would be in a file.
//!
//! Headers: `schema`, `id` and, where there is an id, `traceparent` (W3C): the trace is the id itself, so whoever has the line knows
//! its trace, after a restart and on another machine too. Raw events say their `eventType`.

use messaging::journal::Record;
use messaging::kafka::{Compose, Message};
use signal_domain::Uuid;

use super::labelled::Labelled;

/// Messages of these lines.
#[derive(Debug, Default)]
pub(crate) struct Messages<L>(pub(crate) L);

impl<L: Labelled> Compose for Messages<L> {
    fn compose(&mut self, record: &Record<'_>, message: &mut Message) -> bool {
        let Some(labels) = self.0.line(record, &mut message.value) else { return false };
        message.key.extend_from_slice(labels.key.as_bytes());
        (message.is_alone, message.is_tombstone) = (labels.is_alone, labels.is_tombstone);
        message.timestamp_ms = i64::try_from(labels.at_ms).unwrap_or(i64::MAX);
        message.headers.push(("schema", L::SCHEMA.into()));
        if let Some(id) = labels.id {
            message.headers.push(("id", id.to_string().into()));
            message.headers.push(("traceparent", traceparent(id).into()));
        }
        if let Some(event_type) = labels.event_type {
            message.headers.push(("eventType", event_type.as_str().into()));
        }
        true
    }
}

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
