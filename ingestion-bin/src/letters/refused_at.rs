//! What the detail of a dead letter `rejected_by_sink` says, written and read in one place: the letter has no field for it.

use std::fmt;

/// The record that a topic refused.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RefusedAt {
    /// Its position in the journal.
    pub position: u64,
    /// Who refused it.
    pub topic: String,
}

const REFUSES: &str = " refuses position ";
const TOPIC: &str = "topic ";

impl RefusedAt {
    /// The detail of its letter; `target` is as sinks call it.
    pub(crate) fn detail(target: &str, position: u64, why: impl fmt::Display) -> String {
        format!("{target}{REFUSES}{position}: {why}")
    }

    /// Reads a detail; `None` where it speaks of no topic.
    #[must_use]
    pub fn of_detail(detail: &str) -> Option<Self> {
        let (target, rest) = detail.split_once(REFUSES)?;
        let (position, _) = rest.split_once(':')?;
        Some(Self { position: position.parse().ok()?, topic: target.strip_prefix(TOPIC)?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let detail = RefusedAt::detail("topic a.b-c", 1_790_000_000_123, "Broker: it is: too large");
        assert_eq!(detail, "topic a.b-c refuses position 1790000000123: Broker: it is: too large");
        let refused = RefusedAt { position: 1_790_000_000_123, topic: "a.b-c".to_owned() };
        assert_eq!(RefusedAt::of_detail(&detail), Some(refused));
        for other in ["", "topic t refuses", "pipe refuses position 1: x", "topic t refuses position x: y"] {
            assert_eq!(RefusedAt::of_detail(other), None, "{other}");
        }
    }
}
