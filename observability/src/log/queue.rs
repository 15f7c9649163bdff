//! Lines on their way to a slow writer: a bounded queue and the thread behind it.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
};

use tracing_subscriber::fmt::MakeWriter;

use super::FLUSH_MAX;
use crate::metrics::Counter;

enum Message {
    Line(Vec<u8>),
    /// Everything before it is written; then the sender of the answer is dropped, which is the answer.
    Flush(SyncSender<()>),
}

/// Queues lines. Each write of the subscriber is one whole line.
#[derive(Debug)]
pub(super) struct LogQueue {
    sender: SyncSender<Message>,
    dropped: Counter,
}

/// Dropped last, it writes out what is queued, waiting for at most [`FLUSH_MAX`].
#[must_use = "dropping it ends the waiting for queued lines: keep it until the end of `main`"]
#[derive(Debug)]
pub struct LogGuard {
    sender: SyncSender<Message>,
}

/// Starts the thread that writes; it ends with the process, or when queue and guard are gone.
pub(super) fn start(
    writer: impl Write + Send + 'static,
    bound: usize,
    dropped: Counter,
) -> io::Result<(LogQueue, LogGuard)> {
    let (sender, receiver) = sync_channel(bound);
    thread::Builder::new().name("log".to_owned()).spawn(move || write_all(writer, &receiver))?;
    Ok((LogQueue { sender: sender.clone(), dropped }, LogGuard { sender }))
}

fn write_all(mut writer: impl Write, lines: &Receiver<Message>) {
    for message in lines {
        // A log that cannot be written cannot be complained about either.
        match message {
            Message::Line(line) => drop(writer.write_all(&line)),
            Message::Flush(done) => {
                drop(writer.flush());
                drop(done);
            }
        }
    }
}

impl LogGuard {
    /// Waits until what is queued is written, for at most [`FLUSH_MAX`].
    pub fn flush(&self) {
        let (done, written) = sync_channel(0);
        if self.send(Message::Flush(done)) {
            // The answer is that the other end is dropped, so it is always an error.
            let _ = written.recv_timeout(FLUSH_MAX);
        }
    }

    /// Queues even when the queue is full, as long as the thread takes lines at all.
    fn send(&self, mut message: Message) -> bool {
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            match self.sender.try_send(message) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => {
                    message = back;
                    thread::park_timeout(FLUSH_MAX / TRIES);
                }
            }
        }
        false
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

impl<'w> MakeWriter<'w> for LogQueue {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> &'w Self {
        self
    }
}

impl Write for &LogQueue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(Message::Line(bytes.to_vec())).is_err() {
            self.dropped.inc();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
