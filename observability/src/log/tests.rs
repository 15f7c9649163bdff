//! The log: both formats, levels, and a terminal that is stuck.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        mpsc::{SyncSender, sync_channel},
    },
};

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn logged(format: Format, level: &str, log: impl FnOnce()) -> String {
    let captured = Captured::default();
    let writer = captured.clone();
    let config = LogConfig::new(format, level).unwrap();
    let dispatch = dispatch(&config, false, move || writer.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, log);
    captured.text()
}

const EVIL: &str = "a\u{1b}[2J\nb\r\u{9b}c\u{202e}d\u{7f}\"\\";

fn log_evil() {
    let span = tracing::info_span!("connection", endpoint = EVIL);
    let _in_it = span.enter();
    let error = io::Error::other(EVIL);
    let source: &(dyn std::error::Error + 'static) = &error;
    tracing::info!(text = EVIL, shown = %EVIL, debugged = ?EVIL, error = source, n = 7, "said {EVIL}");
}

#[test]
fn a_pretty_line_is_one_line_without_control_characters() {
    let text = logged(Format::Pretty, "info", log_evil);
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    for part in ["INFO", "connection{endpoint=", "said a\\u{1b}[2J\\u{a}b", "shown=a\\u{1b}", "n=7"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}

#[test]
fn a_json_line_parses_and_gives_the_text_back() {
    let text = logged(Format::Json, "info", log_evil);
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(json["level"], "INFO");
    assert_eq!(json["text"], EVIL);
    assert_eq!(json["shown"], EVIL);
    assert_eq!(json["n"], 7);
    assert_eq!(json["message"], format!("said {EVIL}"));
    assert_eq!(json["spans"][0]["endpoint"], EVIL);
    assert!(json["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn levels_and_targets_are_filtered() {
    let text = logged(Format::Pretty, "warn,chatty=debug", || {
        tracing::info!("quiet");
        tracing::debug!(target: "chatty", "loud");
        tracing::warn!("warned");
    });
    assert!(!text.contains("quiet") && text.contains("loud") && text.contains("warned"), "{text}");
    assert!(matches!(LogConfig::new(Format::Json, "info,=,"), Err(LogError::Level { .. })));
    assert_eq!("xml".parse::<Format>(), Err(UnknownFormat));
    assert_eq!("json".parse(), Ok(Format::Json));
}

/// Writes a line only when the test lets it.
struct Gated {
    entered: SyncSender<()>,
    gate: std::sync::mpsc::Receiver<()>,
    out: Captured,
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Both ends hang up once the test lets everything through.
        let _ = self.entered.send(());
        let _ = self.gate.recv();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_terminal_stops_nobody_and_what_was_dropped_is_counted() {
    let (entered, has_entered) = sync_channel(0);
    let (open, gate) = sync_channel(0);
    let (out, dropped) = (Captured::default(), Counter::default());
    let gated = Gated { entered, gate, out: out.clone() };
    let (queue, guard) = queue::start(gated, 2, dropped.clone()).unwrap();
    let config = LogConfig::new(Format::Pretty, "info").unwrap();
    let dispatch = dispatch(&config, false, queue).unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::info!("line 0");
        has_entered.recv().unwrap();
        // The thread holds line 0, the queue takes two more, two are too many.
        for n in 1..5 {
            tracing::info!("line {n}");
        }
    });
    assert_eq!(dropped.value(), 2);
    drop((open, has_entered));
    drop(guard);
    let text = out.text();
    let lines: Vec<&str> = text.lines().map(|line| line.split_at(line.len() - 6).1).collect();
    assert_eq!(lines, ["line 0", "line 1", "line 2"]);
}
