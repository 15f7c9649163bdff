//! Sinks follow the journal: each is a cursor over its durable part and a place where what was read is put.
//!
//! - [`Render`] says what line a record makes in a stream; everything else here moves bytes.
//! - [`FileSink`] writes the lines into files that are their own cursor: no line is missing, none is there twice,
//!   whatever was killed when. [`StdoutSink`] writes them to a pipe, [`PausedSink`] only keeps its place.
//! - [`Pump`] moves records from the journal into a sink, keeps the cursor and bears failures; it has no thread and no
//!   clock. [`SinkThread`] runs one.
//! - [`lines`] reads stored lines back, also while they are written.
//!
//! Order of durability: a record is synced in the journal, then its line is fsynced, then the cursor is stored. So a
//! stored cursor is never in front of its lines, and lines are never in front of the journal.
//! Not here: retries against the journal's own disk, what a lost position means (the [`Owner`] is asked), and any
//! reading of a line's content.

mod backoff;
mod error;
mod file_sink;
mod line_file;
pub mod lines;
mod names;
mod owner;
mod paused_sink;
mod pump;
mod recent;
mod recovery;
mod render;
mod saver;
mod status;
mod stdout_sink;
mod thread;

pub use error::{Rejected, SinkError};
pub use file_sink::{FileSink, FileSinkConfig};
pub use owner::{Hole, Owner, Verdict};
pub use paused_sink::PausedSink;
pub use pump::{Next, Pump, PumpConfig};
pub use render::{LineKey, Render};
pub use status::{SinkFailing, SinkStatus, SinkWatch, Tally};
pub use stdout_sink::StdoutSink;
pub use thread::{Ended, SinkThread};

use std::sync::Arc;
use std::time::Instant;

use crate::journal::{Origin, Record};

/// How many of the newest lines a [`FileSink`] knows by their keys at least, and how many may be written past the
/// stored cursor at most. What a crash can make the journal offer again is therefore always recognised.
pub const REMEMBERED: usize = 10_000;

/// How much of what a sink accepted is delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivered {
    /// Everything.
    All,
    /// Everything of records before this position; the rest is on its way, and the sink rings ([`Sink::rings`]) when some of it arrived.
    Before(u64),
}

/// Rung by a sink that delivers while others work, from any thread.
pub type Ring = Arc<dyn Fn() + Send + Sync>;

/// Where records go.
///
/// A sink owns what it accepted until it is delivered: after an error nothing is lost, [`Sink::flush`] is simply
/// called again later.
pub trait Sink: Send {
    /// The position to go on at, given how its cursor got which `position`, and the durable `end` of the journal. What
    /// the target holds already may be offered again from there; it is not delivered twice if the target can tell.
    fn resume(&mut self, origin: Origin, position: u64, end: u64) -> u64 {
        let _ = (origin, end);
        position
    }

    /// Takes one record. What it makes of it may wait in memory until [`Sink::flush`].
    ///
    /// # Errors
    /// Only what makes going on pointless ([`SinkError::is_final`]); the record is not taken then.
    fn accept(&mut self, record: &Record<'_>) -> Result<(), SinkError>;

    /// Bytes accepted and not delivered.
    fn waiting_bytes(&self) -> usize;

    /// Delivers everything accepted, or goes on doing so, and says how far it is: what is delivered is as durable as the target makes it.
    /// `now` is the monotonic clock.
    ///
    /// # Errors
    /// Part or nothing was delivered. Unless [`SinkError::is_final`], call again later; what was delivered is not
    /// delivered again.
    fn flush(&mut self, now: Instant) -> Result<Delivered, SinkError>;

    /// Whom to ring when something arrived that [`Sink::flush`] did not wait for.
    fn rings(&mut self, ring: Ring) {
        let _ = ring;
    }

    /// The record at `position`, which the target refused for good ([`SinkError::Rejected`]), is kept elsewhere: it counts as delivered.
    fn pass(&mut self, position: u64) {
        let _ = position;
    }

    /// Its numbers.
    fn tally(&self) -> Tally;
}
