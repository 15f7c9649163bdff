//! What a live frame was beside what other listeners had shown before: the material that lag is measured from.
//!
//! Copies are found where they are dropped, so this costs a comparison a row and no memory. Snapshots measure nothing (they show what is
//! old), nor do rows that history knew before any listener showed them.

use std::time::Duration;

/// Of one frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Showing {
    /// It showed a row that nobody had shown before.
    pub first: bool,
    /// How long after another listener it showed a row, for the first time on this one: the longest of its rows, whole milliseconds.
    /// `None`: it held no such copy.
    pub behind: Option<Duration>,
}

impl Showing {
    pub(super) fn note_copy(&mut self, behind_ms: u64) {
        self.behind = self.behind.max(Some(Duration::from_millis(behind_ms)));
    }
}
