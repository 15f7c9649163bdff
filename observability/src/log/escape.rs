//! Makes text from outside harmless in a log: no control character and no change of writing direction gets through.

use std::{
    fmt::{self, Debug, Write as _},
    io,
};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, MakeWriter, format::Writer},
};

/// Whether a terminal might act on it instead of showing it.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Fields as `name=value`, the message bare, every value escaped.
#[derive(Debug)]
pub(super) struct Fields(());

impl Fields {
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, result: Ok(()), first: true };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    result: fmt::Result,
    first: bool,
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_err() {
            return;
        }
        let gap = if std::mem::take(&mut self.first) { "" } else { " " };
        self.result = match field.name() {
            "message" => write!(self.writer, "{gap}"),
            name => write!(self.writer, "{gap}{name}="),
        }
        .and_then(|()| write!(Escaped(&mut self.writer), "{value:?}"));
    }
}

/// Passes text on, harmful characters as `\u{1b}`.
struct Escaped<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_harmful) {
            match part.char_indices().next_back() {
                Some((at, c)) if is_harmful(c) => {
                    self.0.write_str(part.get(..at).unwrap_or_default())?;
                    write!(self.0, "{}", c.escape_unicode())?;
                }
                _ => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// JSON escapes the old control characters itself; this escapes the rest of [`is_harmful`], also as JSON.
#[derive(Debug)]
pub(super) struct JsonWriter<W>(pub(super) W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for JsonWriter<W> {
    type Writer = JsonLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        JsonLine(self.0.make_writer())
    }
}

pub(super) struct JsonLine<W>(W);

impl<W: io::Write> io::Write for JsonLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let harmful = |c: char| is_harmful(c) && c != '\n';
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains(harmful) => {
                let mut escaped = String::with_capacity(text.len() + 16);
                for c in text.chars() {
                    if harmful(c) {
                        // Writing to a string cannot fail; all harmful characters have four hex digits.
                        let _ = write!(escaped, "\\u{:04x}", u32::from(c));
                    } else {
                        escaped.push(c);
                    }
                }
                self.0.write_all(escaped.as_bytes())?;
            }
            _ => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
