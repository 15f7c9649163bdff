//! Something refused, before it is written as a dead letter.

use uuid::Uuid;

use crate::{Account, Reason, Stage, ids};

/// A refusal with everything its dead letter says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal<'a> {
    /// Where it was refused.
    pub stage: Stage,
    /// Why.
    pub reason: Reason,
    /// The error, in words.
    pub detail: &'a str,
    /// How often it was tried.
    pub attempts: u32,
    /// Whose event, where that is known.
    pub account: Option<Account>,
    /// Which event, where that is known.
    pub source_event_id: Option<&'a str>,
    /// The bytes.
    pub payload: RefusedPayload<'a>,
    /// The journal position of the whole payload, once it has one.
    pub position: Option<u64>,
    /// When it arrived, ns since 1970.
    pub received_at_ns: u64,
}

/// The bytes of a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusedPayload<'a> {
    /// Kept, as they arrived.
    Kept(&'a [u8]),
    /// Not kept, only counted: a message over the size limit.
    Dropped {
        /// Its size in bytes, as far as it was announced or read.
        length: u64,
    },
}

impl Refusal<'_> {
    /// The dead letter's id: see [`ids`].
    pub fn id(&self) -> Uuid {
        let payload = match self.payload {
            RefusedPayload::Kept(bytes) => bytes,
            RefusedPayload::Dropped { .. } => &[],
        };
        ids::dead_letter_id(
            self.stage,
            self.reason,
            self.account,
            self.source_event_id,
            self.received_at_ns,
            payload,
        )
    }
}
