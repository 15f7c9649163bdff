//! What a failed delivery means. Unlisted codes are of the kind that passes: the record is sent again.

use rdkafka::types::RDKafkaErrorCode as Code;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Something about the record, or about one in its batch.
    Record,
    /// Something about the topic: every record of it would meet the same, so none is at fault and all wait.
    Topic,
    /// Something that passes.
    Passing,
}

pub(super) fn of(code: Code) -> Refusal {
    let record = matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::PolicyViolation
            | Code::UnsupportedForMessageFormat
    );
    let topic = matches!(
        code,
        Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
    );
    match (record, topic) {
        (true, _) => Refusal::Record,
        (false, true) => Refusal::Topic,
        (false, false) => Refusal::Passing,
    }
}

/// Whether a failure only follows from another one, which is reported too.
pub(super) fn is_consequence(code: Code) -> bool {
    matches!(
        code,
        Code::PurgeQueue
            | Code::PurgeInflight
            | Code::Fatal
            | Code::GaplessGuarantee
            | Code::InvalidDifferentRecord
    )
}

/// A code in words, for a log line and a dead letter.
pub(super) fn told(code: Code) -> String {
    code.to_string()
}
