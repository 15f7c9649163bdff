//! What the journal's records mean: their kinds, their bodies, their codec.
//!
//! A body is one version byte and a postcard document that borrows from the record. Everything a line of any stream needs is in
//! its record, so lines are a pure function of the journal. A reader that meets an unknown kind below 128 or an unknown version
//! refuses to go on: guessing here would be a wrong position somewhere else.

mod account;
mod body;
mod kind;
mod notice;
mod shown;
#[cfg(test)]
mod tests;

pub(crate) use account::event_body;
pub use account::{Arrival, Beside, RowKind, fold_record};
pub use body::{AccountBody, Body, Change, EventBody, RawBody, RefusalBody, RunBody, Stamp, Told};
pub use kind::Kind;
pub use notice::{InfluencerNotice, MarketNotice, Notice};
pub use shown::{ContextBody, DexShown, Held};

use messaging::journal::{NO_TIME, NewRecord, Record, label};
use signal_domain::Account;

/// The version of all bodies written by this build.
const VERSION: u8 = 3;

/// A record that this build cannot read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A kind that must be understood and is not.
    #[error("record {position} is of kind {kind}, which this build does not know")]
    Kind {
        /// Where.
        position: u64,
        /// Which.
        kind: u8,
    },
    /// A version that is not ours.
    #[error("record {position} has body version {version}, this build reads {VERSION}")]
    Version {
        /// Where.
        position: u64,
        /// Which.
        version: u8,
    },
    /// Bytes that do not decode although their checksum is right.
    #[error("record {position} does not decode: {source}")]
    Body {
        /// Where.
        position: u64,
        /// The codec's word.
        #[source]
        source: postcard::Error,
    },
}

/// Reads a record's body. `None` for kinds that may be ignored (128 and above) and are not known.
///
/// # Errors
///
/// When the record must be understood and cannot be.
pub fn decode<'a>(record: &Record<'a>) -> Result<Option<Body<'a>>, RecordError> {
    let position = record.position;
    if Kind::of(record.kind).is_none() {
        return if record.kind >= 128 {
            Ok(None)
        } else {
            Err(RecordError::Kind { position, kind: record.kind })
        };
    }
    match record.body.split_first() {
        Some((&VERSION, body)) => {
            postcard::from_bytes(body).map(Some).map_err(|source| RecordError::Body { position, source })
        }
        other => Err(RecordError::Version { position, version: other.map_or(0, |(version, _)| *version) }),
    }
}

/// Writes a body and gives it to `take` as a record ready for the journal. `scratch` is the caller's buffer.
pub fn encode<T>(body: &Body<'_>, scratch: &mut Vec<u8>, take: impl FnOnce(&NewRecord<'_>) -> T) -> T {
    let mut bytes = std::mem::take(scratch);
    bytes.clear();
    bytes.push(VERSION);
    *scratch = match postcard::to_extend(body, bytes) {
        Ok(written) => written,
        // A vector takes every byte, and no body has a length that is not known in advance.
        Err(error) => unreachable!("a body of plain fields always encodes: {error}"),
    };
    let account = body.account();
    take(&NewRecord {
        kind: body.kind() as u8,
        partition: account.map_or(0, |account| account.partition()),
        key: account.map_or(0, |account| key_of(&account)),
        time: body.time().unwrap_or(NO_TIME),
        body: scratch,
    })
}

/// What the journal's index finds a raw event by, besides its account: its market and its type.
pub fn labels(body: &Body<'_>) -> impl Iterator<Item = u64> + use<> {
    let (market, event_type) = match body {
        Body::Account(AccountBody { change: Change::Event(event), .. }) => {
            (Some(event.market.as_str()), Some(event.row.event_type().as_str()))
        }
        Body::Raw(raw) => (raw.market.as_deref(), Some(raw.event_type)),
        Body::Account(_)
        | Body::Refusal(_)
        | Body::Run(_)
        | Body::Spent { .. }
        | Body::Passed { .. }
        | Body::State { .. }
        | Body::Notice { .. }
        | Body::Adopted { .. } => (None, None),
    };
    market.map(label_of_market).into_iter().chain(event_type.map(label_of_type))
}

/// The journal's index label of a market, by our name.
#[must_use]
pub fn label_of_market(name: &str) -> u64 {
    label(name)
}

/// The journal's index label of an event type.
#[must_use]
pub fn label_of_type(name: &str) -> u64 {
    // No market has it: a name has no blank.
    label(" ") ^ label(name)
}

/// The journal's index key of an account.
#[must_use]
pub fn key_of(account: &Account) -> u64 {
    // The venue's own accounts differ in their last bytes only.
    account.as_bytes().last_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
