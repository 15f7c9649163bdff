//! The process' two clocks, read here and nowhere else: monotonic for every decision, wall for labels.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic, as tokio's timers see it.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Nanoseconds since 1970. A clock before 1970 reads as 0.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the composition root's clock, for labels only")]
pub fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> u64 {
    wall_ns() / 1_000_000
}

/// Monotonic, on a thread without a runtime.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the composition root's clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}
