//! Waiting with an end, for what gives no event: other processes. The only clock of this crate.

use std::time::{Duration, Instant};

/// Asks until there is an answer, at growing pauses of at most 50 ms; nothing when there is none within `limit`. Asks at least once.
#[expect(
    clippy::disallowed_methods,
    reason = "a server in another process says by no event that it is ready"
)]
pub fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
