//! The gap record: where events may be missing, and what became of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::GAP;
use crate::{
    Decimal, GapKind, GapState, InfluencerId, ids,
    wire::{Open, WireError, text},
};

/// A gap on the wire. Each change of its state is a new record with the same `gap_id`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GapV1<'a> {
    /// See [`crate::ids::gap_id`].
    pub gap_id: Uuid,
    /// The writer's epoch; records of lower epochs are void after a `reset`.
    pub epoch: u64,
    /// Whose events.
    #[serde(borrow)]
    pub influencer_id: Cow<'a, str>,
    /// In which market; absent when in all.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Cow<'a, str>>,
    /// Why events may be missing.
    pub kind: Open<GapKind>,
    /// What is known about it.
    pub state: Open<GapState>,
    /// Venue time from which events may be missing, ms since 1970.
    pub from_time: u64,
    /// Venue time up to which, ms since 1970.
    pub to_time: u64,
    /// The signed position the next fill should have started from.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub start_expected: Option<Decimal>,
    /// The signed position it did start from.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub start_found: Option<Decimal>,
    /// The signed size that is missing: found minus expected.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub missing: Option<Decimal>,
    /// The contents that disagree, as the venue wrote them.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Vec<Cow<'a, str>>>,
    /// When it was opened, ms since 1970, by our wall clock.
    pub opened_at: u64,
    /// When it was closed, ms since 1970, by our wall clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<u64>,
}

impl<'a> GapV1<'a> {
    /// The record that opens an epoch for an influencer: gaps of lower epochs are void, those still open follow. `at` is
    /// the epoch's begin, ms since 1970. Its `kind` is `outage`, as for any time without a writer.
    pub fn reset(influencer: &'a InfluencerId, epoch: u64, at: u64) -> Self {
        Self {
            gap_id: ids::reset_id(influencer, epoch),
            epoch,
            influencer_id: influencer.as_str().into(),
            market: None,
            kind: GapKind::Outage.into(),
            state: GapState::Reset.into(),
            from_time: at,
            to_time: at,
            start_expected: None,
            start_found: None,
            missing: None,
            contents: None,
            opened_at: at,
            closed_at: None,
        }
    }

    /// Appends the record as one JSON object, without a newline.
    pub fn encode(&self, out: &mut Vec<u8>) {
        crate::wire::encode(self, out);
    }

    /// Reads a record; keys it does not know are ignored.
    ///
    /// # Errors
    /// [`WireError::Json`] when it is not JSON or not of this shape.
    pub fn decode(json: &'a [u8]) -> Result<Self, WireError> {
        crate::wire::decode(GAP, json)
    }
}
