//! A sink that is switched off for a while: it keeps its place in the journal, and so the journal keeps what comes after
//! that place, until `max_bytes` says otherwise. Switched on again, it goes on there.

use std::sync::Arc;

use super::status::Board;
use super::{SinkStatus, SinkWatch};
use crate::journal::Cursor;

/// Holds a cursor and moves nothing.
#[derive(Debug)]
pub struct PausedSink {
    cursor: Cursor,
    board: Arc<Board>,
}

impl PausedSink {
    /// Keeps the place of `cursor`.
    #[must_use]
    pub fn new(cursor: Cursor) -> Self {
        let at = cursor.position();
        let status = SinkStatus { delivered: at, stored: at, paused: true, ..SinkStatus::default() };
        let board = Arc::new(Board::new(status, Arc::clone(&cursor.progress)));
        Self { cursor, board }
    }

    /// Its status: what waits for it is its lag.
    #[must_use]
    pub fn watch(&self) -> SinkWatch {
        SinkWatch::new(Arc::clone(&self.board))
    }

    /// Everything before it is delivered.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// Whether something durable waits for it.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.cursor.position() < self.cursor.progress.synced()
    }

    /// Gives the cursor back, to go on with it.
    #[must_use]
    pub fn resume(self) -> Cursor {
        self.cursor
    }
}
