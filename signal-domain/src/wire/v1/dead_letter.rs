//! The dead letter record: what was refused, why, and as much of it as is fit to publish.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DEAD_LETTER;
use crate::{
    Account, Encoding, Reason, Refusal, RefusedPayload, Stage, ids,
    wire::{Open, WireError, payload, text},
};

/// A dead letter on the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterV1<'a> {
    /// See [`crate::ids::dead_letter_id`].
    pub id: Uuid,
    /// Where it was refused.
    pub stage: Open<Stage>,
    /// Why; a closed set.
    #[serde(with = "text")]
    pub reason: Reason,
    /// The error, in words.
    #[serde(borrow)]
    pub detail: Cow<'a, str>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whose event.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Which event.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub source_event_id: Option<Cow<'a, str>>,
    /// The bytes as text, at most [`crate::wire::PUBLISHED_PAYLOAD_MAX`]; absent when none were kept.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Cow<'a, str>>,
    /// How `payload` is encoded, unless it is the bytes themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_encoding: Option<Open<Encoding>>,
    /// SHA-256 of the whole payload, lower-case hex; absent when its bytes were not kept.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Cow<'a, str>>,
    /// Bytes of the whole payload; more than `payload` holds when that was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The journal position of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// When it arrived, ns since 1970.
    pub received_at_ns: u64,
}

impl<'a> DeadLetterV1<'a> {
    /// Appends the record as one JSON object, without a newline.
    pub fn encode(&self, out: &mut Vec<u8>) {
        crate::wire::encode(self, out);
    }

    /// Reads a record; keys it does not know are ignored.
    ///
    /// # Errors
    /// [`WireError::Json`] when it is not JSON, not of this shape, or has a reason outside the closed set.
    pub fn decode(json: &'a [u8]) -> Result<Self, WireError> {
        crate::wire::decode(DEAD_LETTER, json)
    }

    /// The bytes that were published; `None` when there are none.
    ///
    /// # Errors
    /// [`WireError::Payload`] for an encoding this version does not know, or a text that is not encoded so.
    pub fn payload(&self) -> Result<Option<Cow<'_, [u8]>>, WireError> {
        match &self.payload {
            None => Ok(None),
            Some(text) => payload::decoded_payload(text, self.payload_encoding.as_ref()).map(Some),
        }
    }
}

impl<'a> From<&Refusal<'a>> for DeadLetterV1<'a> {
    /// The published form: the payload is cut, `sha256`, `length` and `position` speak of the whole.
    fn from(refusal: &Refusal<'a>) -> Self {
        let (payload, payload_encoding, sha256, length) = match refusal.payload {
            RefusedPayload::Kept(bytes) => {
                let (text, encoding) = payload::capped_payload(bytes);
                (Some(text), encoding, Some(ids::sha256_hex(bytes).into()), bytes.len() as u64)
            }
            RefusedPayload::Dropped { length } => (None, None, None, length),
        };
        Self {
            id: refusal.id(),
            stage: refusal.stage.into(),
            reason: refusal.reason,
            detail: refusal.detail.into(),
            attempts: refusal.attempts,
            account: refusal.account,
            source_event_id: refusal.source_event_id.map(Cow::Borrowed),
            payload,
            payload_encoding,
            sha256,
            length: Some(length),
            position: refusal.position,
            received_at_ns: refusal.received_at_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka's brokers take as one record by default (`message.max.bytes`), its envelope included.
    const RECORD_MAX: usize = 1_048_588;

    /// The topic of the dead letters must take every one of them: there is nowhere else to put it.
    #[test]
    fn the_largest_payload_fits_a_topic_as_it_is_made_by_default() {
        let length = 9 << 20;
        let detail = "\u{1}".repeat(4_096);
        // Escapes of 6, 2 and 1 bytes a character, characters of 3, and bytes that become base64.
        let payloads =
            ["\u{1}".repeat(length), "\"".repeat(length), "x".repeat(length), "€".repeat(length / 3)];
        let payloads = payloads.into_iter().map(String::into_bytes).chain([vec![0xff; length]]);
        for payload in payloads {
            let refusal = Refusal {
                stage: Stage::Publish,
                reason: Reason::RejectedBySink,
                detail: &detail,
                attempts: u32::MAX,
                account: Some(Account::from_bytes([0xff; 20])),
                source_event_id: Some(&detail),
                payload: RefusedPayload::Kept(&payload),
                position: Some(u64::MAX),
                received_at_ns: u64::MAX,
            };
            let (letter, mut line) = (DeadLetterV1::from(&refusal), Vec::new());
            letter.encode(&mut line);
            assert_eq!(letter.length, Some(payload.len() as u64));
            // Key, headers and the batch's head take a few hundred bytes.
            assert!(line.len() < RECORD_MAX / 3, "{} bytes", line.len());
        }
    }
}
