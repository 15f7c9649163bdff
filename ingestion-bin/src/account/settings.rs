//! What can be set about an account machine, with the design's defaults. Durations are of our own clock except
//! `margin_ms`, which is venue time.

use std::time::Duration;

/// Settings of one account machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How long a row that does not continue its chain waits for the one before it.
    pub hold: Duration,
    /// How long live rows wait for history after a blind time.
    pub repair_hold: Duration,
    /// Pause between two reads of one stream while nothing is amiss.
    pub sweep_interval: Duration,
    /// First read after the baseline.
    pub first_sweep: Duration,
    /// Pause between reads while a gap is open or a key is in doubt; also the least distance of two answers that
    /// count as separate witnesses.
    pub recheck: Duration,
    /// New rows of a stream after which it is read sooner.
    pub sweep_rows: usize,
    /// How far the venue's history may lag behind its sockets, venue milliseconds.
    pub margin_ms: i64,
    /// Keys kept per account; beyond it frames are refused until history certified enough to forget some.
    pub key_cap: usize,
    /// Held rows per account; beyond it frames are refused.
    pub held_cap: usize,
    /// Gaps kept per account; beyond it old unfillable ones are declared as one.
    pub gap_cap: usize,
    /// Rows of one read; then what was read is certified and the next read goes on from there.
    pub read_rows: usize,
    /// A page of one single millisecond with at least this many rows may be cut inside it.
    pub dense_rows: usize,
    /// Rows of one stream the venue's history keeps at least; what is older it forgets.
    pub history_rows: usize,
    /// An answer that did not come within this time is given up.
    pub ask_timeout: Duration,
    /// Waits before a question that was not answered is asked again.
    pub retry: Retry,
    /// How long a listener may lack a row another source showed before it is recycled.
    pub miss_after: Duration,
    /// How long a twin waits for history.
    pub twin_hold: Duration,
    /// How far ahead of the venue's clock a row is believed that one listener alone shows, venue milliseconds. More than
    /// that clock can lag behind while it moves.
    pub ahead_ms: i64,
    /// Without a move for so long the venue's clock says nothing about what is ahead of it.
    pub clock_fresh: Duration,
    /// Follow from this venue time instead of from now.
    pub start: Option<i64>,
    /// Whether the TWAP stream is followed.
    pub twap: bool,
}

/// Waits that double from `first` to `most`; `first` counts where it is the longer one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// After the first failure.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
}

impl Retry {
    /// The wait after one more failure than so many.
    pub(super) fn wait(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.most.max(self.first))
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Duration::from_secs(2), most: Duration::from_secs(30) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold: Duration::from_millis(500),
            repair_hold: Duration::from_secs(5),
            sweep_interval: Duration::from_secs(300),
            first_sweep: Duration::from_secs(90),
            recheck: Duration::from_secs(30),
            sweep_rows: 1_500,
            margin_ms: 120_000,
            key_cap: 200_000,
            held_cap: 50_000,
            gap_cap: 1_000,
            read_rows: 20_000,
            dense_rows: 500,
            history_rows: 10_000,
            ask_timeout: Duration::from_secs(60),
            retry: Retry::default(),
            miss_after: Duration::from_secs(5),
            twin_hold: Duration::from_secs(180),
            ahead_ms: 300_000,
            clock_fresh: Duration::from_secs(120),
            start: None,
            twap: true,
        }
    }
}

impl Settings {
    /// S4: two reads of one stream do not follow each other faster; the pause doubles three times while they follow at
    /// once.
    pub(super) fn pause(&self) -> Duration {
        self.recheck / 20
    }

    /// C4: as far apart are reads that count as two, our milliseconds; a little less than what is waited between them.
    pub(super) fn apart_ms(&self) -> u64 {
        u64::try_from(self.recheck.as_millis() * 5 / 6).unwrap_or(u64::MAX)
    }

    /// S4: a stream that was not read for so long has rested.
    pub(super) fn rest(&self) -> Duration {
        self.recheck / 2
    }
}
