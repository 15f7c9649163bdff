//! What leaves the service: versioned JSON with types of its own, apart from the domain's.
//!
//! Version 1 only ever gains optional keys, and readers ignore keys they do not know. Keys are written in the order of
//! the contract, absent ones are left out, decimals are strings in plain notation without trailing zeros.

mod open;
mod payload;
mod text;
pub mod v1;

pub use open::Open;
pub use payload::{PUBLISHED_PAYLOAD_MAX, encoded_payload};

use serde::{Deserialize, Serialize};

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not JSON, or not of the record's shape.
    #[error("not a {schema} record")]
    Json {
        /// Which record was expected.
        schema: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A record of another schema.
    #[error("a {found:?} record where {schema} was expected")]
    OtherSchema {
        /// Which record was expected.
        schema: &'static str,
        /// What it says it is, cut to a length fit for a log line.
        found: Box<str>,
    },
    /// A payload whose encoding this version does not know, or that is not encoded so.
    #[error("the payload is not readable as {encoding:?}")]
    Payload {
        /// The encoding it names.
        encoding: Box<str>,
    },
}

/// Appends one JSON object, without a newline.
fn encode<T: Serialize>(record: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, record)
        .expect("a Vec takes every write, and no record holds a map with keys that are not strings");
}

fn decode<'a, T: Deserialize<'a>>(schema: &'static str, json: &'a [u8]) -> Result<T, WireError> {
    serde_json::from_slice(json).map_err(|source| WireError::Json { schema, source })
}
