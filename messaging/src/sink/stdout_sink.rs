//! Lines to a pipe or a terminal: any [`Write`]. At least once: after a kill, lines that went out after the last stored
//! cursor go out again, with the same ids. A closed pipe is a typed end, [`SinkError::Closed`], not a failure.

use std::fmt;
use std::io::{self, Write};
use std::time::Instant;

use super::{Delivered, Render, Sink, SinkError, Tally};
use crate::journal::Record;

/// See the module.
pub struct StdoutSink<R, W> {
    render: R,
    out: W,
    waiting: Vec<u8>,
    /// How much of `waiting` the other side has.
    done: usize,
    lines: u64,
    tally: Tally,
}

impl<R, W> fmt::Debug for StdoutSink<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdoutSink").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl<R: Render, W: Write + Send> StdoutSink<R, W> {
    /// Writes the lines `render` makes to `out`.
    #[must_use]
    pub fn new(out: W, render: R) -> Self {
        Self { render, out, waiting: Vec::new(), done: 0, lines: 0, tally: Tally::default() }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(rest) = self.waiting.get(self.done..).filter(|rest| !rest.is_empty()) {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }
}

impl<R: Render, W: Write + Send> Sink for StdoutSink<R, W> {
    fn accept(&mut self, record: &Record<'_>) -> Result<(), SinkError> {
        let start = self.waiting.len();
        if self.render.render(record, &mut self.waiting).is_none() {
            self.waiting.truncate(start);
            return Ok(());
        }
        let line = self.waiting.get(start..).unwrap_or_default();
        if line.is_empty() || line.contains(&b'\n') {
            self.waiting.truncate(start);
            return Err(SinkError::BadLine {
                position: record.position,
                what: "is empty or holds a line feed",
            });
        }
        self.waiting.push(b'\n');
        self.lines += 1;
        Ok(())
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.len() - self.done
    }

    fn flush(&mut self, _: Instant) -> Result<Delivered, SinkError> {
        self.write().map_err(|source| {
            if source.kind() == io::ErrorKind::BrokenPipe {
                SinkError::Closed
            } else {
                SinkError::io("write to", "the output", source)
            }
        })?;
        self.tally.lines += std::mem::take(&mut self.lines);
        self.tally.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting.shrink_to(1 << 20);
        self.done = 0;
        Ok(Delivered::All)
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::LineKey;

    struct Body;
    impl Render for Body {
        fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
            line.extend_from_slice(record.body);
            (record.kind == 1).then(LineKey::default)
        }
        fn key_of_line(&self, _: &[u8]) -> Option<LineKey> {
            None
        }
    }

    /// Takes three bytes at a time and stumbles before each.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        stumbled: bool,
        then: Option<io::ErrorKind>,
    }
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.stumbled = !self.stumbled;
            if self.stumbled {
                return Err(self.then.unwrap_or(io::ErrorKind::Interrupted).into());
            }
            let taken = bytes.len().min(3);
            self.taken.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[expect(clippy::disallowed_methods, reason = "some instant; nothing is measured")]
    fn now() -> Instant {
        Instant::now()
    }

    fn record(kind: u8, body: &[u8]) -> Record<'_> {
        Record { position: 1, kind, partition: 0, key: 0, time: 0, body }
    }

    #[test]
    fn a_slow_pipe_gets_every_byte_once() {
        let mut sink =
            StdoutSink::new(Slow { then: Some(io::ErrorKind::WouldBlock), ..Slow::default() }, Body);
        sink.accept(&record(1, b"first line")).unwrap();
        sink.accept(&record(2, b"of another stream")).unwrap();
        sink.accept(&record(1, b"second")).unwrap();
        let mut failures = 0;
        while let Err(error) = sink.flush(now()) {
            assert!(!error.is_final());
            failures += 1;
        }
        assert!(failures > 3);
        assert_eq!(sink.out.taken, b"first line\nsecond\n");
        assert_eq!((sink.tally().lines, sink.tally().bytes, sink.waiting_bytes()), (2, 18, 0));
    }

    #[test]
    fn a_closed_pipe_is_an_end_and_a_broken_line_is_refused() {
        let mut sink =
            StdoutSink::new(Slow { then: Some(io::ErrorKind::BrokenPipe), ..Slow::default() }, Body);
        assert!(matches!(sink.accept(&record(1, b"a\nb")), Err(SinkError::BadLine { position: 1, .. })));
        sink.accept(&record(1, b"line")).unwrap();
        assert!(matches!(sink.flush(now()), Err(SinkError::Closed)));
    }
}
