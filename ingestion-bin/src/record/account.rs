//! Between the account machine's records and the journal's bodies.

use serde::{Deserialize, Serialize};
use signal_domain::EventType;

use super::body::{AccountBody, Change, EventBody, Stamp, Told};
use super::shown::ContextBody;
use crate::account::{Event, Origin, Record};

/// How a row's bytes are to be read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RowKind {
    /// A fill.
    Fill,
    /// A slice in its `{fill,twapId}` wrapper.
    Slice,
}

impl RowKind {
    /// What its raw event is called.
    #[must_use]
    pub const fn event_type(self) -> EventType {
        match self {
            Self::Fill => EventType::Fill,
            Self::Slice => EventType::TwapFill,
        }
    }
}

/// What a row carries through the machine: the venue's bytes and how they came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// How to read the bytes.
    pub row: RowKind,
    /// The venue's bytes of this row, untouched.
    pub raw: Box<[u8]>,
    /// When they arrived, ns.
    pub received_at_ns: u64,
    /// Which listener; 255 is the info API.
    pub listener: u8,
    /// Which connection; 0 for the info API.
    pub connection: u64,
}

/// What a record says besides what the machine knows.
#[derive(Clone, Debug, Default)]
pub struct Beside<'a> {
    /// The venue's clock, ms, where it was seen.
    pub venue_ms: Option<u64>,
    /// Of a gap; one without it makes no body.
    pub told: Option<Told>,
    /// Of a signal that replaces another.
    pub supersedes_signal: Option<[u8; 16]>,
    /// Of a signal: what the venue had shown of the account.
    pub context: Option<ContextBody<'a>>,
}

impl<'a> AccountBody<'a> {
    /// The body of a machine's record, or `None` for one that travels as a refusal.
    #[must_use]
    pub fn of(stamp: Stamp<'a>, record: &'a Record<Arrival>, beside: Beside<'a>) -> Option<Self> {
        let change = match record {
            Record::Epoch { fresh, margin_ms, twap, .. } => {
                Change::Epoch { fresh: *fresh, margin_ms: *margin_ms, twap: *twap }
            }
            Record::Baseline { stream, at, anchor } => {
                let made_at_ms = beside.venue_ms.unwrap_or(stamp.at_ms);
                Change::Baseline { stream: *stream, at: *at, anchor: *anchor, made_at_ms }
            }
            Record::Heard { from } => Change::Heard { from: *from },
            Record::Event(event) => {
                let body = event_body(event, beside.supersedes_signal);
                Change::Event(EventBody { context: beside.context, ..body })
            }
            Record::Gap(gap) => Change::Gap { gap: gap.clone(), told: beside.told? },
            Record::Absorbed { gap } => Change::Absorbed { gap: gap.clone() },
            Record::Certified { stream, to, anchor } => {
                Change::Certified { stream: *stream, to: *to, anchor: *anchor }
            }
            Record::Removed => Change::Removed,
            Record::Refused { .. } => return None,
        };
        Some(Self { stamp, change })
    }
}

pub(crate) fn event_body(event: &Event<Arrival>, supersedes_signal: Option<[u8; 16]>) -> EventBody<'_> {
    EventBody {
        key: event.key,
        digest: event.digest,
        market: event.market.clone(),
        stream: event.stream,
        time: event.time,
        link: event.link,
        fate: event.fate,
        origin: match event.origin {
            Origin::Live => 0,
            Origin::Snapshot => 1,
            Origin::Backfill => 2,
        },
        late: event.late,
        seq: event.seq,
        more: event.more,
        gap: event.gap.clone(),
        revision: event.revision,
        supersedes: event.supersedes,
        supersedes_signal,
        row: event.payload.row,
        received_at_ns: event.payload.received_at_ns,
        listener: event.payload.listener,
        connection: event.payload.connection,
        context: None,
        raw: &event.payload.raw,
    }
}

/// The machine's record again, without what only lines need: what a ledger folds.
#[must_use]
pub fn fold_record(body: &AccountBody<'_>) -> Record<()> {
    match &body.change {
        Change::Epoch { fresh, margin_ms, twap } => {
            Record::Epoch { epoch: body.stamp.epoch, fresh: *fresh, margin_ms: *margin_ms, twap: *twap }
        }
        Change::Baseline { stream, at, anchor, .. } => {
            Record::Baseline { stream: *stream, at: *at, anchor: *anchor }
        }
        Change::Heard { from } => Record::Heard { from: *from },
        Change::Event(event) => Record::Event(Event {
            key: event.key,
            digest: event.digest,
            market: event.market.clone(),
            stream: event.stream,
            time: event.time,
            link: event.link,
            fate: event.fate,
            origin: match event.origin {
                0 => Origin::Live,
                1 => Origin::Snapshot,
                _ => Origin::Backfill,
            },
            late: event.late,
            seq: event.seq,
            more: event.more,
            gap: event.gap.clone(),
            revision: event.revision,
            supersedes: event.supersedes,
            payload: (),
        }),
        Change::Gap { gap, .. } => Record::Gap(gap.clone()),
        Change::Absorbed { gap } => Record::Absorbed { gap: gap.clone() },
        Change::Certified { stream, to, anchor } => {
            Record::Certified { stream: *stream, to: *to, anchor: *anchor }
        }
        Change::Removed => Record::Removed,
    }
}
