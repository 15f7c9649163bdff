//! A file sink that may be wrong in one way, to see whether the judge finds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use messaging::journal::{Origin, Record};
use messaging::sink::{Delivered, FileSink, LineKey, Render, Sink, SinkError, Tally};

use crate::rig::Lie;
use crate::sink_support::Numbers;

/// Bugs planted to see whether the judge finds them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Bug {
    #[default]
    None,
    /// The storage lies, as for a sink that never asked.
    Lying(Lie),
    /// The sink says delivered, and writes one call later.
    EarlyAck,
    /// The lines found at a start are not remembered.
    NoMemory,
}

/// Forgets what it is shown while it is told to.
pub(super) struct Forgetful {
    pub(super) numbers: Numbers,
    pub(super) forget: Arc<AtomicBool>,
}

impl Render for Forgetful {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.numbers.render(record, line)
    }
    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        if self.forget.load(Ordering::SeqCst) { None } else { self.numbers.key_of_line(line) }
    }
}

pub(super) struct Acked {
    pub(super) sink: FileSink<Forgetful>,
    pub(super) early: bool,
    pub(super) calls: u64,
}

impl Sink for Acked {
    fn resume(&mut self, origin: Origin, position: u64, end: u64) -> u64 {
        self.sink.resume(origin, position, end)
    }
    fn accept(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        self.sink.accept(record)
    }
    fn waiting_bytes(&self) -> usize {
        if self.early { 0 } else { self.sink.waiting_bytes() }
    }
    fn flush(&mut self, now: Instant) -> Result<Delivered, SinkError> {
        self.calls += 1;
        if self.early && self.calls % 2 == 1 { Ok(Delivered::All) } else { self.sink.flush(now) }
    }
    fn tally(&self) -> Tally {
        self.sink.tally()
    }
}
