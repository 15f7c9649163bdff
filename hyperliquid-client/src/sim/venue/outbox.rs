//! What is to be sent, by due time. A delayed frame is overtaken by what is due earlier; equal times keep their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Names a connection for the life of the venue; counts up from 1.
pub(in crate::sim) type ConnId = u64;

/// One thing to write to a socket.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum Out {
    /// A text frame.
    Text(Arc<str>),
    /// A text frame with any bytes, valid UTF-8 or not.
    Bytes(Arc<[u8]>),
    /// A text message in fragments of one byte.
    Fragments(Arc<str>),
    /// Protocol pings.
    Pings(u32),
    /// Answer to a protocol ping.
    Pong(Vec<u8>),
    /// A close frame, then the end.
    Close(u16, &'static str),
    /// The end without a close frame.
    Abort,
}

impl Out {
    fn ends(&self) -> bool {
        matches!(self, Self::Close(..) | Self::Abort)
    }
}

/// The queue in front of the sockets.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: BTreeMap<(Duration, u64), (ConnId, Out)>,
    seq: u64,
}

impl Outbox {
    pub(super) fn push(&mut self, conn: ConnId, out: Out, due: Duration) {
        self.seq += 1;
        self.queue.insert((due, self.seq), (conn, out));
    }

    /// The next thing due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(ConnId, Out)> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Forgets what waits for a connection, except that it is to end.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.queue.retain(|_, (to, out)| *to != conn || out.ends());
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.queue.keys().next().map(|(due, _)| *due)
    }
}
