//! Version 1 of every record: signals, raw events, dead letters, gaps, states.
//!
//! Each type has `encode` (appends one JSON object, no newline) and `decode` (ignores unknown keys). They borrow what
//! they can, so that encoding a signal copies no text. The JSON Schema files (2020-12) are in `schemas/`, and here as
//! constants; a test holds them against these types.

mod dead_letter;
mod gap;
mod raw;
mod signal;
mod state;

pub use dead_letter::DeadLetterV1;
pub use gap::GapV1;
pub use raw::RawV1;
pub use signal::{ContextV1, MetadataV1, SignalV1};
pub use state::{InfluencerStateV1, MarketStateV1, RemovedStateV1, StateV1};

/// The name of the signal schema, in the record's `schema` key and in headers.
pub const SIGNAL: &str = "signal.v1";
/// The name of the raw event schema, for headers.
pub const RAW: &str = "raw.v1";
/// The name of the dead letter schema, for headers.
pub const DEAD_LETTER: &str = "deadletter.v1";
/// The name of the gap schema, for headers.
pub const GAP: &str = "gap.v1";
/// The name of the state schema, for headers.
pub const STATE: &str = "state.v1";

/// Every schema: its name, and the JSON Schema document.
pub const SCHEMAS: [(&str, &str); 5] = [
    (SIGNAL, include_str!("../../schemas/signal.v1.schema.json")),
    (RAW, include_str!("../../schemas/raw.v1.schema.json")),
    (DEAD_LETTER, include_str!("../../schemas/deadletter.v1.schema.json")),
    (GAP, include_str!("../../schemas/gap.v1.schema.json")),
    (STATE, include_str!("../../schemas/state.v1.schema.json")),
];

/// For keys that are left out unless true.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
