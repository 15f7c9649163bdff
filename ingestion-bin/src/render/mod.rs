//! Lines out of records: `signal.v1`, `raw.v1`, `gap.v1`, `state.v1`, `deadletter.v1`.
//!
//! Pure: the same record gives the same bytes, whoever asks (a file sink, `replay`, `raw`), today or after a restart with another
//! configuration. A fill is read again from the venue's bytes by the same decoder that accepted it.

mod dead_letters;
mod events;
mod gaps;
mod labelled;
mod line_key;
#[cfg(feature = "kafka")]
mod messages;
mod raw;
mod signals;
mod states;

pub use dead_letters::DeadLetterLines;
pub use gaps::GapLines;
pub use raw::{RawFilter, RawLines};
pub use signals::SignalLines;
pub use states::StateLines;

pub(crate) use events::{EventReader, gap_id, gap_kind, venue_ms};
pub(crate) use labelled::Labelled;
#[cfg(feature = "kafka")]
pub(crate) use messages::{Again, Messages, id_of};
