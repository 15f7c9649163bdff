//! The receive stamp: when bytes came off the socket, on two clocks.
//!
//! The wall clock is the caller's, read once per read of the socket; no decision in this crate rests on it.
//! The monotonic one is tokio's, so that tests under a paused clock see paused time.

use std::fmt;
use std::rc::Rc;
use std::time::Instant;

/// When a message's last byte was read from the socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Received {
    /// Nanoseconds since 1970 by the caller's [`WallClock`]; for the record only.
    pub unix_ns: u64,
    /// Monotonic, for every decision.
    pub at: Instant,
}

/// The wall clock of the process, given in by the composition root.
///
/// ```
/// use hyperliquid_client::io::WallClock;
/// let clock = WallClock::new(|| 1_790_000_000_431_000_000);
/// assert_eq!(clock.unix_ns(), 1_790_000_000_431_000_000);
/// ```
#[derive(Clone)]
pub struct WallClock(Rc<dyn Fn() -> u64>);

impl WallClock {
    /// A clock that calls `unix_ns` for nanoseconds since 1970.
    pub fn new(unix_ns: impl Fn() -> u64 + 'static) -> Self {
        Self(Rc::new(unix_ns))
    }

    /// Nanoseconds since 1970, now.
    #[must_use]
    pub fn unix_ns(&self) -> u64 {
        (self.0)()
    }

    /// The stamp of what arrives now.
    pub(crate) fn received(&self) -> Received {
        Received { unix_ns: self.unix_ns(), at: now() }
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// Monotonic now, as tokio's timers see it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
