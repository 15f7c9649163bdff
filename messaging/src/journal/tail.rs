//! The end of the newest segment: where it stops being durable for sure, and how far it is whole.

use std::io;

use super::format::Salt;
use super::scan::{Scan, Step};
use super::segment;
use super::window::{Bytes, Window};

/// Where the part begins that no mark covers: its offset, and the position in front of it.
pub(crate) fn find(mut scan: Scan, first: u64, headless: bool) -> io::Result<(u64, u64)> {
    if headless {
        // Its checkpoint lies in the way, of unknown size.
        scan.resync()?;
    }
    let begin = scan.place();
    let durable = segment::largest_mark(&mut scan)?.unwrap_or(first).max(first);
    scan.restore(begin);
    loop {
        if scan.end() >= durable {
            return Ok((scan.offset(), scan.end()));
        }
        if !scan.pass_batch()? {
            // Nothing good is left, and what is missing lies below a mark.
            return Ok((scan.offset(), scan.end()));
        }
    }
}

/// How many of these bytes are whole batches, one behind the other, and the position behind them.
pub(crate) fn whole_batches(tail: &[u8], base: u64, end: u64, salt: Salt) -> (usize, u64) {
    let mut scan = Scan::new(Window::new(Box::new(Bytes { bytes: tail.to_vec(), base })), salt, base, end);
    let mut good = (base, end);
    loop {
        if scan.between_batches() {
            good = (scan.offset(), scan.end());
        }
        match scan.next() {
            Ok(Step::Record(_)) => {}
            Ok(Step::Bad(_) | Step::Broken | Step::End) | Err(_) => break,
        }
    }
    (usize::try_from(good.0 - base).unwrap_or(0), good.1)
}
