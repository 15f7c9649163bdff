//! The raw event record: one per accepted event, with the venue's bytes untouched.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RAW;
use crate::{
    Account, Disposition, Encoding, EventType, Origin,
    wire::{Open, WireError, payload, text},
};

/// A raw event on the wire. Make `raw_payload` and `raw_encoding` with [`crate::wire::encoded_payload`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RawV1<'a> {
    /// See [`crate::ids::raw_event_id`].
    pub id: Uuid,
    /// The identity of the journal that holds it.
    pub journal: Uuid,
    /// Its position in that journal, increasing.
    pub position: u64,
    /// Whose event; absent where the venue does not say (an unknown channel).
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The influencer, when the account is followed.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub influencer_id: Option<Cow<'a, str>>,
    /// What it holds.
    pub event_type: Open<EventType>,
    /// Our name of the market.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Cow<'a, str>>,
    /// The id of the fill, or another key of [`crate::ids`].
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub source_event_id: Option<Cow<'a, str>>,
    /// The venue's bytes of this event, as text.
    #[serde(borrow)]
    pub raw_payload: Cow<'a, str>,
    /// How `raw_payload` is encoded, unless it is the payload itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_encoding: Option<Open<Encoding>>,
    /// Venue time, ms since 1970; absent where the venue does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// When the journal took it, ms since 1970.
    pub ingested_at: u64,
    /// When its bytes arrived, ns since 1970.
    pub received_at_ns: u64,
    /// Which listener brought it.
    #[serde(borrow)]
    pub listener: Cow<'a, str>,
    /// On which connection of this process; 0 for an answer of the info API.
    pub connection: u64,
    /// How it reached us.
    pub origin: Open<Origin>,
    /// What became of it.
    pub disposition: Open<Disposition>,
    /// The signal it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_id: Option<Uuid>,
}

impl<'a> RawV1<'a> {
    /// Appends the record as one JSON object, without a newline.
    pub fn encode(&self, out: &mut Vec<u8>) {
        crate::wire::encode(self, out);
    }

    /// Reads a record; keys it does not know are ignored.
    ///
    /// # Errors
    /// [`WireError::Json`] when it is not JSON or not of this shape.
    pub fn decode(json: &'a [u8]) -> Result<Self, WireError> {
        crate::wire::decode(RAW, json)
    }

    /// The venue's bytes.
    ///
    /// # Errors
    /// [`WireError::Payload`] for an encoding this version does not know, or a text that is not encoded so.
    pub fn payload(&self) -> Result<Cow<'_, [u8]>, WireError> {
        payload::decoded_payload(&self.raw_payload, self.raw_encoding.as_ref())
    }
}
